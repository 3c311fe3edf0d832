//! Interpolation between a model and one that was tuned from it: WiSE-FT and LiNeS.

use radapter_adapter::{Alphas, Depth};
use radapter_clip::state_dict::{Spool, StateDict};

use crate::combine::{combine, each};
use crate::{EnsembleError, Member};

/// Interpolates `(1 − α)·base + α·tuned` (WiSE-FT; Wortsman et al., arXiv 2109.01903), α for each block as [`Alphas`]
/// says. Where α is 0 or 1 a tensor is the base's or the tuned model's, bit for bit.
///
/// # Errors
/// [`EnsembleError`] for models that differ in a tensor's name or shape, and for a spool without room.
pub fn interpolate(
    base: Member<'_>,
    tuned: Member<'_>,
    alphas: &Alphas,
    depth: Depth,
    spool: Spool,
) -> Result<StateDict, EnsembleError> {
    combine(&[base, tuned], spool, |name, tensors| match depth.alpha_of(alphas, name).get() {
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
}
