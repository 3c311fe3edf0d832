//! Sets of pixels.

mod components;
mod rle;

pub use components::components;
pub use rle::{Rle, RleError};

/// A set of pixels of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    width: usize,
    height: usize,
    /// Row by row.
    bits: Vec<bool>,
}

/// A box of pixels: `left ≤ x < right`, `top ≤ y < bottom`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// First column.
    pub left: usize,
    /// First row.
    pub top: usize,
    /// Column after the last.
    pub right: usize,
    /// Row after the last.
    pub bottom: usize,
}

impl Bounds {
    /// Columns.
    pub fn width(&self) -> usize {
        self.right - self.left
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.bottom - self.top
    }
}

impl Mask {
    /// A mask of a bit for each pixel, row by row; `None` for another number of bits.
    pub fn new(width: usize, height: usize, bits: Vec<bool>) -> Option<Self> {
        (width.checked_mul(height) == Some(bits.len())).then_some(Self { width, height, bits })
    }

    /// Columns of the image.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of the image.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Whether each pixel is in it, row by row.
    pub fn bits(&self) -> &[bool] {
        &self.bits
    }

    /// Pixels in it.
    pub fn area(&self) -> usize {
        self.bits.iter().filter(|bit| **bit).count()
    }

    /// Whether no pixel is in it.
    pub fn is_empty(&self) -> bool {
        !self.bits.contains(&true)
    }

    /// The smallest box around it; `None` if it is empty.
    pub fn bounds(&self) -> Option<Bounds> {
        let mut bounds: Option<Bounds> = None;
        for (y, row) in self.bits.chunks_exact(self.width.max(1)).enumerate() {
            let Some(first) = row.iter().position(|bit| *bit) else { continue };
            let last = row.iter().rposition(|bit| *bit).unwrap_or(first);
            let grown = bounds.unwrap_or(Bounds { left: first, top: y, right: last + 1, bottom: y + 1 });
            bounds = Some(Bounds {
                left: grown.left.min(first),
                right: grown.right.max(last + 1),
                top: grown.top,
                bottom: y + 1,
            });
        }
        bounds
    }

    /// Intersection over union with a mask of the same size; 0 of two empty ones.
    pub fn iou(&self, other: &Self) -> f64 {
        let pairs = self.bits.iter().zip(&other.bits);
        let both = pairs.filter(|(a, b)| **a && **b).count();
        let union = self.area() + other.area() - both;
        if union == 0 { 0.0 } else { both as f64 / union as f64 }
    }
}

#[cfg(test)]
mod tests;
