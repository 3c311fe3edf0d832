//! Random weights to train from.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::ClipConfig;
use crate::state_dict::{RawTensor, StateDict};

/// Number of uniform samples whose sum is approximately normal (Irwin–Hall). Sums and products alone are the same on
/// every platform; `ln` and `cos` of a Box–Muller transform are not.
const SUMMANDS: usize = 12;

/// ln(1/0.07), where CLIP's training starts.
const INITIAL_LOGIT_SCALE: f32 = 2.659_26;

impl ClipConfig {
    /// Draws random weights to train from: the standard deviations of OpenAI's `initialize_parameters`, the same in
    /// both towers, drawn from the seed alone.
    pub fn random_state(&self, seed: u64) -> StateDict {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        self.expected_tensors()
            .into_iter()
            .map(|(name, shape)| {
                let count: usize = shape.iter().product();
                let values = match self.deviation(&name) {
                    Initial::Constant(value) => vec![value; count],
                    Initial::Normal(std) => (0..count).map(|_| std * normal(&mut rng)).collect(),
                };
                (name, RawTensor::from_f32(shape, values))
            })
            .collect()
    }

    fn deviation(&self, name: &str) -> Initial {
        let visual = name.starts_with("visual.");
        let (width, layers) =
            if visual { (self.vision.width, self.vision.layers) } else { (self.text.width, self.text.layers) };
        let width = width as f32;
        let depth = (2.0 * layers as f32).sqrt();
        let is_norm = name.contains(".ln_") || name.starts_with("ln_");
        match name {
            "logit_scale" => Initial::Constant(INITIAL_LOGIT_SCALE),
            _ if is_norm && name.ends_with("weight") => Initial::Constant(1.0),
            _ if name.ends_with("bias") => Initial::Constant(0.0),
            "token_embedding.weight" => Initial::Normal(0.02),
            "positional_embedding" => Initial::Normal(0.01),
            _ if name.ends_with("in_proj_weight") => Initial::Normal(width.powf(-0.5)),
            _ if name.ends_with("out_proj.weight") || name.ends_with("c_proj.weight") => {
                Initial::Normal(width.powf(-0.5) / depth)
            }
            _ if name.ends_with("c_fc.weight") => Initial::Normal((2.0 * width).powf(-0.5)),
            "visual.conv1.weight" => {
                let inputs = (3 * self.vision.patch_size.pow(2)) as f32;
                Initial::Normal(inputs.powf(-0.5))
            }
            // Class token, the image tower's positions, and both projections.
            _ => Initial::Normal(width.powf(-0.5)),
        }
    }
}

enum Initial {
    Constant(f32),
    Normal(f32),
}

fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let sum: f32 = (0..SUMMANDS).map(|_| (rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32).sum();
    sum - SUMMANDS as f32 / 2.0
}
