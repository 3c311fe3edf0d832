//! One model's figures on PACS.

use std::collections::BTreeMap;

use radapter::classification::suite::SuiteResult;
use serde::Serialize;

/// One model's figures; accuracies are top-1 fractions.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) method: String,
    pub(crate) lr: Option<f64>,
    pub(crate) alpha: Option<f64>,
    pub(crate) seed: u64,
    /// Accuracy on held-out training images, which chooses the learning rate.
    pub(crate) validation: Option<f64>,
    pub(crate) id: f64,
    pub(crate) ood: BTreeMap<String, f64>,
    pub(crate) ood_average: f64,
    pub(crate) tuned_parameters: usize,
    pub(crate) seconds: f64,
}

impl Row {
    pub(crate) fn new(method: &str, seed: u64, result: &SuiteResult) -> Self {
        Self {
            method: method.to_owned(),
            lr: None,
            alpha: None,
            seed,
            validation: None,
            id: result.id.evaluation.top1,
            ood: result.ood.iter().map(|set| (set.name.clone(), set.evaluation.top1)).collect(),
            ood_average: result.ood_average,
            tuned_parameters: 0,
            seconds: 0.0,
        }
    }
}

/// Mean and sample standard deviation over the seeds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
}

impl Spread {
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = if values.len() > 1 { (squares / (values.len() - 1) as f64).sqrt() } else { 0.0 };
        Self { mean, deviation }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} ± {:.1}", 100.0 * self.mean, 100.0 * self.deviation)
    }
}
