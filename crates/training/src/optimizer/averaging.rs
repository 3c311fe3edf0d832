//! Moving average of the trained parameters: `W̃ ← m·W̃ + (1−m)·W` after each step, from `W̃ = W` before the first.

use std::fmt;
use std::sync::Arc;

/// Moving average, by its decay m at each step.
#[derive(Clone)]
pub struct Averaging {
    decay_at: Arc<dyn Fn(u64) -> f64 + Send + Sync>,
    only_teaches: bool,
}

impl Averaging {
    /// Creates an exponential moving average, with the same m at each step.
    pub fn exponential(decay: f64) -> Self {
        Self::new(move |_| decay)
    }

    /// Creates an average whose m is a function of the step, counted from 1.
    pub fn new(decay_at: impl Fn(u64) -> f64 + Send + Sync + 'static) -> Self {
        Self { decay_at: Arc::new(decay_at), only_teaches: false }
    }

    /// Keeps the average for the teacher: evaluated are the trained parameters themselves.
    #[must_use]
    pub fn only_for_teacher(self) -> Self {
        Self { only_teaches: true, ..self }
    }

    pub(crate) fn is_evaluated(&self) -> bool {
        !self.only_teaches
    }

    /// Returns the m of a step, counted from 1.
    pub fn decay_at(&self, step: u64) -> f64 {
        (self.decay_at)(step)
    }
}

impl fmt::Debug for Averaging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Averaging").finish_non_exhaustive()
    }
}
