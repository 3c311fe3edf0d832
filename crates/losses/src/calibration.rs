//! Calibration of a classifier: negative log-likelihood, the temperature that minimises it, and the calibration error.
//!
//! Everything here is a function of logits on the host. Probabilities are the softmax of `inverse · logits`, where `inverse`
//! is the inverse temperature: a checkpoint's logit scale, 100 for most CLIPs.
//!
//! ```
//! use radapter_losses::calibration::LabelledLogits;
//!
//! # fn main() -> Result<(), radapter_losses::calibration::CalibrationError> {
//! let mut logits = LabelledLogits::new(2);
//! for (row, label) in [([0.3, 0.1], 0), ([0.2, 0.3], 1), ([0.1, 0.2], 0)] {
//!     logits.push(&row, label)?;
//! }
//! let inverse = logits.inverse_temperature()?;
//! assert!(logits.mean_nll(inverse) < logits.mean_nll(100.0));
//! # Ok(())
//! # }
//! ```

/// Number of bins of the [calibration error](Bins::error).
pub const BINS: usize = 15;

/// Why a temperature cannot be calibrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum CalibrationError {
    #[error("calibration needs at least one labelled image, found none")]
    Empty,
    /// No label has a lower logit than another class, so that the likelihood grows with the inverse temperature for ever.
    #[error("all {images} images are classified correctly, so that no finite temperature fits best; use more images")]
    AllRight { images: usize },
    /// The labels have no higher logits than the other classes on average, so that no temperature is better than equal
    /// probabilities.
    #[error(
        "the labels of the {images} images score no higher than other classes, so that no temperature fits; check the labels"
    )]
    NoBetterThanChance { images: usize },
    #[error("image {image}: the logit of class {class} is not finite: the model or its head is damaged")]
    NotFinite { image: usize, class: usize },
    /// The number of logits differs from the number of classes.
    #[error("image {image}: expected a logit for each of {expected} classes, found {found}")]
    Logits { image: usize, expected: usize, found: usize },
    /// A label is out of range.
    #[error("image {image}: label {label} is not below the number of classes, {classes}")]
    Label { image: usize, label: usize, classes: usize },
}

/// Logits of labelled images: `[images, classes]`.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledLogits {
    classes: usize,
    values: Vec<f32>,
    labels: Vec<usize>,
}

impl LabelledLogits {
    /// Creates an empty list for this number of classes.
    pub fn new(classes: usize) -> Self {
        Self { classes, values: Vec::new(), labels: Vec::new() }
    }

    /// Adds an image: a logit for each class, and its label.
    ///
    /// # Errors
    /// [`CalibrationError`] for a logit that is not finite, a wrong number of logits, and a label out of range. The image is not
    /// added then.
    pub fn push(&mut self, logits: &[f32], label: usize) -> Result<(), CalibrationError> {
        let (image, classes) = (self.len(), self.classes);
        if logits.len() != classes {
            return Err(CalibrationError::Logits { image, expected: classes, found: logits.len() });
        }
        if label >= classes {
            return Err(CalibrationError::Label { image, label, classes });
        }
        if let Some(class) = logits.iter().position(|logit| !logit.is_finite()) {
            return Err(CalibrationError::NotFinite { image, class });
        }
        self.values.extend_from_slice(logits);
        self.labels.push(label);
        Ok(())
    }

    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Iterates over the images: logits and label.
    pub fn rows(&self) -> impl Iterator<Item = (&[f32], usize)> {
        self.values.chunks(self.classes.max(1)).zip(self.labels.iter().copied())
    }

    /// Computes the negative log-likelihood of each image's label.
    pub fn nll(&self, inverse: f64) -> Vec<f64> {
        self.rows().map(|(logits, label)| Softmax::of(logits, inverse).nll(logits[label])).collect()
    }

    /// Computes the mean negative log-likelihood; NaN without images.
    pub fn mean_nll(&self, inverse: f64) -> f64 {
        self.nll(inverse).iter().sum::<f64>() / self.len() as f64
    }

    /// Computes the [calibration error](Bins::error).
    pub fn calibration_error(&self, inverse: f64) -> f64 {
        let mut bins = Bins::default();
        for (logits, label) in self.rows() {
            let softmax = Softmax::of(logits, inverse);
            // As the prediction: the first of the highest logits.
            let predicted = logits.iter().position(|&logit| logit == softmax.largest);
            bins.add(softmax.confidence(), predicted == Some(label));
        }
        bins.error()
    }

