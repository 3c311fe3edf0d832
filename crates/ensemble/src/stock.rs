//! Model Stock: how far to go from the base towards the mean of tuned models, for each tensor, without data.

use radapter_clip::state_dict::{RawTensor, Spool, StateDict};
use rayon::prelude::*;

use crate::combine::{combine, each};
use crate::{EnsembleError, Member};

/// Moves the base towards the mean of models tuned from it: `base + t·mean(tuned − base)` with [`stock_factor`]'s t for
/// each tensor (Jang, Yun and Han, arXiv 2403.19522).
///
/// # Errors
/// [`EnsembleError::TooFew`] for fewer than two tuned models, and the errors of [`soup`](crate::soup).
pub fn stock(base: Member<'_>, tuned: &[Member<'_>], spool: Spool) -> Result<StateDict, EnsembleError> {
    if tuned.len() < 2 {
        return Err(EnsembleError::TooFew { what: "Model Stock", least: 2, found: tuned.len() });
    }
    let members: Vec<Member<'_>> = std::iter::once(base).chain(tuned.iter().copied()).collect();
    let count = tuned.len() as f64;
    combine(&members, spool, |_, tensors| {
        let values: Vec<Vec<f32>> = tensors.iter().copied().map(RawTensor::to_f32).collect();
        match stock_factor(&values[0], &values[1..]) {
            0.0 => tensors[0].clone(),
            factor => each(&values, tensors[0].shape(), |at| {
                let delta: f64 = at[1..].iter().map(|tuned| tuned - at[0]).sum();
                at[0] + factor * delta / count
            }),
        }
    })
}

/// Computes Model Stock's `t = N·cos θ / (1 + (N − 1)·cos θ)` for the deltas of N ≥ 2 tuned tensors, where cos θ is the
/// mean cosine of two deltas; clamped to `[0, 1]`. A delta of zero has the cosine 0 with every other, so that t is 0 if
/// none moved.
pub fn stock_factor(base: &[f32], tuned: &[Vec<f32>]) -> f64 {
    let count = tuned.len();
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let product = |index: usize| {
            (f64::from(a[index]) - f64::from(base[index])) * (f64::from(b[index]) - f64::from(base[index]))
        };
        // In pieces of a fixed length, so that the sum does not depend on the number of threads.
        let pieces: Vec<usize> = (0..base.len()).step_by(PIECE).collect();
        let sums: Vec<f64> =
            pieces.into_par_iter().map(|from| (from..base.len().min(from + PIECE)).map(product).sum()).collect();
        sums.iter().sum()
    };
    let norms: Vec<f64> = tuned.iter().map(|tuned| dot(tuned, tuned).sqrt()).collect();
    let mut cosines = 0.0;
    for first in 0..count {
        for second in first + 1..count {
            let norms = norms[first] * norms[second];
            if norms > 0.0 {
                cosines += dot(&tuned[first], &tuned[second]) / norms;
            }
        }
    }
    let pairs = (count * count.saturating_sub(1) / 2) as f64;
    let cosine = if pairs > 0.0 { cosines / pairs } else { 0.0 };
    // With a negative mean cosine the formula leaves [0, 1]. Models that are not finite stay the base.
    if cosine > 0.0 {
        let count = count as f64;
        return (count * cosine / (1.0 + (count - 1.0) * cosine)).min(1.0);
    }
    0.0
}

/// Products summed at a time.
const PIECE: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_is_zero_without_a_common_direction_and_one_with_nothing_else() {
        let base = [1.0, 2.0];
        let factor = |tuned: [[f32; 2]; 2]| stock_factor(&base, &tuned.map(|tuned| tuned.to_vec()));
        assert_eq!(factor([base, base]), 0.0);
        assert_eq!(factor([base, [2.0, 2.0]]), 0.0);
        assert_eq!(factor([[2.0, 2.0], [0.0, 2.0]]), 0.0);
        assert_eq!(factor([[f32::NAN, 2.0], [0.0, 2.0]]), 0.0);
        assert!((factor([[2.0, 3.0], [3.0, 4.0]]) - 1.0).abs() < 1e-12);
        // Changes of (1, 0) and (1, 1) have cos θ = 1/√2.
        let cosine = 0.5_f64.sqrt();
        assert!((factor([[2.0, 2.0], [2.0, 3.0]]) - 2.0 * cosine / (1.0 + cosine)).abs() < 1e-12);
    }
}
