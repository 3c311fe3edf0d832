//! Accuracy of a model on one labelled set, with its confusion matrix.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::calibration::Confidence;

/// Accuracy of a model on one labelled set. Accuracies are fractions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Fraction of the images whose class has the highest score.
    pub top1: f64,
    /// 95 % bootstrap interval of `top1` over images, low and high.
    #[serde(default)]
    pub top1_interval: [f64; 2],
    /// Fraction of the images whose class is among the five highest scores (all of them, if there are fewer).
    pub top5: f64,
    /// Number of images.
    pub n: u64,
    /// Calibration; `None` where the classifier has no temperature.
    #[serde(flatten)]
    pub confidence: Option<Confidence>,
    /// By class name; only classes that have images.
    pub per_class: BTreeMap<String, ClassAccuracy>,
    /// Counts of predicted classes by true class.
    #[serde(default, skip_serializing_if = "Confusion::is_empty")]
    pub confusion: Confusion,
}

/// Top-1 accuracy within one class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassAccuracy {
    /// Fraction of the class's images that are classified correctly.
    pub accuracy: f64,
    /// Number of the class's images.
    pub n: u64,
}

impl Evaluation {
    /// Returns a copy without the confusion matrix, which is most of a large set's JSON.
    pub fn without_confusion(self) -> Self {
        Self { confusion: Confusion::default(), ..self }
    }
}

/// Sparse confusion matrix: a thousand classes have a million cells, nearly all of them zero.
///
/// Serialized as `{true class: {predicted class: count}}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Confusion {
    counts: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Confusion {
    /// Counts `count` images of class `truth` that were predicted as `predicted`.
    pub fn add(&mut self, truth: &str, predicted: &str, count: u64) {
        if count > 0 {
            let row = self.counts.entry(truth.to_owned()).or_default();
            *row.entry(predicted.to_owned()).or_default() += count;
        }
    }

    /// Returns the number of images of class `truth` that were predicted as `predicted`.
    pub fn get(&self, truth: &str, predicted: &str) -> u64 {
        let row = self.counts.get(truth);
        row.and_then(|row| row.get(predicted)).copied().unwrap_or_default()
    }

    /// Iterates over the non-zero cells: true class, predicted class, count.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.counts.iter().flat_map(|(truth, row)| {
            row.iter().map(move |(predicted, &count)| (truth.as_str(), predicted.as_str(), count))
        })
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}
