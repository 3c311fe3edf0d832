//! Outcome of a run and `report.json`.

use serde::{Deserialize, Serialize};

/// How a call of [`train`](crate::train()) or [`resume`](crate::resume) ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All steps are done, or early stopping ended the run.
    Finished(Report),
    /// The run was asked to stop and can be resumed.
    Interrupted {
        /// Steps done and saved.
        step: u64,
    },
}

/// Summary of a finished run: `report.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Report {
    /// Steps done.
    pub steps: u64,
    pub steps_per_epoch: u64,
    /// Whether early stopping ended the run.
    pub stopped_early: bool,
    /// Seconds spent on steps, validations and saving, over all sessions.
    pub seconds: f64,
    /// The part of `seconds` that was spent on steps.
    #[serde(default)]
    pub step_seconds: f64,
    /// Average over `step_seconds`.
    pub samples_per_second: f64,
    /// Number of trained parameters.
    pub tuned_parameters: usize,
    /// `None` without validation.
    pub best: Option<Best>,
    pub final_loss: Option<f64>,
    /// Peak resident memory of the process in the last session, where the system reports it.
    pub peak_memory_bytes: Option<u64>,
}

/// Best validation of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Best {
    /// The metric that `best` selects.
    pub metric: String,
    pub value: f64,
    /// Steps done.
    pub step: u64,
    /// The metric of the base model, if it was measured.
    #[serde(default)]
    pub base: Option<f64>,
    /// The metric of the weights that the run started from, if they are those of another run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<f64>,
    /// Number of samples that the metric is a mean over, if [`Validator::samples`](crate::Validator::samples) knows it.
    #[serde(default)]
    pub samples: Option<u64>,
}

/// Returns the peak resident memory of this process in bytes.
pub(crate) fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
