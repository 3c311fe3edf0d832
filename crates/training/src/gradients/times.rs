//! Timing of a step's parts.

use std::time::Instant;

use serde::{Deserialize, Serialize};

/// Seconds spent in the parts of a step. An asynchronous device counts the submission of work in the part that submits it, and
/// the wait for results in the part that first reads one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepTimes {
    /// Waiting for decoded and preprocessed samples.
    pub wait: f64,
    /// Forward pass of the image tower. With `micro_batch` both passes count as `backward`.
    pub images: f64,
    /// Forward pass of the text tower.
    pub texts: f64,
    /// Objective, including the read of its value.
    pub loss: f64,
    /// Backward pass.
    pub backward: f64,
    /// Gradient norm, optimizer step and moving average.
    pub optimizer: f64,
}

/// Measures consecutive parts.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the seconds since the last lap, or since the start.
    pub(crate) fn lap(&mut self) -> f64 {
        let before = std::mem::replace(&mut self.0, Instant::now());
        (self.0 - before).as_secs_f64()
    }
}