    /// Finds the inverse temperature that minimises the mean negative log-likelihood, to a relative 10⁻⁹.
    ///
    /// The problem is convex: the slope is the mean difference between the expected logit and that of the label, and it grows with
    /// the inverse temperature. Newton's steps towards its root, halving the bracket where they would leave it.
    ///
    /// # Errors
    /// [`CalibrationError`] where there is no finite minimum above 0.
    pub fn inverse_temperature(&self) -> Result<f64, CalibrationError> {
        let images = self.len();
        if images == 0 {
            return Err(CalibrationError::Empty);
        }
        if self.slope(0.0).0 >= 0.0 {
            return Err(CalibrationError::NoBetterThanChance { images });
        }
        let largest = |logits: &[f32]| logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if self.rows().all(|(logits, label)| logits[label] == largest(logits)) {
            return Err(CalibrationError::AllRight { images });
        }
        // The slope tends to the mean lead over the labels, which is above 0 now.
        let (mut low, mut high) = (0.0, 1.0);
        while self.slope(high).0 < 0.0 {
            (low, high) = (high, 2.0 * high);
        }
        let mut inverse = (low + high) / 2.0;
        loop {
            let (slope, curvature) = self.slope(inverse);
            if slope < 0.0 {
                low = inverse
            } else {
                high = inverse
            }
            let newton = inverse - slope / curvature;
            // Also where the curvature is 0.
            let next = if newton > low && newton < high { newton } else { (low + high) / 2.0 };
            if (next - inverse).abs() <= 1e-9 * inverse {
                return Ok(next);
            }
            inverse = next;
        }
    }

    /// First and second derivative of the summed negative log-likelihood.
    fn slope(&self, inverse: f64) -> (f64, f64) {
        self.rows().fold((0.0, 0.0), |(slope, curvature), (logits, label)| {
            let softmax = Softmax::of(logits, inverse);
            let own = f64::from(logits[label]) - f64::from(softmax.largest);
            (slope + softmax.mean - own, curvature + softmax.variance)
        })
    }
}

/// Softmax of `inverse · logits`, shifted by the largest logit so that none overflows.
struct Softmax {
    inverse: f64,
    largest: f32,
    /// Sum of the powers; the largest logit's is 1.
    sum: f64,
    /// Mean of the logits minus the largest, weighted by their probabilities.
    mean: f64,
    variance: f64,
}

impl Softmax {
    fn of(logits: &[f32], inverse: f64) -> Self {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
        for &logit in logits {
            let shifted = f64::from(logit) - f64::from(largest);
            let power = (inverse * shifted).exp();
            sum += power;
            first += power * shifted;
            second += power * shifted * shifted;
        }
        let mean = first / sum;
        Self { inverse, largest, sum, mean, variance: (second / sum - mean * mean).max(0.0) }
    }

    /// Negative logarithm of the probability of a class with this logit.
    fn nll(&self, logit: f32) -> f64 {
        self.sum.ln() - self.inverse * (f64::from(logit) - f64::from(self.largest))
    }

    /// The highest probability.
    fn confidence(&self) -> f64 {
        1.0 / self.sum
    }

    /// Entropy in nats.
    fn entropy(&self) -> f64 {
        self.sum.ln() - self.inverse * self.mean
    }
}

/// Returns the highest probability of the softmax of `inverse · logits`.
pub fn confidence(logits: &[f32], inverse: f64) -> f64 {
    Softmax::of(logits, inverse).confidence()
}

/// Returns the entropy of the softmax of `inverse · logits`, in nats.
pub fn entropy(logits: &[f32], inverse: f64) -> f64 {
    Softmax::of(logits, inverse).entropy()
}

/// Predictions by their confidence, in [`BINS`] bins of equal width `(i / 15, (i + 1) / 15]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bins {
    bins: [Bin; BINS],
    total: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bin {
    confidence: f64,
    right: u64,
}

impl Bins {
    /// Counts a prediction with its probability.
    pub fn add(&mut self, confidence: f64, right: bool) {
        let bin = (confidence * BINS as f64).ceil() as usize;
        let bin = &mut self.bins[bin.clamp(1, BINS) - 1];
        bin.confidence += confidence;
        bin.right += u64::from(right);
        self.total += 1;
    }

