//! Ranks of the right answers in both directions over a full gallery.

use rayon::prelude::*;

use super::RecallError;
use super::kernel::{COLUMNS, Chunk, pack, score};

/// Number of values in a block of packed texts: 8 MiB.
const BLOCK_VALUES: usize = 2 << 20;
/// Images per work item: their embeddings stay in a thread's cache while the panels pass.
const CHUNK: usize = 96;

/// Borrowed rows of embeddings of one length.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    dim: usize,
    values: &'a [f32],
}

impl<'a> Rows<'a> {
    /// Wraps rows of `dim` values.
    ///
    /// # Errors
    /// [`RecallError::Rows`] if the number of values is not a multiple of `dim`.
    pub fn new(dim: usize, values: &'a [f32]) -> Result<Self, RecallError> {
        match dim > 0 && values.len().is_multiple_of(dim) {
            true => Ok(Self { dim, values }),
            false => Err(RecallError::Rows { dim, values: values.len() }),
        }
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn row(&self, index: usize) -> &'a [f32] {
        &self.values[index * self.dim..][..self.dim]
    }
}

/// Rank of each query's best right candidate, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranks {
    /// Of each image, among the texts.
    pub image_to_text: Vec<u32>,
    /// Of each text, among the images.
    pub text_to_image: Vec<u32>,
}

/// Ranks every image's texts and every text's image over the full gallery.
///
/// A rank is 1 + the number of *wrong* candidates whose score is that of the best right one or higher, so that ties count
/// against the model. The score is the inner product, summed in f32 in coordinate order: equal embeddings score
/// equally at any position.
///
/// Both directions are computed in one pass over all pairs, in blocks: besides the embeddings it needs the memory of the ranks and
/// some 10 MiB per thread. `progress` is called at intervals with the number of texts done.
///
/// # Shapes
/// * `images`: `[n, dim]`, `texts`: `[m, dim]`
/// * `text_image`: the index of the image of each text, `m` of them
///
/// # Errors
/// [`RecallError`] for sizes that do not fit each other, an index out of range, an image without a text, and values that are
/// not finite.
pub fn ranks(
    images: Rows<'_>,
    texts: Rows<'_>,
    text_image: &[usize],
    progress: &mut dyn FnMut(usize),
) -> Result<Ranks, RecallError> {
    check(images, texts, text_image)?;
    let dim = images.dim;
    // The scores of the right candidates: for an image the best of its texts, and how many of its texts reach that.
    let text_least: Vec<f32> =
        text_image.par_iter().enumerate().map(|(text, &image)| score(images.row(image), texts.row(text))).collect();
    let mut image_least = vec![f32::NEG_INFINITY; images.len()];
    for (&image, &score) in text_image.iter().zip(&text_least) {
        image_least[image] = image_least[image].max(score);
    }
    let mut right = vec![0_u32; images.len()];
    for (&image, &score) in text_image.iter().zip(&text_least) {
        right[image] += u32::from(score >= image_least[image]);
    }

    let mut for_images = vec![0_u32; images.len()];
    let mut for_texts = Vec::with_capacity(texts.len());
    let mut panels = Vec::new();
    let block = (BLOCK_VALUES / dim).max(1).next_multiple_of(COLUMNS);
    for (part, least) in texts.values.chunks(block * dim).zip(text_least.chunks(block)) {
        pack(part, dim, &mut panels);
        let mut padded = least.to_vec();
        padded.resize(least.len().next_multiple_of(COLUMNS), 0.0);
        let none = || vec![0_u32; padded.len()];
        let counts = for_images
            .par_chunks_mut(CHUNK)
            .zip(images.values.par_chunks(CHUNK * dim))
            .zip(image_least.par_chunks(CHUNK))
            .fold(none, |mut counts, ((for_images, images), image_least)| {
                let chunk = Chunk { dim, images, image_least, panels: &panels, text_least: &padded };
                chunk.count(for_images, &mut counts);
                counts
            })
            .reduce(none, |mut counts, more| {
                counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
                counts
            });
        for_texts.extend_from_slice(&counts[..least.len()]);
        progress(for_texts.len());
    }
    // The right candidates of a query reach its score too, and are subtracted: of a text its image, of an image all of its texts
    // with the best score.
    let image_to_text = for_images.iter().zip(&right).map(|(&count, &right)| 1 + count - right).collect();
    Ok(Ranks { image_to_text, text_to_image: for_texts })
}

fn check(images: Rows<'_>, texts: Rows<'_>, text_image: &[usize]) -> Result<(), RecallError> {
    if images.is_empty() || texts.is_empty() {
        return Err(RecallError::Empty { images: images.len(), texts: texts.len() });
    }
    if images.dim != texts.dim {
        return Err(RecallError::Dim { images: images.dim, texts: texts.dim });
    }
    if texts.len() != text_image.len() {
        return Err(RecallError::Pairs { texts: texts.len(), found: text_image.len() });
    }
    if images.len().max(texts.len()) >= u32::MAX as usize {
        return Err(RecallError::TooMany { images: images.len(), texts: texts.len() });
    }
    let mut has_text = vec![false; images.len()];
    for (text, &image) in text_image.iter().enumerate() {
        match has_text.get_mut(image) {
            Some(has) => *has = true,
            None => return Err(RecallError::NoSuchImage { text, image, images: images.len() }),
        }
    }
    if let Some(image) = has_text.iter().position(|&has| !has) {
        return Err(RecallError::NoText { image });
    }
    for (what, rows) in [("image", images), ("text", texts)] {
        if let Some(at) = rows.values.par_iter().position_first(|value| !value.is_finite()) {
            return Err(RecallError::NotFinite { what, row: at / rows.dim });
        }
    }
    Ok(())
}
