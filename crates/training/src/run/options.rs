//! Where and how a plan is carried out.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use radapter_datasets::on_error::Skipped;
use radapter_images::PixelCache;

use super::report::Outcome;
use crate::progress::{IgnoreProgress, ProgressListener};

/// Returns the bytes that are free on a device, where the system reports them.
pub type FreeMemory = fn() -> Option<u64>;

/// Where and how a task's plan is carried out.
#[allow(missing_docs, reason = "names say what is not documented")]
pub struct RunOptions {
    pub run_dir: PathBuf,
    /// The device, without autodiff.
    pub device: Device,
    /// More devices than that one: all that share each batch, `device` among them. Empty where it has all of it.
    pub devices: Vec<Device>,
    /// Tells how many bytes are free on the device: a batch that cannot fit is refused before the first step.
    pub memory: Option<FreeMemory>,
    /// Where decoded images are kept for the next epoch.
    pub pixel_cache: Option<PixelCache>,
    pub progress: Box<dyn ProgressListener>,
    /// Set to true from anywhere, it ends the run after the current step, with its state saved.
    pub interrupt: Arc<AtomicBool>,
}

impl RunOptions {
    /// A run that ignores progress and is never interrupted.
    pub fn new(run_dir: impl Into<PathBuf>, device: Device) -> Self {
        Self {
            run_dir: run_dir.into(),
            device,
            devices: Vec::new(),
            memory: None,
            pixel_cache: None,
            progress: Box::new(IgnoreProgress),
            interrupt: Arc::default(),
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainOutcome {
    /// Finished, or interrupted and ready to be resumed.
    pub outcome: Outcome,
    /// Training images that could not be read and were left out, in this session.
    pub skipped: Vec<Skipped>,
}
