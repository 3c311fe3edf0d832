//! Progress events of a run.

/// Progress of a run. `step` is the number of steps done.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub enum ProgressEvent {
    /// The first step is about to start; earlier sessions did `done` of the run's `steps`.
    Started { done: u64, steps: u64, steps_per_epoch: u64 },
    /// A step is done.
    Step(StepProgress),
    /// A validation is about to start; that of step 0 measures the base model, or the weights that the run starts from.
    Validating { step: u64 },
    /// A validation ended, with the task's metrics; `best` if it is the best so far by `metric`. `base` has the metrics of the base
    /// model, and is empty for the base itself and where it was not measured; at step 0 with `base`, the weights of another run that
    /// the run starts from were measured.
    Validated { step: u64, values: Vec<(String, f64)>, best: bool, base: Vec<(String, f64)>, metric: String },
    /// A state was saved.
    Saved { step: u64 },
    /// Training ended: complete, stopped early, interrupted or failed.
    Ended { step: u64 },
}

/// Numbers of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct StepProgress {
    /// Steps done, in all sessions.
    pub step: u64,
    /// Total steps of the run.
    pub steps: u64,
    /// Counted from 1.
    pub epoch: u64,
    /// Loss, before the update.
    pub loss: f64,
    pub lr: f64,
    /// Global norm of the gradient, before clipping.
    pub grad_norm: f64,
    /// Averaged over the last steps.
    pub samples_per_second: f64,
    /// Estimated, without validations.
    pub seconds_left: f64,
}

/// A progress listener. The library itself prints nothing.
pub trait ProgressListener: Send {
    /// Takes an event. It is called on the training thread, in order, and the run waits for it.
    fn event(&mut self, event: &ProgressEvent);
}

impl<F: FnMut(&ProgressEvent) + Send> ProgressListener for F {
    fn event(&mut self, event: &ProgressEvent) {
        self(event);
    }
}

/// Ignores progress.
#[derive(Clone, Copy, Debug, Default)]
pub struct IgnoreProgress;

impl ProgressListener for IgnoreProgress {
    fn event(&mut self, _event: &ProgressEvent) {}
}
