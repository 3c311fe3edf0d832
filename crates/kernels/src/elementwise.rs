//! Functions of single elements over whole tensors: one pass, on all cores, in the processor's vectors.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::TensorData;
use rayon::prelude::*;

use crate::quick_gelu::FACTOR;

/// Elements that one thread takes at a time: enough to be worth it, and a piece fits a core's cache.
const PIECE: usize = 1 << 14;

/// `f` of each element, in place where nobody else holds the tensor.
pub(crate) fn map(mut x: FlexTensor, f: impl Fn(f32) -> f32 + Copy + Send + Sync) -> FlexTensor {
    if x.is_contiguous()
        && let Some(values) = x.try_storage_mut::<f32>()
    {
        values.par_chunks_mut(PIECE).for_each(|piece| {
            vectorised(|| piece.iter_mut().for_each(|value| *value = f(*value)));
        });
        return x;
    }
    let x = x.to_contiguous();
    let values: &[f32] = x.as_slice().expect("made contiguous, and of f32 as the caller has seen");
    let mut out = vec![0.0_f32; values.len()];
    out.par_chunks_mut(PIECE).zip(values.par_chunks(PIECE)).for_each(|(out, values)| {
        vectorised(|| out.iter_mut().zip(values).for_each(|(out, value)| *out = f(*value)));
    });
    FlexTensor::from_data(TensorData::new(out, x.shape()))
}

/// `f` of the elements of two tensors of one shape, into the second where nobody else holds it.
pub(crate) fn map_two(x: FlexTensor, y: FlexTensor, f: impl Fn(f32, f32) -> f32 + Copy + Send + Sync) -> FlexTensor {
    let (x, mut y) = (x.to_contiguous(), y.to_contiguous());
    let values: &[f32] = x.as_slice().expect("made contiguous, and of f32 as the caller has seen");
    if y.as_slice::<f32>().is_some_and(|y| y.len() == values.len())
        && y.layout().start_offset() == 0
        && let Some(out) = y.try_storage_mut::<f32>().filter(|out| out.len() == values.len())
    {
        out.par_chunks_mut(PIECE).zip(values.par_chunks(PIECE)).for_each(|(out, values)| {
            vectorised(|| out.iter_mut().zip(values).for_each(|(out, value)| *out = f(*value, *out)));
        });
        return y;
    }
    let others: &[f32] = y.as_slice().expect("made contiguous, and of f32 as the caller has seen");
    let mut out = vec![0.0_f32; values.len()];
    let pieces = values.par_chunks(PIECE).zip(others.par_chunks(PIECE));
    out.par_chunks_mut(PIECE).zip(pieces).for_each(|(out, (values, others))| {
        vectorised(|| {
            let both = values.iter().zip(others);
            out.iter_mut().zip(both).for_each(|(out, (value, other))| *out = f(*value, *other));
        });
    });
    FlexTensor::from_data(TensorData::new(out, x.shape()))
}

/// Compiled for each of the vector widths that processors have, and run in the widest that this one has.
#[inline(always)]
fn vectorised(work: impl FnOnce()) {
    struct Work<F>(F);

    impl<F: FnOnce()> pulp::NullaryFnOnce for Work<F> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            (self.0)();
        }
    }

    pulp::Arch::new().dispatch(Work(work));
}

#[inline(always)]
pub(crate) fn quick_gelu(x: f32) -> f32 {
    x * sigmoid(FACTOR * x)
}

/// `gradient · (σ(z) + z σ(z) (1 − σ(z)))` with `z = 1.702 x`. What is missing to 1 is `exp(−z) σ(z)`: a difference would lose its
/// digits where the sigmoid is nearly 1.
#[inline(always)]
pub(crate) fn quick_gelu_backward(x: f32, gradient: f32) -> f32 {
    let z = FACTOR * x;
    let e = exp(-z);
    let s = 1.0 / (1.0 + e);
    gradient * (s + z * s * (e * s))
}

/// `1 / (1 + exp(−x))`
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The exponential, to about one unit in the last place; arguments are clamped to where it is a normal number.
///
/// `x = n ln 2 + r` with a whole `n` and `|r| ≤ ½ ln 2`; `exp r` is a polynomial, `2ⁿ` is put together of bits. There is no branch and
/// no call, so that loops over it are vectors; the coefficients are those of the Cephes library's `expf` (Moshier).
#[inline(always)]
fn exp(x: f32) -> f32 {
    // Adding and subtracting this rounds to a whole number, which is then in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;

    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let mut sum = 1.987_569_1e-4;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5] {
        sum = sum * r + coefficient;
    }
    let fraction = sum * r * r + r + 1.0;
    let power = f32::from_bits(shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23);
    fraction * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_right_to_the_last_places() {
        let mut worst = 0.0_f64;
        for step in -870_000..880_000 {
            let x = step as f32 * 1e-4;
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - exact).abs() / exact);
        }
        // Half a unit in the last place is 6e-8.
        assert!(worst < 1.5e-7, "{worst}");
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(f32::INFINITY).is_finite() && exp(f32::NEG_INFINITY) > 0.0);
    }

    #[test]
    fn pieces_and_vectors_change_nothing() {
        let values: Vec<f32> = (0..3 * PIECE + 7).map(|at| (at as f32 * 0.37).sin() * 9.0).collect();
        let count = values.len();
        let tensor = || FlexTensor::from_data(TensorData::new(values.clone(), [count]));
        let found = map(tensor(), quick_gelu);
        let found: &[f32] = found.as_slice().expect("contiguous");
        assert!(found.iter().zip(&values).all(|(found, value)| found.to_bits() == quick_gelu(*value).to_bits()));
        let shared = tensor();
        let copied = map(shared.clone(), quick_gelu);
        assert_eq!(copied.as_slice::<f32>(), Some(found));
        assert_eq!(shared.as_slice::<f32>(), Some(&values[..]), "what others hold stays as it is");
    }
}
