//! Scores of a tile of images against a panel of texts, compared as they are computed and never stored.
//!
//! A score is the sum of products in the order of the coordinates, each product and each sum rounded to f32. Every way here
//! computes exactly that, for any tile, panel and vector width, so that equal embeddings score equally
//! at any position.

/// Texts of a panel: with [`ROWS`] rows the sums fit the registers of AVX2.
pub(super) const COLUMNS: usize = 16;
/// Images of a full tile.
const ROWS: usize = 6;

/// Computes the score of one pair.
pub(super) fn score(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b)
}

/// Interleaves texts: for each coordinate the values of [`COLUMNS`] texts. The last panel is padded with NaN, whose
/// scores never count.
///
/// # Shapes
/// `texts`: `[n, dim]` → `[n / COLUMNS rounded up, dim, COLUMNS]`
pub(super) fn pack(texts: &[f32], dim: usize, panels: &mut Vec<f32>) {
    let panel = dim * COLUMNS;
    panels.clear();
    panels.resize((texts.len() / dim).div_ceil(COLUMNS) * panel, f32::NAN);
    for (part, panel) in texts.chunks(panel).zip(panels.chunks_exact_mut(panel)) {
        for (column, text) in part.chunks_exact(dim).enumerate() {
            for (k, &value) in text.iter().enumerate() {
                panel[k * COLUMNS + column] = value;
            }
        }
    }
}

/// Input of the count: the images of a chunk and the texts of the panels.
pub(super) struct Chunk<'a> {
    pub(super) dim: usize,
    /// `[images, dim]`
    pub(super) images: &'a [f32],
    /// The score that a text must reach to count for an image.
    pub(super) image_least: &'a [f32],
    /// [Packed](pack).
    pub(super) panels: &'a [f32],
    /// The score that an image must reach to count for a text; unused for padding columns.
    pub(super) text_least: &'a [f32],
}

/// The computation, compiled for each vector width of processors.
struct Count<'a, 'b> {
    chunk: &'a Chunk<'b>,
    for_images: &'a mut [u32],
    for_texts: &'a mut [u32],
}

impl pulp::NullaryFnOnce for Count<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.chunk.count_here(self.for_images, self.for_texts);
    }
}

impl Chunk<'_> {
    /// Adds, to each image's count, the texts that reach its score, and vice versa.
    pub(super) fn count(&self, for_images: &mut [u32], for_texts: &mut [u32]) {
        pulp::Arch::new().dispatch(Count { chunk: self, for_images, for_texts });
    }

    #[inline(always)]
    fn count_here(&self, for_images: &mut [u32], for_texts: &mut [u32]) {
        let dim = self.dim;
        let columns = for_texts.chunks_exact_mut(COLUMNS).zip(self.text_least.chunks_exact(COLUMNS));
        for (panel, (for_texts, least)) in self.panels.chunks_exact(dim * COLUMNS).zip(columns) {
            let whole = for_images.len() / ROWS * ROWS;
            for start in (0..whole).step_by(ROWS) {
                self.tile::<ROWS>(start, panel, least, for_images, for_texts);
            }
            for start in whole..for_images.len() {
                self.tile::<1>(start, panel, least, for_images, for_texts);
            }
        }
    }

    #[inline(always)]
    fn tile<const N: usize>(
        &self,
        start: usize,
        panel: &[f32],
        text_least: &[f32],
        for_images: &mut [u32],
        for_texts: &mut [u32],
    ) {
        let dim = self.dim;
        let rows: [&[f32]; N] = std::array::from_fn(|row| &self.images[(start + row) * dim..][..dim]);
        let mut sums = [[0.0_f32; COLUMNS]; N];
        for (k, values) in panel.chunks_exact(COLUMNS).enumerate().take(dim) {
            for (sums, row) in sums.iter_mut().zip(&rows) {
                let value = row[k];
                for (sum, &text) in sums.iter_mut().zip(values) {
                    *sum += value * text;
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            let least = self.image_least[start + row];
            let mut reached = 0;
            for ((&score, &text_least), for_text) in sums.iter().zip(text_least).zip(&mut *for_texts) {
                *for_text += u32::from(score >= text_least);
                reached += u32::from(score >= least);
            }
            for_images[start + row] += reached;
        }
    }
}
