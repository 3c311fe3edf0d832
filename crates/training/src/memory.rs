//! What a training step needs of a device's memory at the least: counted before the first step, so that a batch that cannot fit is
//! refused with one that does, instead of failing somewhere on its way.

use radapter_clip::config::ClipConfig;

use crate::config::ResolvedConfig;
use crate::error::TrainError;

/// Bytes of an f32.
const FLOAT: u64 = 4;

/// The needs of one configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Weights, gradients, moments, averages.
    fixed: u64,
    /// Pixels and the activations that are kept, of one image.
    per_sample: u64,
    /// Pixels of one image on the host: a whole batch of them is there at once, however it is cut.
    pixels: u64,
}

impl Needs {
    /// `trained`: parameters that are trained. Texts, whose lengths are not known yet, are left out, so that this is a lower
    /// bound.
    pub(crate) fn of(model: &ClipConfig, config: &ResolvedConfig, trained: usize) -> Self {
        let vision = &model.vision;
        let tokens = 1 + (vision.image_size / vision.patch_size).pow(2);
        let [tokens, width, mlp, blocks] = [tokens, vision.width, vision.mlp_width, vision.layers].map(|n| n as u64);
        let every = config.tune != crate::config::Tune::Adapters;
        // What the operations of a block keep: the inputs of both norms, queries, keys and values, the hidden layer in front of its
        // activation, and the inputs of what is trained.
        let block = match every {
            false => 7 * width + mlp,
            true => 8 * width + 2 * mlp,
        };
        let kept = match config.checkpointing {
            true => blocks * width + block,
            false => blocks * block,
        };
        let pixels = FLOAT * 3 * (vision.image_size as u64).pow(2);
        // Value, gradient, two moments; and the average.
        let copies = if config.ema.value().is_some() { 4 } else { 3 };
        Self {
            fixed: Self::weights(model) + FLOAT * (copies + u64::from(!every)) * trained as u64,
            per_sample: FLOAT * tokens * kept + pixels,
            pixels,
        }
    }

    /// Bytes of a model's weights.
    pub(crate) fn weights(model: &ClipConfig) -> u64 {
        let count = |(_, shape): &(String, Vec<usize>)| shape.iter().product::<usize>() as u64;
        FLOAT * model.expected_tensors().iter().map(count).sum::<u64>()
    }

    /// Of a batch that is run in parts of `part` samples.
    pub(crate) fn bytes(self, batch: usize, part: usize) -> u64 {
        self.fixed + part.min(batch) as u64 * self.per_sample + batch as u64 * self.pixels
    }

    /// The largest part that fits, if one sample does.
    fn fitting(self, batch: usize, available: u64) -> Option<usize> {
        (1..=batch).rev().find(|part| self.bytes(batch, *part) <= available)
    }

    /// Refuses a batch that cannot fit.
    pub(crate) fn check(self, config: &ResolvedConfig, available: u64) -> Result<(), TrainError> {
        let batch = config.batch_size;
        let part = config.micro_batch.value().unwrap_or(batch);
        let needed = self.bytes(batch, part);
        if needed <= available {
            return Ok(());
        }
        let mut advice = Vec::new();
        if let Some(fitting) = self.fitting(batch, available).filter(|fitting| *fitting < part) {
            advice.push(format!("micro_batch = {fitting} fits and gives the same gradients"));
        }
        if !config.checkpointing {
            advice.push("checkpointing = true needs less for each sample".to_owned());
        }
        if advice.is_empty() {
            advice.push("a smaller batch_size, a smaller model, or another device is needed".to_owned());
        }
        Err(TrainError::Memory { part: part.min(batch), needed, available, advice: advice.join("; ") })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::config::{Situation, TaskDefaults, TrainConfig};

    fn resolved(settings: TrainConfig) -> ResolvedConfig {
        let task = TaskDefaults {
            alpha: 0.5,
            adapters_loss: crate::config::LossKind::MpmNce,
            all_loss: crate::config::LossKind::InfoNce,
            margin: 0.0,
            smoothing: 0.0,
            best: "none".to_owned(),
        };
        settings.resolve(&Situation { samples: 10_000, checkpoint_temperature: 0.01, task: &task }).unwrap().config
    }

    fn settings(batch: usize, part: Option<usize>, checkpointing: bool) -> ResolvedConfig {
        resolved(TrainConfig {
            batch_size: Some(batch),
            micro_batch: Some(part.map_or(crate::config::OrNone::None, crate::config::OrNone::Some)),
            checkpointing: Some(checkpointing),
            ..TrainConfig::default()
        })
    }

    const GIB: u64 = 1 << 30;

    #[test]
    fn vit_b_32_at_batch_32_needs_what_was_measured() {
        let model = ClipConfig::preset("ViT-B-32-quickgelu").unwrap();
        let needs = Needs::of(&model, &settings(32, None, false), 20_447_280);
        // `cargo xtask bench --one --part image` measured 1.5 GiB.
        let gib = needs.bytes(32, 32) as f64 / GIB as f64;
        assert!((1.2..1.8).contains(&gib), "{gib}");
    }

    #[test]
    fn what_does_not_fit_is_told_what_does() {
        let model = ClipConfig::preset("ViT-L-14").unwrap();
        let whole = settings(512, None, false);
        let needs = Needs::of(&model, &whole, 64_487_424);
        let error = needs.check(&whole, 16 * GIB).unwrap_err().to_string();
        for part in ["512 samples", "16.0 GiB", "micro_batch = ", "checkpointing"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let fitting = needs.fitting(512, 16 * GIB).unwrap();
        assert!(needs.check(&settings(512, Some(fitting), false), 16 * GIB).is_ok());
        assert!(needs.check(&settings(512, Some(fitting + 1), false), 16 * GIB).is_err());

        let blocks = Needs::of(&model, &settings(512, None, true), 64_487_424);
        assert!(blocks.per_sample * 3 < needs.per_sample);
        let error = needs.check(&whole, GIB / 2).unwrap_err().to_string();
        assert!(!error.contains("micro_batch"), "not even one sample fits: {error}");
    }
}
