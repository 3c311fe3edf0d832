//! Lower bound of the device memory for a training step, computed before the first step: a batch that cannot fit is
//! refused with an error that suggests one that does.

use radapter_clip::config::ClipConfig;
use radapter_clip::model::Precision;

use crate::config::{TrainSettings, Tune};
use crate::error::TrainError;
use crate::state::tensor_file::Named;

/// Bytes of an f32.
const FLOAT: u64 = 4;

/// Returns the bytes of an activation.
fn activation(precision: Precision) -> u64 {
    match precision {
        Precision::F32 => FLOAT,
        Precision::Bf16 | Precision::F16 => FLOAT / 2,
    }
}

/// Memory needs of a configuration, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Weights, gradients, moments, averages.
    fixed: u64,
    /// Pixels and stored activations of an image.
    per_sample: u64,
    /// Pixels of an image on the host, which holds a whole batch even if it runs in parts.
    pixels: u64,
}

impl Needs {
    /// Estimates the needs; `trained` are the trained parameters by name. A lower bound: it excludes texts, whose lengths are not
    /// known yet, and everything below the first trained block of the image tower.
    pub(crate) fn of(model: &ClipConfig, config: &TrainSettings, trained: &Named) -> Self {
        let vision = &model.vision;
        let every = config.tune != Tune::Adapters;
        let first = match every {
            true => trained.keys().any(|key| key.starts_with("visual.")).then_some(0),
            false => {
                trained.keys().filter_map(|key| key.strip_prefix("visual.")?.split('.').next()?.parse().ok()).min()
            }
        };
        let tokens = 1 + (vision.image_size / vision.patch_size).pow(2);
        let blocks = first.map_or(0, |first: usize| vision.layers.saturating_sub(first));
        let [tokens, width, mlp, blocks] = [tokens, vision.width, vision.mlp_width, blocks].map(|n| n as u64);
        // The operations of a block keep the inputs of both norms, queries, keys and values, the hidden layer before its
        // activation, and the inputs of what is trained. The last block keeps little more than keys and values of all tokens.
        let block = if every { 8 * width + 2 * mlp } else { 7 * width + mlp };
        let kept = match (blocks, config.checkpointing) {
            (0, _) => 0,
            (blocks, false) => (blocks - 1) * block + 3 * width,
            (blocks, true) => blocks * width + block,
        };
        let pixels = FLOAT * 3 * (vision.image_size as u64).pow(2);
        // Value, gradient, two moments; the average, and the start for selective projection decay. The values of trained CLIP weights are counted as weights.
        let copies = 3 + u64::from(config.ema.value().is_some()) + u64::from(!every) + u64::from(config.spd > 0.0);
        let count: usize = trained.values().map(|flat| flat.shape.iter().product::<usize>()).sum();
        Self {
            fixed: Self::weights(model) + FLOAT * copies * count as u64,
            per_sample: activation(config.precision) * tokens * kept + pixels,
            pixels,
        }
    }

    /// Returns the bytes of a model's weights.
    pub(crate) fn weights(model: &ClipConfig) -> u64 {
        let count = |(_, shape): &(String, Vec<usize>)| shape.iter().product::<usize>() as u64;
        FLOAT * model.expected_tensors().iter().map(count).sum::<u64>()
    }

    /// Returns the needs of a batch that runs in parts of `part` samples.
    pub(crate) fn bytes(self, batch: usize, part: usize) -> u64 {
        self.fixed + part.min(batch) as u64 * self.per_sample + batch as u64 * self.pixels
    }

    /// Returns the largest part that fits; `None` if a single sample does not.
    fn fitting(self, batch: usize, available: u64) -> Option<usize> {
        (1..=batch).rev().find(|part| self.bytes(batch, *part) <= available)
    }

