//! Functions of single elements over whole tensors: one pass, on all cores, in the processor's vectors.

use std::mem::MaybeUninit;

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, bf16};
use rayon::prelude::*;

use super::buffer::{contiguous, fill, owned, tensor, values};
use super::element::Value;
use super::exp::exp;
use super::lanes::{Piece, vectorised};
use crate::activation::{Activation, QUICK_GELU_FACTOR as FACTOR};

/// Elements that one thread takes at a time: enough to pay off, and small enough for a core's cache.
const PIECE: usize = 1 << 14;

/// `f` of each element, in place if the tensor is not shared.
pub(super) fn map<V: Value>(x: FlexTensor, f: impl Fn(f32) -> f32 + Copy + Send + Sync) -> FlexTensor {
    let mut x = contiguous::<V>(x);
    if let Some(values) = owned::<V>(&mut x) {
        values.par_chunks_mut(PIECE).for_each(|piece| vectorised(Replace { values: piece, f }));
        return x;
    }
    let from = values::<V>(&x);
    let out: Vec<V> = fill(from.len(), PIECE, |start, out| {
        let from = &from[start..start + out.len()];
        vectorised(Write { out, from, f });
    });
    tensor(out, x.shape())
}

struct Replace<'a, V, F> {
    values: &'a mut [V],
    f: F,
}

impl<V: Value, F: Fn(f32) -> f32> Piece for Replace<'_, V, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { values, f } = self;
        values.iter_mut().for_each(|value| *value = V::of(f(value.get())));
    }
}

struct Write<'a, V, F> {
    out: &'a mut [MaybeUninit<V>],
    from: &'a [V],
    f: F,
}

impl<V: Value, F: Fn(f32) -> f32> Piece for Write<'_, V, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { out, from, f } = self;
        out.iter_mut().zip(from).for_each(|(out, value)| _ = out.write(V::of(f(value.get()))));
    }
}

/// `f` of the elements of two tensors of one shape, into the second if it is not shared.
pub(super) fn map_two<V: Value>(
    x: FlexTensor,
    y: FlexTensor,
    f: impl Fn(f32, f32) -> f32 + Copy + Send + Sync,
) -> FlexTensor {
    let (x, mut y) = (contiguous::<V>(x), contiguous::<V>(y));
    let first = values::<V>(&x);
    if let Some(out) = owned::<V>(&mut y) {
        let pieces = out.par_chunks_mut(PIECE).zip(first.par_chunks(PIECE));
        pieces.for_each(|(out, first)| vectorised(ReplaceSecond { out, first, f }));
        return y;
    }
    let second = values::<V>(&y);
    let out: Vec<V> = fill(first.len(), PIECE, |start, out| {
        let range = start..start + out.len();
        vectorised(WriteTwo { out, first: &first[range.clone()], second: &second[range], f });
    });
    tensor(out, x.shape())
}

struct ReplaceSecond<'a, V, F> {
    out: &'a mut [V],
    first: &'a [V],
    f: F,
}

impl<V: Value, F: Fn(f32, f32) -> f32> Piece for ReplaceSecond<'_, V, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { out, first, f } = self;
        out.iter_mut().zip(first).for_each(|(out, value)| *out = V::of(f(value.get(), out.get())));
    }
}

struct WriteTwo<'a, V, F> {
    out: &'a mut [MaybeUninit<V>],
    first: &'a [V],
    second: &'a [V],
    f: F,
}

impl<V: Value, F: Fn(f32, f32) -> f32> Piece for WriteTwo<'_, V, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { out, first, second, f } = self;
        let both = first.iter().zip(second);
        out.iter_mut().zip(both).for_each(|(out, (value, other))| _ = out.write(V::of(f(value.get(), other.get()))));
    }
}

/// An activation of each element.
pub(super) fn activate(x: FlexTensor, activation: Activation) -> FlexTensor {
    match (activation, x.dtype()) {
        (Activation::QuickGelu, DType::BF16) => map::<bf16>(x, quick_gelu),
        (Activation::QuickGelu, _) => map::<f32>(x, quick_gelu),
        (Activation::Gelu, DType::BF16) => map::<bf16>(x, gelu),
        (Activation::Gelu, _) => map::<f32>(x, gelu),
    }
}

/// The sum of two tensors of one shape.
pub(super) fn add(x: FlexTensor, y: FlexTensor) -> FlexTensor {
    match x.dtype() {
        DType::BF16 => map_two::<bf16>(x, y, |x, y| x + y),
        _ => map_two::<f32>(x, y, |x, y| x + y),
    }
}

#[inline(always)]
pub(super) fn quick_gelu(x: f32) -> f32 {
    x * sigmoid(FACTOR * x)
}

/// `gradient · (σ(z) + z σ(z) (1 − σ(z)))` with `z = 1.702 x`. `1 − σ(z)` is computed as `exp(−z) σ(z)`: the difference
/// would lose its digits where the sigmoid is nearly 1.
#[inline(always)]
pub(super) fn quick_gelu_backward(x: f32, gradient: f32) -> f32 {
    let z = FACTOR * x;
    let e = exp(-z);
    let s = 1.0 / (1.0 + e);
    gradient * (s + z * s * (e * s))
}

/// `x Φ(x)`
#[inline(always)]
pub(super) fn gelu(x: f32) -> f32 {
    x * normal_cdf(x)
}

/// `gradient · (Φ(x) + x φ(x))`
#[inline(always)]
pub(super) fn gelu_backward(x: f32, gradient: f32) -> f32 {
    /// 1/√(2π)
    const PEAK: f32 = 0.398_942_3;
    gradient * (normal_cdf(x) + x * PEAK * exp(-0.5 * x * x))
}

/// The normal distribution's `Φ(x) = ½ erfc(−x/√2)`. erfc is Chebyshev's approximation of Numerical Recipes (Press et al., 2nd edition,
/// section 6.2), whose relative error is below 1.2e-7 everywhere, tails included.
#[inline(always)]
fn normal_cdf(x: f32) -> f32 {
    const COEFFICIENTS: [f32; 10] = [
        -1.265_512_2,
        1.000_023_7,
        0.374_091_97,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_08,
        -1.135_204,
        1.488_515_9,
        -0.822_152_23,
        0.170_872_77,
    ];
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * z);
    let mut sum = COEFFICIENTS[9];
    for coefficient in COEFFICIENTS[..9].iter().rev() {
        sum = sum * t + coefficient;
    }
    let tail = 0.5 * t * exp(sum - z * z);
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// `1 / (1 + exp(−x))`
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_and_vectors_change_nothing() {
        let values: Vec<f32> = (0..3 * PIECE + 7).map(|at| (at as f32 * 0.37).sin() * 9.0).collect();
        let count = values.len();
        let made = || tensor(values.clone(), [count]);
        let found = map::<f32>(made(), quick_gelu);
        let found: &[f32] = found.as_slice().expect("contiguous");
        assert!(found.iter().zip(&values).all(|(found, value)| found.to_bits() == quick_gelu(*value).to_bits()));
        let shared = made();
        let copied = map::<f32>(shared.clone(), quick_gelu);
        assert_eq!(copied.as_slice::<f32>(), Some(found));
        assert_eq!(shared.as_slice::<f32>(), Some(&values[..]), "what others hold stays as it is");
    }
}
