//! The trainer's settings, shared by all tasks and methods.
//!
//! [`TrainSettings`] is one declaration: keys, types, defaults, ranges and help. A run's values come from layers (defaults, task,
//! method, recipe, the user's file and `--set`), see [`Plan`](crate::plan::Plan); the resolved values are saved in its
//! `config.toml`.

mod check;
mod every;
mod recipe;

use std::sync::Arc;

use radapter_adapter::{AdapterConfig, Alpha};
use radapter_clip::model::Precision;
use radapter_losses::MpmNceConfig;
use radapter_settings::{Facts, OrNone, Spec, schema, settings};
use serde::{Deserialize, Serialize};
use toml::Table;

pub use every::Every;
pub use recipe::Recipe;

use crate::choice;
pub use crate::optimizer::schedule::Decay;
use crate::{ClassTexts, Contrastive, CrossEntropy, Objective, Schedule};

settings! {
    /// Settings of the trainer.
    pub struct TrainSettings {
        /// Fine-tuning method; `radapter methods` lists them.
        pub method: String = Spec::unset(),
        /// Published recipe that supplies the defaults; `auto` takes defaults that scale with the run's length.
        pub recipe: String = Spec::toml("\"auto\""),
        /// Training length in epochs; excludes `steps`.
        pub epochs: Option<u64> = Spec::toml("10").flag("N").at_least(1.0).displaced_by("steps"),
        /// Training length in steps; excludes `epochs`.
        pub steps: Option<u64> = Spec::unset().flag("N").at_least(1.0).displaced_by("epochs"),
        /// Samples per step.
        pub batch_size: usize = Spec::rule("min(64, samples)", |_, facts| (facts.samples.clamp(1, 64) as i64).into()).flag("N").at_least(1.0),
        /// Base learning rate of the schedule.
        pub lr: f64 = Spec::toml("5e-4").flag("LR").above(0.0),
        /// Floor of the cosine schedule, which is added to it: the rate falls from lr + final_lr to final_lr.
        pub final_lr: f64 = Spec::toml("1e-6").at_least(0.0),
        /// Decoupled weight decay of AdamW; one-dimensional parameters are not decayed.
        pub weight_decay: f64 = Spec::toml("0.0").at_least(0.0),
        /// Selective projection decay λ (AdamSPD), instead of weight decay: pulls a tensor back toward its start in steps whose gradient
        /// points there; 0 is AdamW.
        pub spd: f64 = Spec::toml("0.0").at_least(0.0),
        /// Decay rates β of AdamW's moments.
        pub betas: [f64; 2] = Spec::toml("[0.9, 0.999]").below_one(),
        /// ε of AdamW.
        pub eps: f64 = Spec::toml("1e-8").above(0.0),
        /// Warm-up steps.
        pub warmup: u64 = Spec::rule("min(500, N/20) for N steps", |table, facts| ((total_steps(table, facts) / 20).min(500) as i64).into()).at_least(0.0),
        /// Learning-rate schedule after the warm-up.
        pub schedule: Decay = Spec::toml("\"cosine\""),
        /// Gradients are clipped to this global norm.
        pub clip_norm: OrNone<f64> = Spec::toml("1.0").above(0.0),
        /// Random seed of sample order, augmentation, adapter dropping and splits.
        pub seed: u64 = Spec::toml("0").flag("N").at_least(0.0),
        /// Trained parameters: adapters, all weights of the towers that the loss uses, or the image tower's.
        pub tune: Tune = Spec::toml("\"adapters\""),
        /// Rule that chooses α once the run is trained (`radapter sweep --select` has them), or `none`.
        pub alpha_rule: String = Spec::rule("tpgm with alpha = \"auto\", else none", |table, _| match table.get("alpha") {
            Some(toml::Value::String(word)) if word == "auto" => choice::AUTO.into(),
            _ => choice::NONE.into(),
        }),
        /// Weight of the adapters in the merged model, for validation and, unless a rule chooses it, for evaluation and export.
        pub alpha: Alpha = Spec::toml("1.0").from_to(0.0, 1.5).word("auto", "the task's usual while training, then by alpha_rule", |_, facts| facts.alpha.into()),
        /// Decay m of the trained parameters' moving average.
        pub ema: OrNone<f64> = Spec::toml("\"auto\"").below_one().word("auto", "min(0.999, 0.01^(1/N)) for N steps", |table, facts| {
            0.01_f64.powf(1.0 / total_steps(table, facts).max(1) as f64).min(0.999).into()
        }),
        /// Samples per forward pass; splitting a batch changes neither its negatives nor its gradients.
        pub micro_batch: OrNone<usize> = Spec::toml("\"none\"").at_least(1.0),
        /// Keep only the input of each block, and recompute the block in the backward pass.
        pub checkpointing: bool = Spec::toml("false"),
        /// Type of activations and frozen weights; trained parameters and the loss stay f32.
        pub precision: Precision = Spec::toml("\"auto\"").word("auto", "bf16 on a CPU with AMX, else f32", |_, facts| if facts.fast_bf16 { "bf16".into() } else { "f32".into() }),
        /// Steps between saved states; one is also saved after each epoch.
        pub save_every: OrNone<u64> = Spec::toml("500").at_least(1.0),
        /// When to validate: after each epoch, every so many steps, or at the end.
        pub validate_every: Every = Spec::toml("\"epoch\"").at_least(1.0),
        /// Validation metric for selecting the best state and for early stopping.
        pub best: String = Spec::unset(),
        /// Validations without improvement after which training stops.
        pub patience: OrNone<u64> = Spec::toml("\"none\"").at_least(1.0),
        /// State that evaluation and export use: the last, or that of the best validation.
        pub keep: Keep = Spec::rule("best with patience, else last", |table, _| match table.get("patience") {
            Some(toml::Value::Integer(_)) => "best".into(),
            _ => "last".into(),
        }),
        /// Threads that load samples.
        pub workers: usize = Spec::rule("processors, at most 8", |_, _| (default_workers() as i64).into()).at_least(1.0),
        /// Loss function.
        pub loss: LossSettings = Spec::group::<LossSettings>(),
        /// A term beside the loss that keeps the model close to another one.
        pub regularizer: RegularizerSettings = Spec::group::<RegularizerSettings>(),
        /// The first part of LP-FT, in which the classifier is trained alone.
        pub head: HeadSettings = Spec::group::<HeadSettings>(),
        /// Adapters of R-Adapter.
        pub adapter: AdapterConfig = Spec::group::<AdapterConfig>(),
        /// Low-rank updates of LoRA.
        pub lora: LoraSettings = Spec::group::<LoraSettings>(),
        /// Bottlenecks of AdaptFormer.
        pub adaptformer: AdaptFormerSettings = Spec::group::<AdaptFormerSettings>(),
        /// Adapters of RepAdapter.
        pub repadapter: RepAdapterSettings = Spec::group::<RepAdapterSettings>(),
        /// Learned context of CoOp.
        pub coop: CoOpSettings = Spec::group::<CoOpSettings>(),
        /// Prompts of MaPLe.
        pub maple: MapleSettings = Spec::group::<MapleSettings>(),
        /// Logs in addition to `metrics.jsonl`.
        pub log: LogSettings = Spec::group::<LogSettings>(),
    }
}