    /// Refuses a batch that cannot fit. A set smaller than a batch makes smaller batches.
    pub(crate) fn check(self, config: &TrainSettings, samples: usize, available: u64) -> Result<(), TrainError> {
        let batch = config.batch_size.min(samples);
        let part = config.micro_batch.value().unwrap_or(batch);
        let needed = self.bytes(batch, part);
        if needed <= available {
            return Ok(());
        }
        let mut advice = Vec::new();
        let fitting = self.fitting(batch, available).filter(|fitting| *fitting < part);
        if let Some(fitting) = fitting.filter(|_| config.masks_of_samples().is_none()) {
            advice.push(format!("micro_batch = {fitting} fits and gives the same gradients"));
        }
        if !config.checkpointing {
            advice.push("checkpointing = true needs less memory per sample".to_owned());
        }
        if advice.is_empty() {
            advice.push("use a smaller batch_size, a smaller model, or another device".to_owned());
        }
        Err(TrainError::Memory { part: part.min(batch), needed, available, advice: advice.join("; ") })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use radapter_settings::Settings;

    use crate::config::tests::resolve;
    use crate::state::tensor_file::Flat;

    fn settings(batch: i64, part: Option<i64>, checkpointing: bool) -> TrainSettings {
        let mut given = Settings::default();
        given.set("batch_size", batch).unwrap();
        given.set("checkpointing", checkpointing).unwrap();
        if let Some(part) = part {
            given.set("micro_batch", part).unwrap();
        }
        resolve(&given, 10_000).unwrap()
    }

    const GIB: u64 = 1 << 30;

    /// Returns adapters for these blocks of the image tower.
    fn adapters(model: &ClipConfig, blocks: std::ops::Range<usize>) -> Named {
        let width = model.vision.width;
        let device = burn::tensor::Device::flex();
        let flat = || Flat { shape: vec![width, width], values: burn::tensor::Tensor::zeros([1], &device) };
        blocks.flat_map(|block| ["attn", "mlp"].map(|site| (format!("visual.{block}.{site}.weight"), flat()))).collect()
    }

    #[test]
    fn estimate_matches_measurement_for_vit_b_32_at_batch_32() {
        let model = ClipConfig::preset("ViT-B-32-quickgelu").unwrap();
        let needs = Needs::of(&model, &settings(32, None, false), &adapters(&model, 0..12));
        // `cargo xtask bench --one --part image` measured 1.5 GiB.
        let gib = needs.bytes(32, 32) as f64 / GIB as f64;
        assert!((1.2..1.8).contains(&gib), "{gib}");
    }

    #[test]
    fn oversized_batches_get_a_fitting_suggestion() {
        let model = ClipConfig::preset("ViT-L-14").unwrap();
        let whole = settings(512, None, false);
        let needs = Needs::of(&model, &whole, &adapters(&model, 0..24));
        let error = needs.check(&whole, 10_000, 16 * GIB).unwrap_err().to_string();
        for part in ["512 samples", "16.0 GiB", "micro_batch = ", "checkpointing"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let fitting = needs.fitting(512, 16 * GIB).unwrap();
        assert!(needs.check(&settings(512, Some(fitting as i64), false), 10_000, 16 * GIB).is_ok());
        assert!(needs.check(&settings(512, Some(fitting as i64 + 1), false), 10_000, 16 * GIB).is_err());

        let blocks = Needs::of(&model, &settings(512, None, true), &adapters(&model, 0..24));
        assert!(blocks.per_sample * 3 < needs.per_sample);
        let error = needs.check(&whole, 10_000, GIB / 2).unwrap_err().to_string();
        assert!(!error.contains("micro_batch"), "not even one sample fits: {error}");
        let last = Needs::of(&model, &whole, &adapters(&model, 23..24));
        assert!(last.per_sample * 10 < needs.per_sample, "below the first trained block nothing is kept");
        assert_eq!(Needs::of(&model, &whole, &Named::new()).per_sample, needs.pixels, "a tower that is not trained");
        assert!(needs.check(&whole, 8, 16 * GIB).is_ok(), "eight samples make a batch of 8");
    }
}
