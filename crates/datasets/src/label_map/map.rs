/// The label of a pixel that has no class: in an annotation it counts for nothing, in a prediction it is "none".
pub const IGNORED: u16 = u16::MAX;

/// A class index per pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMap {
    width: usize,
    height: usize,
    /// Row by row.
    labels: Vec<u16>,
}

impl LabelMap {
    /// A map of labels, row by row; none if there are not `width * height` of them, or none at all.
    pub fn new(width: usize, height: usize, labels: Vec<u16>) -> Option<Self> {
        let whole = width.checked_mul(height) == Some(labels.len()) && !labels.is_empty();
        whole.then_some(Self { width, height, labels })
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The labels, row by row; [`IGNORED`] where a pixel has no class.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The first pixel whose label is neither one of `classes` nor [`IGNORED`]: its label, column and row.
    pub fn first_out_of_range(&self, classes: usize) -> Option<(u16, usize, usize)> {
        let at = self.labels.iter().position(|&label| label != IGNORED && usize::from(label) >= classes)?;
        Some((self.labels[at], at % self.width, at / self.width))
    }
}
