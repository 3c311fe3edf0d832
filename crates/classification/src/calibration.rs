//! Confidence of a classifier: the expected calibration error at the checkpoint's temperature and at one that fits the data.

pub use radapter_losses::calibration::{BINS, Bins, CalibrationError, LabelledLogits, confidence};
use serde::{Deserialize, Serialize};

/// Softmax temperatures of a classifier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Temperatures {
    /// The checkpoint's own: exp(−logit_scale).
    pub model: f64,
    /// The best one on validation images, if it is known.
    pub calibrated: Option<f64>,
}

/// Expected calibration errors as fractions, with the temperatures that they are measured at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    /// The checkpoint's temperature.
    pub temperature: f64,
    /// Error at the checkpoint's temperature.
    pub ece: f64,
    /// The calibrated temperature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_calibrated: Option<f64>,
    /// Error at the calibrated temperature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ece_calibrated: Option<f64>,
}

/// Measures [`Confidence`], image by image.
#[derive(Clone, Debug)]
pub(crate) struct Reliability {
    temperatures: Temperatures,
    model: Bins,
    calibrated: Bins,
}

impl Reliability {
    pub(crate) fn new(temperatures: Temperatures) -> Self {
        Self { temperatures, model: Bins::default(), calibrated: Bins::default() }
    }

    pub(crate) fn add(&mut self, logits: &[f32], right: bool) {
        self.model.add(confidence(logits, 1.0 / self.temperatures.model), right);
        if let Some(temperature) = self.temperatures.calibrated {
            self.calibrated.add(confidence(logits, 1.0 / temperature), right);
        }
    }

    pub(crate) fn finish(self) -> Confidence {
        let Temperatures { model, calibrated } = self.temperatures;
        Confidence {
            temperature: model,
            ece: self.model.error(),
            temperature_calibrated: calibrated,
            ece_calibrated: calibrated.map(|_| self.calibrated.error()),
        }
    }
}