settings! {
    /// Settings of the loss; which apply depends on `kind`.
    #[derive(Copy)]
    pub struct LossSettings {
        /// Loss function: MPM-NCE, CLIP's InfoNCE, or cross-entropy over a classifier or over the texts of all classes.
        pub kind: LossKind = Spec::toml("\"mpm-nce\""),
        /// Margin: δ of MPM-NCE; with cross-entropy the λ of CLIPood, a margin that is larger for dissimilar classes.
        pub margin: f64 = Spec::rule("0.05 with mpm-nce, else 0", |table, _| match schema::get(table, "loss.kind") {
            Some(toml::Value::String(kind)) if kind == "mpm-nce" => 0.05.into(),
            _ => 0.0.into(),
        }).at_least(0.0),
        /// Label smoothing ε.
        pub smoothing: f64 = Spec::rule("the task's with mpm-nce, else 0", |table, facts| match schema::get(table, "loss.kind") {
            Some(toml::Value::String(kind)) if kind == "mpm-nce" => facts.smoothing.into(),
            _ => 0.0.into(),
        }).below_one(),
        /// Softmax temperature τ.
        pub temperature: f64 = Spec::toml("0.01").above(0.0).word("checkpoint", "the checkpoint's own, exp(-logit_scale)", |_, facts| facts.checkpoint_temperature.into()),
    }
}

settings! {
    /// A term beside the loss, with any method.
    #[derive(Copy)]
    pub struct RegularizerSettings {
        /// Term: logits of random texts as the base model's (Lipsum-FT), embeddings of images with parts of others as the base model's
        /// (Mask-Fill), or similarities within the batch as the moving average's (CaRot).
        pub kind: RegularizerKind = Spec::toml("\"none\""),
        /// Coefficient of the term.
        pub weight: f64 = Spec::rule("0.1 with lipsum, 6 with mask-fill, else 1.5", |table, _| match schema::get(table, "regularizer.kind") {
            Some(toml::Value::String(kind)) if kind == "lipsum" => 0.1.into(),
            Some(toml::Value::String(kind)) if kind == "mask-fill" => 6.0.into(),
            _ => 1.5.into(),
        }).at_least(0.0),
        /// With mask-fill the probability with which a patch is from another image.
        pub mask: f64 = Spec::toml("0.5").from_to(0.0, 1.0),
        /// Coefficient of ‖PᵀP − I‖ of the image projection P, which has an effect where P is trained.
        pub orthogonality: f64 = Spec::toml("0.0").at_least(0.0),
    }
}

