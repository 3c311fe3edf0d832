//! Starts and resumes runs.

use crate::error::TrainError;
use crate::method::Method;
use crate::run::report::Outcome;
use crate::run::run_dir::RunDir;
use crate::setup::Setup;
use crate::start::{Begin, Start};
use crate::state::saved;

/// Starts a run in a new folder, and trains until it is complete or interrupted.
///
/// # Errors
/// [`TrainError`]. States saved before can be [resumed](resume).
pub fn train(method: &dyn Method, setup: Setup) -> Result<Outcome, TrainError> {
    setup.check()?;
    method.train(Start { setup, begin: Begin::New })
}

/// Continues the run in a folder, from its newest state or that of step `from_step`. The setup must be made from the run's own
/// [record](RunDir::record).
///
/// # Errors
/// [`TrainError::NoRun`], [`TrainError::Contradiction`] if the setup differs from the run's,
/// [`TrainError::OtherArithmetic`] for another unit, [`TrainError::State`] if the state is
/// missing or damaged, and those of [`train`].
pub fn resume(method: &dyn Method, setup: Setup, from_step: Option<u64>) -> Result<Outcome, TrainError> {
    let run = RunDir::open(&setup.options.run_dir)?;
    let record = run.record()?;
    let now = setup.record();
    record.check_same(&now)?;
    let step = saved::chosen(&run.states(), from_step)?;
    let differs = record.check_unit(&now, step, setup.options.allow_other_arithmetic)?;
    setup.check()?;
    // From here on, no other process may train it.
    let lock = run.lock()?;
    let has_start = record.from.is_some();
    method.train(Start { setup, begin: Begin::Resume { run, lock, from_step, has_start, differs } })
}
