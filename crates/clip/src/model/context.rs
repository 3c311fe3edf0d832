/// What a forward pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Evaluation: nothing is random.
    Inference,
    /// Training: whatever is random draws from `seed` and `step`, so that every pass of one step, and the same step of a
    /// resumed run, draws the same.
    Training {
        /// The run's seed.
        seed: u64,
        /// The optimizer step, counted from 0.
        step: u64,
    },
}

/// The argument of every forward pass. It carries what would otherwise hide in module state or in a device's random
/// generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Training or inference.
    pub mode: Mode,
}

impl Context {
    /// Evaluation.
    pub const fn inference() -> Self {
        Self { mode: Mode::Inference }
    }

    /// One training step of a run.
    pub const fn training(seed: u64, step: u64) -> Self {
        Self { mode: Mode::Training { seed, step } }
    }
}

/// How the rows of an activation `[batch · tokens, width]` are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Samples.
    pub batch: usize,
    /// Token positions of each sample.
    pub tokens: usize,
}
