//! Mask logits on a grid, resized to an image's size.

/// Logits of a mask on a grid of any size.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    width: usize,
    height: usize,
    /// Row by row.
    logits: Vec<f32>,
}

/// Returns for each output position the two input positions around it, and the weight of the second.
fn taps(input: usize, output: usize) -> Vec<(usize, usize, f32)> {
    let scale = input as f32 / output as f32;
    let tap = |index: usize| {
        let position = (scale * (index as f32 + 0.5) - 0.5).max(0.0);
        let first = (position as usize).min(input - 1);
        (first, (first + 1).min(input - 1), position - first as f32)
    };
    (0..output).map(tap).collect()
}

impl Grid {
    /// Creates a grid from its logits, row by row; `None` for another number of logits, or an empty grid.
    pub fn new(width: usize, height: usize, logits: Vec<f32>) -> Option<Self> {
        let fits = width.checked_mul(height) == Some(logits.len()) && !logits.is_empty();
        fits.then_some(Self { width, height, logits })
    }

    /// Resizes the logits to an image's size, interpolated as PyTorch's `interpolate(mode="bilinear", align_corners=False)` does.
    ///
    /// # Shapes
    /// → `[height · width]`, row by row
    pub fn resized(&self, width: usize, height: usize) -> Vec<f32> {
        if (width, height) == (self.width, self.height) {
            return self.logits.clone();
        }
        let (across, down) = (taps(self.width, width), taps(self.height, height));
        let mut out = Vec::with_capacity(width * height);
        for (above, below, share) in down {
            let rows = [above, below].map(|row| &self.logits[row * self.width..(row + 1) * self.width]);
            out.extend(across.iter().map(|&(left, right, along)| {
                let [top, bottom] = rows.map(|row| row[left] * (1.0 - along) + row[right] * along);
                top * (1.0 - share) + bottom * share
            }));
        }
        out
    }

    /// Returns the sigmoid of the logits at an image's size.
    ///
    /// # Shapes
    /// Those of [`resized`](Self::resized)
    pub fn probabilities(&self, width: usize, height: usize) -> Vec<f32> {
        let mut values = self.resized(width, height);
        values.iter_mut().for_each(|value| *value = 1.0 / (1.0 + (-*value).exp()));
        values
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn resizing_matches_pytorch() {
        // PyTorch 2.15: interpolate([[0, 1, 4], [9, 16, 25]], size=…, mode="bilinear")
        let grid = Grid::new(3, 2, vec![0.0, 1.0, 4.0, 9.0, 16.0, 25.0]).unwrap();
        for ((width, height), expected) in TORCH {
            let found = grid.resized(width, height);
            assert_eq!(found.len(), expected.len());
            found.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{a} {b}"));
        }
        assert_eq!(grid.resized(3, 2), [0.0, 1.0, 4.0, 9.0, 16.0, 25.0]);
        assert_eq!(Grid::new(1, 1, vec![0.0]).unwrap().probabilities(2, 2), [0.5; 4]);
        assert!(Grid::new(2, 2, vec![0.0; 3]).is_none() && Grid::new(0, 2, vec![]).is_none());
    }

    const TORCH: [((usize, usize), &[f32]); 2] = [
        ((5, 3), &[0.0, 0.4, 1.0, 2.8, 4.0, 4.5, 6.1, 8.5, 12.1, 14.5, 9.0, 11.8, 16.0, 21.4, 25.0]),
        ((2, 1), &[5.5, 13.0]),
    ];
}
