//! Where a step's time goes.

use std::time::Instant;

use serde::{Deserialize, Serialize};

/// Seconds of the parts of a step. On a device that works asynchronously a part has the time of handing over its work, and
/// whatever reads a result first has the time of waiting for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepTimes {
    /// Waiting for decoded and preprocessed samples.
    pub wait: f64,
    /// The image tower, forward. Accumulation over parts of the batch is counted as `backward` as a whole.
    pub images: f64,
    /// The text tower, forward.
    pub texts: f64,
    /// The objective, and reading its value.
    pub loss: f64,
    /// Gradients.
    pub backward: f64,
    /// Norm of the gradients, optimizer and moving average.
    pub optimizer: f64,
}

/// Measures one part after the other.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Seconds since the last lap, or since the start.
    pub(crate) fn lap(&mut self) -> f64 {
        let before = std::mem::replace(&mut self.0, Instant::now());
        (self.0 - before).as_secs_f64()
    }
}
