//! The image tower alone: forward and backward with adapters, or forward of the merged model.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use radapter::adapter::{AdapterConfig, attach};
use radapter::clip::config::ClipConfig;
use radapter::clip::model::{Clip, Context};

use super::Args;
use super::measurement::{median, minor_faults, reset_peak};

/// The result of a measurement.
pub(crate) struct Timed {
    pub(crate) seconds: f64,
    pub(crate) faults: Option<f64>,
    pub(crate) parts: BTreeMap<String, f64>,
    /// `None` if the step's work is not counted.
    pub(crate) gflop: Option<f64>,
}

/// Untimed steps at the start.
pub(crate) const WARM_UP: u64 = 1;

pub(crate) fn run(config: &ClipConfig, args: &Args, plain: &Device, backward: bool) -> anyhow::Result<Timed> {
    let state = config.random_state(0);
    let device = if backward { plain.clone().autodiff() } else { plain.clone() };
    let clip = Clip::from_owned_state(config, state, &device)?.in_precision(args.precision[0]);
    let size = config.vision.image_size;
    let pixels = Tensor::<4>::random([args.batch_size, 3, size, size], Distribution::Default, &device);
    let fixed = Tensor::<2>::random([args.batch_size, config.embed_dim], Distribution::Default, &device);
    let adapted = if backward { Some(attach(clip.clone(), &AdapterConfig::default(), 0)?) } else { None };
    let step = |step: u64| match &adapted {
        Some(model) => {
            let image = model.encode_image(pixels.clone(), &Context::training(0, step));
            let loss = (image * fixed.clone()).sum();
            let gradients = loss.backward();
            drop(gradients);
            // A GPU's work is only queued, so this waits for it.
            let _ = plain.sync();
        }
        None => {
            let _ = clip.encode_image(pixels.clone(), &Context::inference()).into_data();
        }
    };
    (0..WARM_UP).for_each(&step);
    reset_peak();
    let before = minor_faults();
    let times = (WARM_UP..WARM_UP + args.steps).map(|at| {
        let start = Instant::now();
        step(at);
        start.elapsed().as_secs_f64()
    });
    let seconds = median(times.collect());
    let faults = before.zip(minor_faults()).map(|(before, after)| (after - before) as f64 / args.steps as f64);
    let tower = image_tower(config);
    let forward = if backward { tower.training() } else { tower.inference() };
    Ok(Timed { seconds, faults, parts: BTreeMap::new(), gflop: Some(forward * args.batch_size as f64 / 1e9) })
}

/// Multiplications and additions of a tower's matrix products for one sample.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    /// Work of the frozen weights and of attention.
    frozen: f64,
    /// The part of `frozen` below the first adapter, through which no gradient passes.
    below: f64,
    /// Work of the adapters.
    adapters: f64,
}

impl Work {
    pub(crate) fn inference(self) -> f64 {
        self.frozen
    }

    /// Forward pass and gradients of the inputs; for adapters, of which a fifth is dropped, also the gradients of their weights.
    pub(crate) fn training(self) -> f64 {
        2.0 * self.frozen - self.below + 3.0 * 0.8 * self.adapters
    }
}

pub(crate) fn image_tower(config: &ClipConfig) -> Work {
    let vision = &config.vision;
    let patches = (vision.image_size / vision.patch_size).pow(2);
    let mut work = blocks(vision.layers, vision.width, vision.mlp_width, patches + 1);
    let embedding = 2.0 * (patches * 3 * vision.patch_size.pow(2) * vision.width) as f64;
    work.frozen += embedding;
    work.below += embedding;
    work
}

pub(crate) fn text_tower(config: &ClipConfig, tokens: usize) -> Work {
    blocks(config.text.layers, config.text.width, config.text.mlp_width, tokens)
}

/// All blocks but the last in full; in the last one keys and values of all tokens, and the rest for one token.
fn blocks(layers: usize, width: usize, mlp: usize, tokens: usize) -> Work {
    let [layers, d, m, t] = [layers, width, mlp, tokens].map(|number| number as f64);
    let attention = 2.0 * 2.0 * t * d;
    let row = 2.0 * (4.0 * d * d + 2.0 * d * m) + attention;
    let last = t * 2.0 * 2.0 * d * d + (2.0 * (2.0 * d * d + 2.0 * d * m) + attention);
    // The attention of the first block, before its adapter.
    let below = t * (2.0 * 4.0 * d * d + attention);
    Work { below, frozen: (layers - 1.0) * t * row + last, adapters: ((layers - 1.0) * t + 1.0) * 2.0 * 2.0 * d * d }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_of_vit_b_32_is_the_published_one() {
        let config = ClipConfig::preset("ViT-B-32-quickgelu").expect("a preset");
        // 4.4 G multiplications and additions in pairs, of which the last block's pruning saves most of a twelfth.
        let gflop = image_tower(&config).inference() / 1e9;
        assert!((7.9..8.8).contains(&gflop), "{gflop}");
    }
}
