//! Which pairs of a batch belong together, and the target and margin matrices that follow.

use std::collections::HashMap;
use std::hash::Hash;

/// The positives of a batch of pairs: `y_ij = 1` where pair `i` and pair `j` share a label.
///
/// A label is the class for classification, the image for retrieval, the noun for segmentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Positives {
    /// Label of each pair, renumbered from 0 in order of appearance.
    group: Vec<usize>,
    /// `P(i)`, how many pairs share pair `i`'s label, itself included.
    count: Vec<usize>,
}

impl Positives {
    /// Creates positives from one label per pair.
    pub fn from_labels<L: Eq + Hash>(labels: &[L]) -> Self {
        let mut seen = HashMap::new();
        let group: Vec<usize> = labels
            .iter()
            .map(|label| {
                let next = seen.len();
                *seen.entry(label).or_insert(next)
            })
            .collect();
        let mut size = vec![0; seen.len()];
        for &group in &group {
            size[group] += 1;
        }
        let count = group.iter().map(|&group| size[group]).collect();
        Self { group, count }
    }

    /// Makes each pair its own and only positive, as in InfoNCE.
    pub fn diagonal(batch: usize) -> Self {
        Self { group: (0..batch).collect(), count: vec![1; batch] }
    }

    /// Returns the number of pairs, B.
    pub fn len(&self) -> usize {
        self.group.len()
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.group.is_empty()
    }

    /// `y_ij`: whether the pairs `i` and `j` share a label.
    ///
    /// # Panics
    ///
    /// If `i` or `j` is not below [`len`](Self::len).
    pub fn is_positive(&self, i: usize, j: usize) -> bool {
        self.group[i] == self.group[j]
    }

    /// `P(i)`, the positives of pair `i`, itself included.
    ///
    /// # Panics
    ///
    /// If `i` is not below [`len`](Self::len).
    pub fn count(&self, i: usize) -> usize {
        self.count[i]
    }

    /// `(1−ε)·y_ij / P(i) + ε·(1−y_ij) / (B − P(i))`, row-major `[B, B]`; each row sums to one.
    ///
    /// A batch of one class has no negatives to smooth over: there the target is `y_ij / P(i)`, where
    /// the formula as published divides by zero.
    pub(crate) fn targets(&self, smoothing: f64) -> Vec<f32> {
        let batch = self.len();
        self.matrix(|i, positive| {
            let positives = self.count[i];
            match (positive, positives == batch) {
                (true, true) => 1.0 / positives as f64,
                (true, false) => (1.0 - smoothing) / positives as f64,
                (false, _) => smoothing / (batch - positives) as f64,
            }
        })
    }

    /// `value·(1−y_ij)`, row-major `[B, B]`.
    pub(crate) fn on_negatives(&self, value: f64) -> Vec<f32> {
        self.matrix(|_, positive| if positive { 0.0 } else { value })
    }

    fn matrix(&self, value: impl Fn(usize, bool) -> f64) -> Vec<f32> {
        let batch = self.len();
        let mut matrix = Vec::with_capacity(batch * batch);
        for i in 0..batch {
            for j in 0..batch {
                matrix.push(value(i, self.is_positive(i, j)) as f32);
            }
        }
        matrix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_distributions_over_positives_and_negatives() {
        let positives = Positives::from_labels(&[7_i64, -1, 7, 3]);
        let targets = positives.targets(0.1);
        assert_eq!(targets[..4], [0.45_f32, 0.05, 0.45, 0.05], "pair 0 has two positives and two negatives");
        assert_eq!(targets[4..8], [0.1_f32 / 3.0, 0.9, 0.1 / 3.0, 0.1 / 3.0]);
    }

    #[test]
    fn one_class_has_no_smoothing_mass() {
        assert_eq!(Positives::from_labels(&["a"; 4]).targets(0.3), [0.25; 16]);
        assert_eq!(Positives::diagonal(1).targets(0.3), [1.0]);
    }

    #[test]
    fn the_margin_stands_on_negatives_only() {
        let margin = Positives::from_labels(&[0, 1, 0]).on_negatives(5.0);
        assert_eq!(margin, [0.0, 5.0, 0.0, 5.0, 0.0, 5.0, 0.0, 5.0, 0.0]);
    }
}
