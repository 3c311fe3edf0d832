/// What a run tells while it goes on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ProgressEvent {
    /// The first step is about to begin.
    Started {
        /// Steps done already, in earlier sessions.
        done: u64,
        /// Steps of the whole run.
        steps: u64,
        /// Steps of an epoch.
        steps_per_epoch: u64,
    },
    /// A step is done.
    Step(StepProgress),
    /// A validation begins.
    Validating {
        /// Steps done.
        step: u64,
    },
    /// A validation is done.
    Validated {
        /// Steps done.
        step: u64,
        /// The task's measures.
        values: Vec<(String, f64)>,
        /// Whether this is the best so far.
        best: bool,
    },
    /// A state was saved.
    Saved {
        /// Steps done.
        step: u64,
    },
    /// No further steps: all done, stopped early, interrupted or failed.
    Ended {
        /// Steps done.
        step: u64,
    },
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
    /// Estimated time left, validations not counted.
    pub seconds_left: f64,
}

/// Who is told. The library itself prints nothing.
pub trait Progress: Send {
    /// Takes an event; called from burn-train's event thread as well as from the training thread, never from two at once.
    fn event(&mut self, event: &ProgressEvent);
}

impl<F: FnMut(&ProgressEvent) + Send> Progress for F {
    fn event(&mut self, event: &ProgressEvent) {
        self(event);
    }
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&mut self, _event: &ProgressEvent) {}
}
