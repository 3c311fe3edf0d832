//! Adapter dropping: stochastic depth for adapters; and dropout and drop-path, which it is compared with.

use burn::tensor::{Tensor, TensorData};
use radapter_clip::model::{At, Mode, Place, Rows};
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
    /// Each element of the adapter's input: dropout (Srivastava et al., JMLR 2014), for comparison.
    Element,
}

impl DropMode {
    /// Whether samples have draws of their own.
    pub fn is_per_sample(self) -> bool {
        matches!(self, Self::Sample | Self::Element)
    }
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
    /// Each row of its output is multiplied by its number; with as many numbers as elements, each element of its input by its own.
    Rows(Vec<f32>),
}

impl Dropping {
    /// No dropping.
    pub const NEVER: Self = Self { probability: 0.0, mode: DropMode::Adapter };

    /// Creates dropping with probability p, the value of the setting `key`.
    ///
    /// # Errors
    /// [`AdapterError::Setting`] for a probability outside `[0, 1)`: at 1 nothing would be trained.
    pub fn new(key: &'static str, probability: f64, mode: DropMode) -> Result<Self, AdapterError> {
        if (0.0..1.0).contains(&probability) {
            return Ok(Self { probability, mode });
        }
        Err(AdapterError::Setting {
            key,
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
    /// many there are: a text's draw is the same whatever the longest text of its batch. Those of elements come row by row.
    pub(crate) fn draw(&self, purpose: Purpose, seed: u64, step: u64, place: Place, rows: Rows, width: usize) -> Draw {
        if self.probability == 0.0 {
            return Draw::Kept(1.0);
        }
        let mut rng = stream(purpose, seed, step, place);
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
            DropMode::Element => (0..rows.batch * rows.tokens * width).map(|_| next() as f32).collect(),
        };
        match factors.iter().any(|factor| *factor != 0.0) {
            true => Draw::Rows(factors),
            false => Draw::Dropped,
        }
    }

    /// Whether it acts in this mode.
    pub(crate) fn draws(&self, mode: Mode) -> bool {
        matches!(mode, Mode::Training { .. }) && self.probability > 0.0
    }

    /// Whether it acts in this mode, on each sample differently.
    pub fn is_per_sample(&self, mode: Mode) -> bool {
        self.draws(mode) && self.mode.is_per_sample()
    }

    /// Multiplies activations by γ/(1−p) in training, for dropout within a module.
    ///
    /// # Shapes
    /// `[batch · tokens, width]` → `[batch · tokens, width]`
    pub fn apply(&self, x: Tensor<2>, at: At<'_>) -> Tensor<2> {
        self.act(Purpose::Dropping, x, at)
    }

    /// Multiplies activations by the factors that are drawn for a purpose.
    pub(crate) fn act(&self, purpose: Purpose, x: Tensor<2>, At { place, rows, context }: At<'_>) -> Tensor<2> {
        let Mode::Training { seed, step } = context.mode else { return x };
        let [_, width] = x.dims();
        match self.draw(purpose, seed, step, place, rows, width) {
            Draw::Dropped => x.zeros_like(),
            Draw::Kept(1.0) => x,
            Draw::Kept(factor) => x.mul_scalar(factor),
            Draw::Rows(factors) => x.clone() * mask(factors, rows, &x),
        }
    }
}

/// Factors of rows `[rows, 1]` or of elements `[rows, width]` as a tensor, on the device and in the type of `like`.
pub(crate) fn mask(factors: Vec<f32>, rows: Rows, like: &Tensor<2>) -> Tensor<2> {
    let count = rows.batch * rows.tokens;
    let shape = [count, factors.len() / count];
    Tensor::from_data(TensorData::new(factors, shape), (&like.device(), like.dtype()))
}
