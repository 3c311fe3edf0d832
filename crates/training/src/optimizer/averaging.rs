//! The moving average of the trained parameters: `W̃ ← m·W̃ + (1−m)·W` after each step, from `W̃ = W` before the first.

/// An exponential moving average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Averaging {
    /// m.
    pub(crate) decay: f64,
}

impl Averaging {
    /// The decay that step `step` uses, counted from 1.
    pub(crate) fn decay_at(self, _step: u64) -> f64 {
        self.decay
    }
}