settings! {
    /// The part of a run in which the classifier is trained alone.
    #[derive(Copy)]
    pub struct HeadSettings {
        /// Share of the steps; the rest trains everything.
        pub share: f64 = Spec::toml("0.5").below_one(),
        /// Base learning rate of the classifier there.
        pub lr: f64 = Spec::toml("1e-3").above(0.0),
    }
}

settings! {
    /// Logs that a run writes in addition to `metrics.jsonl`.
    #[derive(Copy)]
    pub struct LogSettings {
        /// Write TensorBoard event files into the run's folder.
        pub tensorboard: bool = Spec::toml("false"),
    }
}

/// Trained parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tune {
    /// R-Adapter's adapters; CLIP stays frozen.
    #[default]
    Adapters,
    /// Full fine-tuning: the weights of the towers that the loss uses.
    All,
    /// The image tower's weights; the text tower stays frozen.
    Image,
    /// The classifier alone.
    Head,
}

settings! {
    /// Low-rank updates of the method `lora`.
    #[derive(Copy)]
    pub struct LoraSettings {
        /// Rank r of an update.
        pub rank: usize = Spec::toml("8").at_least(1.0),
        /// Numerator a of the factor a/r of an update.
        pub alpha: f64 = Spec::toml("8.0").above(0.0),
        /// Linears with updates: those of the attention (queries, keys, values and output), or those of the MLP as well.
        pub targets: LoraTargets = Spec::toml("\"attention\""),
        /// Dropout of the updates' inputs.
        pub dropout: f64 = Spec::toml("0.0").below_one(),
    }
}

settings! {
    /// Bottlenecks of the method `adaptformer`.
    #[derive(Copy)]
    pub struct AdaptFormerSettings {
        /// Width of a bottleneck.
        pub rank: usize = Spec::toml("64").at_least(1.0),
        /// Factor s of its output.
        pub scale: f64 = Spec::toml("0.1").above(0.0),
        /// Dropout between the two linears of a bottleneck.
        pub dropout: f64 = Spec::toml("0.1").below_one(),
    }
}

settings! {
    /// Adapters of the method `repadapter`.
    #[derive(Copy)]
    pub struct RepAdapterSettings {
        /// Width between the two linears of an adapter.
        pub rank: usize = Spec::toml("8").at_least(1.0),
        /// Groups of the second linear.
        pub groups: usize = Spec::toml("2").at_least(1.0),
        /// Factor s of the adapter.
        pub scale: f64 = Spec::toml("1.0").above(0.0),
        /// Dropout between the two linears of an adapter.
        pub dropout: f64 = Spec::toml("0.1").below_one(),
    }
}

settings! {
    /// The learned context of the method `coop`.
    #[derive(Copy)]
    pub struct CoOpSettings {
        /// Number of vectors.
        pub tokens: usize = Spec::toml("16").at_least(1.0),
    }
}

settings! {
    /// The prompts of the method `maple`.
    #[derive(Copy)]
    pub struct MapleSettings {
        /// Number of vectors of a block.
        pub tokens: usize = Spec::toml("2").at_least(1.0),
        /// Blocks of each tower with prompts, from the first on; at most as many as both towers have.
        pub depth: usize = Spec::toml("9").at_least(1.0),
    }
}

/// Linears that LoRA updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoraTargets {
    /// The attention's four projections.
    Attention,
    /// The MLP's two linears as well.
    All,
}

/// Term beside the loss, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegularizerKind {
    /// No term.
    None,
    /// The logits of random texts stay those of the base model.
    Lipsum,
    /// The embeddings of images with parts of others stay those of the base model.
    MaskFill,
    /// Similarities within the batch stay those of the model's moving average.
    SelfDistill,
}

/// State that becomes the run's model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// That of the last step.
    #[default]
    Last,
    /// That of the best validation.
    Best,
}

impl Keep {
    /// Returns the setting's value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Best => "best",
        }
    }
}

/// Loss function by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Multi-positive margin NCE.
    MpmNce,
    /// CLIP's own contrastive loss.
    InfoNce,
    /// Cross-entropy over a classifier.
    CrossEntropy,
    /// Cross-entropy over the embeddings of all classes' texts.
    ClassTexts,
}

