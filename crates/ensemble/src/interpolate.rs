//! Interpolation between a model and one that was tuned from it: WiSE-FT and LiNeS.

use radapter_adapter::Alphas;
use radapter_clip::config::ClipConfig;
use radapter_clip::state_dict::{Spool, StateDict};

use crate::combine::{combine, each};
use crate::{EnsembleError, Member};

/// The number of blocks in each tower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the type is documented")]
pub struct Depth {
    pub visual: usize,
    pub text: usize,
}

impl From<&ClipConfig> for Depth {
    fn from(config: &ClipConfig) -> Self {
        Self { visual: config.vision.layers, text: config.text.layers }
    }
}

impl Depth {
    /// Returns α of a tensor by OpenCLIP's name.
    fn alpha(self, alphas: Alphas, name: &str) -> f64 {
        let (path, layers) = match name.strip_prefix("visual.") {
            Some(path) => (path, self.visual),
            None => (name, self.text),
        };
        let block = path.strip_prefix("transformer.resblocks.").and_then(|rest| rest.split('.').next()?.parse().ok());
        block.map_or_else(|| alphas.outside_blocks(), |layer| alphas.of_block(layer, layers))
    }
}

/// Interpolates `(1 − α)·base + α·tuned` (WiSE-FT; Wortsman et al., arXiv 2109.01903), α for each block as [`Alphas`]
/// says. Where α is 0 or 1 a tensor is the base's or the tuned model's, bit for bit.
///
/// # Errors
/// [`EnsembleError`] for models that differ in a tensor's name or shape, and for a spool without room.
pub fn interpolate(
    base: Member<'_>,
    tuned: Member<'_>,
    alphas: Alphas,
    depth: Depth,
    spool: Spool,
) -> Result<StateDict, EnsembleError> {
    combine(&[base, tuned], spool, |name, tensors| match depth.alpha(alphas, name) {
        0.0 => tensors[0].clone(),
        1.0 => tensors[1].clone(),
        alpha => {
            let values: Vec<Vec<f32>> = tensors.iter().map(|tensor| tensor.to_f32()).collect();
            each(&values, tensors[0].shape(), |at| weighted(at[0], at[1], alpha))
        }
    })
}

/// Computes `(1 − α)·a + α·b` in f64; exactly `a` at 0 and exactly `b` at 1.
pub fn mix(a: &[f32], b: &[f32], alpha: f64) -> Vec<f32> {
    a.iter().zip(b).map(|(&a, &b)| weighted(a.into(), b.into(), alpha) as f32).collect()
}

fn weighted(a: f64, b: f64, alpha: f64) -> f64 {
    (1.0 - alpha) * a + alpha * b
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn mixing_is_exact_at_both_ends() {
        let (a, b) = ([0.1_f32, -3.0e-8, 7.0], [0.7_f32, 1.0, -0.3]);
        assert_eq!(mix(&a, &b, 0.0), a);
        assert_eq!(mix(&a, &b, 1.0), b);
        assert_eq!(mix(&[1.0], &[2.0], 0.25), [1.25]);
    }

    #[test]
    fn a_tensor_s_alpha_follows_its_tower_and_block() {
        let (depth, alphas) = (Depth { visual: 3, text: 5 }, "0..1".parse().unwrap());
        for (name, alpha) in [
            ("visual.transformer.resblocks.0.attn.in_proj_weight", 0.0),
            ("visual.transformer.resblocks.1.ln_1.bias", 0.5),
            ("visual.transformer.resblocks.2.mlp.c_fc.weight", 1.0),
            ("transformer.resblocks.1.mlp.c_proj.bias", 0.25),
            ("transformer.resblocks.4.mlp.c_proj.bias", 1.0),
            ("visual.conv1.weight", 0.0),
            ("text_projection", 0.0),
        ] {
            assert_eq!(depth.alpha(alphas, name), alpha, "{name}");
        }
    }
}
