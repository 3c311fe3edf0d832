//! Masks: sets of pixels.

mod components;
mod rle;

pub use components::components;
pub use rle::{Rle, RleError};

/// Set of pixels of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    width: usize,
    height: usize,
    /// Row by row.
    bits: Vec<bool>,
}

/// Box of pixels: `left ≤ x < right`, `top ≤ y < bottom`.
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
    /// Returns the number of columns.
    pub fn width(&self) -> usize {
        self.right - self.left
    }

    /// Returns the number of rows.
    pub fn height(&self) -> usize {
        self.bottom - self.top
    }
}

impl Mask {
    /// Creates a mask from one bit per pixel, row by row; `None` for another number of bits.
    pub fn new(width: usize, height: usize, bits: Vec<bool>) -> Option<Self> {
        (width.checked_mul(height) == Some(bits.len())).then_some(Self { width, height, bits })
    }

    /// Returns the width of the image.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the height of the image.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns for each pixel whether it is in the mask, row by row.
    pub fn bits(&self) -> &[bool] {
        &self.bits
    }

    /// Returns the number of pixels in the mask.
    pub fn area(&self) -> usize {
        self.bits.iter().filter(|bit| **bit).count()
    }

    /// Whether the mask has no pixels.
    pub fn is_empty(&self) -> bool {
        !self.bits.contains(&true)
    }

    /// Returns the smallest box around the mask; `None` if it is empty.
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

    /// Returns the intersection over union with a mask of the same size; 0 for two empty masks.
    pub fn iou(&self, other: &Self) -> f64 {
        let pairs = self.bits.iter().zip(&other.bits);
        let both = pairs.filter(|(a, b)| **a && **b).count();
        let union = self.area() + other.area() - both;
        if union == 0 { 0.0 } else { both as f64 / union as f64 }
    }
}

#[cfg(test)]
mod tests;
