use std::collections::HashMap;

/// The texts of a batch without repetition: encoding a text once serves all samples that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistinctTexts<'a> {
    /// Token ids up to the end of text, in the order in which they were met.
    pub texts: Vec<&'a [u32]>,
    /// For each text of the batch, its place among `texts`.
    pub which: Vec<usize>,
    /// Whether the adapters treat texts alike in this pass. If not, every text is its own, and its place in the batch matters.
    pub alike: bool,
}

impl<'a> DistinctTexts<'a> {
    pub(super) fn of(batch: impl Iterator<Item = &'a [u32]>) -> Self {
        let mut first = HashMap::new();
        let mut texts = Vec::new();
        let which = batch
            .map(|ids| {
                *first.entry(ids).or_insert_with(|| {
                    texts.push(ids);
                    texts.len() - 1
                })
            })
            .collect();
        Self { texts, which, alike: true }
    }

    pub(super) fn all(batch: impl Iterator<Item = &'a [u32]>) -> Self {
        let texts: Vec<_> = batch.collect();
        Self { which: (0..texts.len()).collect(), texts, alike: false }
    }
}