impl LossKind {
    /// Returns the setting's value.
    pub fn name(self) -> &'static str {
        match self {
            Self::MpmNce => "mpm-nce",
            Self::InfoNce => "info-nce",
            Self::CrossEntropy => "cross-entropy",
            Self::ClassTexts => "class-texts",
        }
    }

    /// Returns the settings of the loss that this kind does not use.
    pub(crate) fn unused(self) -> &'static [&'static str] {
        match self {
            Self::MpmNce | Self::CrossEntropy | Self::ClassTexts => &[],
            Self::InfoNce => &["loss.margin", "loss.smoothing"],
        }
    }
}

impl LossSettings {
    /// Returns the objective that these settings describe.
    pub fn objective(&self) -> Arc<dyn Objective> {
        let Self { kind, margin, smoothing, temperature } = *self;
        match kind {
            LossKind::MpmNce => Arc::new(Contrastive::MpmNce(MpmNceConfig { margin, smoothing, temperature })),
            LossKind::InfoNce => Arc::new(Contrastive::InfoNce { temperature }),
            LossKind::CrossEntropy => Arc::new(CrossEntropy { margin, smoothing, temperature }),
            LossKind::ClassTexts => Arc::new(ClassTexts(CrossEntropy { margin, smoothing, temperature })),
        }
    }
}

impl TrainSettings {
    /// The setting, with its value, by which samples draw masks of their own. They are drawn by a sample's place in its forward pass,
    /// which in a part of a batch is not its place in the batch, so that such a batch cannot be split.
    pub(crate) fn masks_of_samples(&self) -> Option<(&'static str, String)> {
        let Self { adapter, lora, adaptformer, repadapter, .. } = self;
        let own = |method: &str| self.tune == Tune::Adapters && self.method == method;
        if adapter.drop > 0.0 && adapter.drop_mode.is_per_sample() && own("r-adapter") {
            return Some(("adapter.drop_mode", format!("\"{:?}\"", adapter.drop_mode).to_lowercase()));
        }
        let rates = [
            ("r-adapter", "adapter.drop_path", adapter.drop_path),
            ("lora", "lora.dropout", lora.dropout),
            ("adaptformer", "adaptformer.dropout", adaptformer.dropout),
            ("repadapter", "repadapter.dropout", repadapter.dropout),
        ];
        let found = rates.into_iter().find(|&(method, _, rate)| rate > 0.0 && own(method));
        found.map(|(_, key, rate)| (key, rate.to_string()))
    }

    /// Returns the learning-rate schedule of a run, or of a phase, of `steps` steps.
    pub fn schedule(&self, steps: u64) -> Schedule {
        let &Self { lr, final_lr, warmup, schedule: decay, .. } = self;
        Schedule { lr, final_lr, warmup, steps, decay }
    }

    /// Returns the steps per epoch over `samples`: whole batches, or one partial batch if there is no whole one.
    pub fn steps_per_epoch(&self, samples: usize) -> u64 {
        steps_per_epoch(samples, self.batch_size)
    }

    /// Returns the steps of the run over `samples`.
    pub fn total_steps(&self, samples: usize) -> u64 {
        self.steps.unwrap_or_else(|| self.epochs.unwrap_or(0).saturating_mul(self.steps_per_epoch(samples)))
    }
}

fn steps_per_epoch(samples: usize, batch_size: usize) -> u64 {
    (samples / batch_size.max(1)).max(1) as u64
}

/// Steps of the run, for rules; expects `epochs`, `steps` and `batch_size` in the table.
fn total_steps(table: &Table, facts: &Facts) -> u64 {
    let whole =
        |key: &str| table.get(key).and_then(toml::Value::as_integer).and_then(|whole| u64::try_from(whole).ok());
    let batch_size = whole("batch_size").map_or(1, |size| size as usize);
    whole("steps")
        .unwrap_or_else(|| whole("epochs").unwrap_or(0).saturating_mul(steps_per_epoch(facts.samples, batch_size)))
}

fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(8)
}

#[cfg(test)]
pub(crate) mod tests {
    use radapter_settings::{Schema, Settings, SettingsError};

    use super::*;

    /// Resolves the trainer's settings without a task or a registry of methods.
    pub(crate) fn resolve(given: &Settings, samples: usize) -> Result<TrainSettings, SettingsError> {
        let own = Settings::from_toml("method = \"none\"\nbest = \"none\"\nalpha = 0.5", "test")?;
        let facts = Facts { samples, checkpoint_temperature: 0.01, smoothing: 0.0, alpha: 0.5, fast_bf16: false };
        Schema::of::<TrainSettings>().overlay(&[&own, given])?.resolve(&facts).part()
    }
}
