//! Options of a run that are not settings: folder, devices, progress, interruption.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use radapter_datasets::on_error::Skipped;
use radapter_files::{Disk, Storage};
use radapter_images::PixelCache;

use super::report::Outcome;
use crate::progress::{IgnoreProgress, ProgressListener};

/// Returns the free bytes of a device, or `None` if the system does not report them.
pub type FreeMemory = fn() -> Option<u64>;

/// Options of a run that do not affect its result, except for the devices' rounding.
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct RunOptions {
    pub run_dir: PathBuf,
    /// Without autodiff.
    pub device: Device,
    /// Devices that share each batch, including `device`; empty for `device` alone.
    pub devices: Vec<Device>,
    /// Reports the device's free memory: a batch that cannot fit is refused before the first step.
    pub memory: Option<FreeMemory>,
    /// Keeps decoded images for later epochs.
    pub pixel_cache: Option<PixelCache>,
    pub progress: Box<dyn ProgressListener>,
    /// Stops the run after the current step, with its state saved, when set to true.
    pub interrupt: Arc<AtomicBool>,
    /// Resumes a run of bf16 on another unit than before, which is recorded; refused otherwise.
    pub allow_other_arithmetic: bool,
    /// Where the run's files are written; tests let it fail.
    pub storage: Arc<dyn Storage>,
}

impl RunOptions {
    /// Creates options that ignore progress and never interrupt.
    pub fn new(run_dir: impl Into<PathBuf>, device: Device) -> Self {
        Self {
            run_dir: run_dir.into(),
            device,
            devices: Vec::new(),
            memory: None,
            pixel_cache: None,
            progress: Box::new(IgnoreProgress),
            interrupt: Arc::default(),
            allow_other_arithmetic: false,
            storage: Arc::new(Disk),
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainOutcome {
    /// Finished, or interrupted and resumable.
    pub outcome: Outcome,
    /// Unreadable training images that this session skipped.
    pub skipped: Vec<Skipped>,
}