    /// Computes the expected calibration error: the mean over the bins of |accuracy − mean confidence|, weighted by their counts
    /// ([Guo et al., 2017](https://arxiv.org/abs/1706.04599)). NaN if nothing was counted.
    pub fn error(&self) -> f64 {
        // Accuracy and mean confidence have the count as denominator, which the weight cancels.
        let gap = |bin: &Bin| (bin.right as f64 - bin.confidence).abs();
        self.bins.iter().map(gap).sum::<f64>() / self.total as f64
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    fn logits(rows: &[(&[f32], usize)]) -> LabelledLogits {
        let mut all = LabelledLogits::new(rows[0].0.len());
        rows.iter().for_each(|(row, label)| all.push(row, *label).unwrap());
        all
    }

    #[test]
    fn the_error_of_a_few_predictions_is_that_by_hand() {
        let mut bins = Bins::default();
        // Bin (9/15, 10/15]: accuracy 1/2, mean confidence 0.63. Bin (14/15, 1]: accuracy 2/3, mean confidence 0.98.
        for (confidence, right) in [(0.61, true), (0.65, false), (1.0, true), (0.96, true), (0.98, false)] {
            bins.add(confidence, right);
        }
        let expected = 2.0 / 5.0 * (0.63 - 0.5) + 3.0 / 5.0 * (0.98 - 2.0 / 3.0);
        assert!((bins.error() - expected).abs() < 1e-12, "{}", bins.error());
        // A bin includes its upper edge, so these two cancel out: accuracy 1/2, mean confidence 1/2.
        let mut edge = Bins::default();
        edge.add(7.5 / 15.0, true);
        edge.add(7.5 / 15.0, false);
        assert_eq!(edge.error(), 0.0);
    }

    #[test]
    fn two_classes_have_a_temperature_in_closed_form() {
        // Three of four right by the same margin of 0.1: sigmoid(0.1 · inverse) = 3/4.
        let all = logits(&[(&[0.1, 0.0], 0), (&[0.1, 0.0], 0), (&[0.2, 0.3], 1), (&[0.1, 0.0], 1)]);
        let expected = 3f64.ln() / 0.1;
        let found = all.inverse_temperature().unwrap();
        assert!((found / expected - 1.0).abs() < 1e-6, "{found}, expected {expected}");
        assert!(all.calibration_error(found) < 1e-6, "{}", all.calibration_error(found));
    }

    #[test]
    fn what_has_no_best_temperature_is_an_error() {
        let best = |all: &LabelledLogits| all.inverse_temperature();
        assert_eq!(best(&LabelledLogits::new(2)), Err(CalibrationError::Empty));
        let right = logits(&[(&[0.2, 0.1], 0), (&[0.1, 0.1], 1)]);
        assert_eq!(best(&right), Err(CalibrationError::AllRight { images: 2 }));
        for chance in [logits(&[(&[0.1, 0.1], 0)]), logits(&[(&[0.1, 0.2], 0)])] {
            assert_eq!(best(&chance), Err(CalibrationError::NoBetterThanChance { images: 1 }));
        }
        let mut all = right;
        let logits = CalibrationError::Logits { image: 2, expected: 2, found: 1 };
        assert_eq!(all.push(&[0.0], 0), Err(logits));
        assert_eq!(all.push(&[0.0, 1.0], 2), Err(CalibrationError::Label { image: 2, label: 2, classes: 2 }));
        for bad in [f32::NAN, f32::INFINITY] {
            assert_eq!(all.push(&[0.0, bad], 0), Err(CalibrationError::NotFinite { image: 2, class: 1 }));
        }
        assert_eq!(all.len(), 2);
    }

    proptest! {
        #[test]
        fn no_other_temperature_is_more_likely(
            rows in prop::collection::vec((prop::collection::vec(-1.0f32..1.0, 4), 0usize..4), 1..30),
            scale in prop_oneof![Just(1e-3f32), Just(1.0), Just(1e3)],
        ) {
            let mut all = LabelledLogits::new(4);
            for (row, label) in &rows {
                all.push(&row.iter().map(|logit| scale * logit).collect::<Vec<_>>(), *label).unwrap();
            }
            if let Ok(best) = all.inverse_temperature() {
                let least = all.mean_nll(best);
                for other in [0.0, 0.5, 0.9, 0.99, 1.01, 1.1, 2.0, 10.0] {
                    prop_assert!(all.mean_nll(other * best) >= least - 1e-12, "{other} times {best}");
                }
            }
        }
    }
}
