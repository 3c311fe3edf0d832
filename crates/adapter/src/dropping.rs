//! Adapter dropping: stochastic depth for adapters.

use radapter_clip::model::{Place, Rows};
use serde::{Deserialize, Serialize};

use crate::AdapterError;
use crate::draws::{Purpose, stream, uniform};

/// The unit of dropping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DropMode {
    /// The whole adapter, as in the paper. A dropped adapter costs no computation.
    #[default]
    Adapter,
    /// The adapter for each sample independently.
    Sample,
    /// The adapter for each token position, in all samples alike, as in the published code.
    Token,
}

/// `γ/(1−p)` with γ ~ Bernoulli(1−p), drawn anew in each training step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropping {
    probability: f64,
    mode: DropMode,
}

/// The outcome for an adapter in one pass.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Draw {
    /// Its output is not needed.
    Dropped,
    /// Its output is multiplied by this.
    Kept(f64),
    /// Each row of its output is multiplied by its number.
    Rows(Vec<f32>),
}

impl Dropping {
    /// No dropping.
    pub const NEVER: Self = Self { probability: 0.0, mode: DropMode::Adapter };

    /// Creates dropping with probability p.
    ///
    /// # Errors
    /// [`AdapterError::Setting`] for a probability outside `[0, 1)`: at 1 nothing would be trained.
    pub fn new(probability: f64, mode: DropMode) -> Result<Self, AdapterError> {
        if (0.0..1.0).contains(&probability) {
            return Ok(Self { probability, mode });
        }
        Err(AdapterError::Setting {
            key: "adapter.drop",
            found: probability.to_string(),
            expected: "a probability of at least 0 and below 1".to_owned(),
        })
    }

    /// Returns the probability p.
    pub fn probability(&self) -> f64 {
        self.probability
    }

    /// The unit of dropping.
    pub fn mode(&self) -> DropMode {
        self.mode
    }

    /// Draws γ/(1−p) as a function of seed, step and place, and of the sample or token position.
    ///
    /// The numbers of samples and positions come in order from one stream, so that the first of them do not depend on how
    /// many there are: a text's draw is the same whatever the longest text of its batch.
    pub(crate) fn draw(&self, seed: u64, step: u64, place: Place, rows: Rows) -> Draw {
        if self.probability == 0.0 {
            return Draw::Kept(1.0);
        }
        let mut rng = stream(Purpose::Dropping, seed, step, place);
        let kept = 1.0 / (1.0 - self.probability);
        let mut next = || if uniform(&mut rng) < self.probability { 0.0 } else { kept };
        let factors: Vec<f32> = match self.mode {
            DropMode::Adapter => {
                return match next() {
                    0.0 => Draw::Dropped,
                    factor => Draw::Kept(factor),
                };
            }
            DropMode::Sample => (0..rows.batch).flat_map(|_| std::iter::repeat_n(next() as f32, rows.tokens)).collect(),
            DropMode::Token => {
                let position: Vec<f32> = (0..rows.tokens).map(|_| next() as f32).collect();
                position.repeat(rows.batch)
            }
        };
        match factors.iter().any(|factor| *factor != 0.0) {
            true => Draw::Rows(factors),
            false => Draw::Dropped,
        }
    }
}
