//! A run's settings: what a user may say, what it is resolved to, and where it comes from.
//!
//! [`TrainConfig`] is what a TOML file and `--set key=value` say, every key optional. [`TrainConfig::resolve`] fills in
//! defaults that follow the run's length, and gives a [`ResolvedConfig`] in which every value is concrete; that is what the
//! run directory records. A resolved config reads as a [`TrainConfig`] again, so a run's `config.toml` can start another.

mod choice;
mod error;
mod fields;
mod near;
mod recipe;
mod resolve;
mod settings;

use radapter_adapter::{AdapterConfig, DropMode};
use radapter_clip::model::Precision;
use radapter_losses::MpmNceConfig;
use serde::{Deserialize, Serialize};

pub use choice::{Ema, Every, OrNone, Temperature};
pub use error::ConfigError;
pub use recipe::Recipe;
pub use resolve::{Resolved, Situation, TaskDefaults};
pub use settings::{Settings, contradiction};

pub use crate::optimizer::schedule::Decay;

/// What a user says. A key that is absent gets the recipe's value, else a default that follows the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Where defaults come from.
    pub recipe: Option<Recipe>,
    /// Length in epochs; this or `steps`.
    pub epochs: Option<u64>,
    /// Length in steps; this or `epochs`.
    pub steps: Option<u64>,
    /// Samples of a step; min(64, set) by default.
    pub batch_size: Option<usize>,
    /// Base learning rate; 5e-4 for adapters, 3e-5 for all weights.
    pub lr: Option<f64>,
    /// Floor of the cosine; 1e-6.
    pub final_lr: Option<f64>,
    /// AdamW's decoupled weight decay, not on parameters of one axis; 0 for adapters, 0.1 for all weights.
    pub weight_decay: Option<f64>,
    /// AdamW's β; 0.9 and 0.999.
    pub betas: Option<[f64; 2]>,
    /// AdamW's ε; 1e-8.
    pub eps: Option<f64>,
    /// Warm-up steps; min(500, N/20).
    pub warmup: Option<u64>,
    /// What follows the warm-up; cosine.
    pub schedule: Option<Decay>,
    /// Largest global norm of a gradient; 1.
    pub clip_norm: Option<OrNone<f64>>,
    /// Seed of everything random; 0.
    pub seed: Option<u64>,
    /// What is trained; adapters.
    pub tune: Option<Tune>,
    /// Share of the adapters in the merged model, in validation and by default in export; 1 without adapters.
    pub alpha: Option<f64>,
    /// Moving average of the trained parameters; `auto` = min(0.999, 0.01^(1/N)) for adapters, none for all weights.
    pub ema: Option<Ema>,
    /// Samples that are run at once, if fewer than the batch: cached accumulation, which keeps the negatives.
    pub micro_batch: Option<OrNone<usize>>,
    /// Keep the input of each block alone, and compute the block again in the backward pass; false.
    pub checkpointing: Option<bool>,
    /// The type of activations and frozen weights; f32. What is trained, and the loss, stay f32.
    pub precision: Option<Precision>,
    /// Steps between saved states, besides one for each epoch; 500.
    pub save_every: Option<OrNone<u64>>,
    /// When to validate; each epoch.
    pub validate_every: Option<Every>,
    /// The validation metric that chooses the best and stops early.
    pub best: Option<String>,
    /// Validations without a new best after which the run stops.
    pub patience: Option<OrNone<u64>>,
    /// Which state evaluation and export use: the last, which is the method's, or the best validation's. `last`; `best` with
    /// early stopping.
    pub keep: Option<Keep>,
    /// Threads that load samples; as many as processors, at most 8.
    pub workers: Option<usize>,
    /// The loss.
    pub loss: LossSettings,
    /// The adapters.
    pub adapter: Option<toml::Table>,
}

/// What is trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tune {
    /// R-Adapter's adapters; CLIP stays frozen.
    #[default]
    Adapters,
    /// The weights of the towers that the loss uses, without adapters: full fine-tuning.
    All,
    /// The image tower's weights, without adapters; texts stay where they are, as OVSeg fine-tunes CLIP.
    Image,
}

/// Which of a run's states its model is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// The last step's.
    #[default]
    Last,
    /// The best validation's.
    Best,
}

impl Keep {
    /// The setting's value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Best => "best",
        }
    }
}

/// What a user says of the loss.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossSettings {
    /// Which loss.
    pub kind: Option<LossKind>,
    /// δ of MPM-NCE.
    pub margin: Option<f64>,
    /// ε, label smoothing.
    pub smoothing: Option<f64>,
    /// τ; 0.01.
    pub temperature: Option<Temperature>,
}

/// A loss by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Multi-positive margin NCE.
    MpmNce,
    /// CLIP's own contrastive loss.
    InfoNce,
    /// Cross-entropy over a classifier.
    CrossEntropy,
}

/// A run's settings, every value concrete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each key is documented at TrainConfig")]
pub struct ResolvedConfig {
    pub recipe: Recipe,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub epochs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub steps: Option<u64>,
    pub batch_size: usize,
    pub lr: f64,
    pub final_lr: f64,
    pub weight_decay: f64,
    pub betas: [f64; 2],
    pub eps: f64,
    pub warmup: u64,
    pub schedule: Decay,
    pub clip_norm: OrNone<f64>,
    pub seed: u64,
    pub tune: Tune,
    pub alpha: f64,
    pub ema: OrNone<f64>,
    pub micro_batch: OrNone<usize>,
    pub checkpointing: bool,
    #[serde(default)]
    pub precision: Precision,
    pub save_every: OrNone<u64>,
    pub validate_every: Every,
    pub best: String,
    pub patience: OrNone<u64>,
    #[serde(default)]
    pub keep: Keep,
    pub workers: usize,
    pub loss: LossConfig,
    pub adapter: AdapterConfig,
}

/// The loss's settings, concrete. A loss takes those it knows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each key is documented at LossSettings")]
pub struct LossConfig {
    pub kind: LossKind,
    pub margin: f64,
    pub smoothing: f64,
    pub temperature: f64,
}

impl LossConfig {
    /// The objective these settings describe.
    pub fn objective(&self) -> std::sync::Arc<dyn crate::Objective> {
        let Self { kind, margin, smoothing, temperature } = *self;
        match kind {
            LossKind::MpmNce => {
                std::sync::Arc::new(crate::Contrastive::MpmNce(MpmNceConfig { margin, smoothing, temperature }))
            }
            LossKind::InfoNce => std::sync::Arc::new(crate::Contrastive::InfoNce { temperature }),
            LossKind::CrossEntropy => std::sync::Arc::new(crate::CrossEntropy { smoothing, temperature }),
        }
    }
}

impl ResolvedConfig {
    /// Whether a batch may be run in parts: samples are told apart by their place in what is run at once, which in a part is not
    /// their place in the batch.
    pub(crate) fn adapter_draws_fit_parts(&self) -> bool {
        let adapter = &self.adapter;
        self.tune != Tune::Adapters || adapter.drop == 0.0 || adapter.drop_mode != DropMode::Sample
    }

    /// Steps of an epoch over `samples`: whole batches, or one partial batch if there is no whole one.
    pub fn steps_per_epoch(&self, samples: usize) -> u64 {
        (samples / self.batch_size.max(1)).max(1) as u64
    }

    /// Steps of the run over `samples`.
    pub fn total_steps(&self, samples: usize) -> u64 {
        match (self.steps, self.epochs) {
            (Some(steps), _) => steps,
            (None, epochs) => epochs.unwrap_or(0) * self.steps_per_epoch(samples),
        }
    }
}
