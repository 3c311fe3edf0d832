//! Progress of a run, for whoever shows it.

/// What happens while a run goes on. `step` is the number of steps done.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are named for what they hold")]
pub enum ProgressEvent {
    /// The first step is about to begin; `done` steps were made in earlier sessions, of `steps` in the whole run.
    Started { done: u64, steps: u64, steps_per_epoch: u64 },
    /// A step is done.
    Step(StepProgress),
    /// A validation begins.
    Validating { step: u64 },
    /// A validation is done: the task's metrics, and whether this is the best so far.
    Validated { step: u64, values: Vec<(String, f64)>, best: bool },
    /// A state was saved.
    Saved { step: u64 },
    /// No further steps: all done, stopped early, interrupted or failed.
    Ended { step: u64 },
}

/// A step's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepProgress {
    /// Steps done.
    pub step: u64,
    /// Steps of the whole run.
    pub steps: u64,
    /// Counted from 1.
    pub epoch: u64,
    /// The objective's value before the step.
    pub loss: f64,
    /// Learning rate.
    pub lr: f64,
    /// Global norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Throughput over the last steps.
    pub samples_per_second: f64,
    /// Estimated time left, without validations.
    pub seconds_left: f64,
}

/// A progress listener. The library itself prints nothing.
pub trait ProgressListener: Send {
    /// Takes an event. It is called on the training thread, in the order in which things happen, and the run waits for it.
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
