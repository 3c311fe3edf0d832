//! Layer normalisation of rows, and its derivatives.

use std::mem::MaybeUninit;

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::buffer::{contiguous, fill, tensor, values};
use super::element::Value;
use super::lanes::{Piece, sum, vectorised};

/// Rows that one thread takes at a time, and whose share of the weight's gradient is summed first. Fixed, so that the
/// order of the sums does not depend on the thread count.
const ROWS: usize = 32;

/// Mean and reciprocal standard deviation of a row.
#[inline(always)]
fn moments<V: Value>(row: &[V], epsilon: f32) -> (f32, f32) {
    let count = row.len() as f32;
    let mean = sum(row.len(), |at| row[at].get()) / count;
    let variance = sum(row.len(), |at| (row[at].get() - mean) * (row[at].get() - mean)) / count;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

/// The last axis: what is normalised.
fn width(x: &FlexTensor) -> usize {
    x.shape().iter().next_back().copied().unwrap_or(1).max(1)
}

/// `γ (x − mean)/√(variance + ε) + β`; γ and β are f32 for rows of any type.
pub(super) fn forward<V: Value>(x: FlexTensor, gamma: FlexTensor, beta: FlexTensor, epsilon: f32) -> FlexTensor {
    let (x, gamma, beta) = (contiguous::<V>(x), contiguous::<f32>(gamma), contiguous::<f32>(beta));
    let (from, gamma, beta) = (values::<V>(&x), values(&gamma), values(&beta));
    let width = width(&x);
    // The loop runs over γ's length, and must write every value.
    assert!(gamma.len() == width && beta.len() == width, "weights of another width than the rows");
    let out: Vec<V> = fill(from.len(), ROWS * width, |start, out| {
        let from = &from[start..start + out.len()];
        vectorised(Normalize { out, x: from, gamma, beta, epsilon });
    });
    tensor(out, x.shape())
}

struct Normalize<'a, V> {
    out: &'a mut [MaybeUninit<V>],
    x: &'a [V],
    gamma: &'a [f32],
    beta: &'a [f32],
    epsilon: f32,
}

impl<V: Value> Piece for Normalize<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { out, x, gamma, beta, epsilon } = self;
        let width = gamma.len();
        let beta = &beta[..width];
        for (out, row) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let (mean, scale) = moments(row, epsilon);
            for at in 0..width {
                out[at].write(V::of((row[at].get() - mean) * scale * gamma[at] + beta[at]));
            }
        }
    }
}

/// The gradient of the input: with `g = γ · gradient` and the normalised `n`,
/// `(g − mean(g) − n · mean(g n))/√(variance + ε)`, added to `base`.
pub(super) fn backward<V: Value>(
    x: FlexTensor,
    gamma: FlexTensor,
    gradient: FlexTensor,
    base: Option<FlexTensor>,
    epsilon: f32,
) -> FlexTensor {
    let (x, gamma, gradient) = (contiguous::<V>(x), contiguous::<f32>(gamma), contiguous::<V>(gradient));
    let base = base.map(contiguous::<V>);
    let (from, gamma, gradient) = (values::<V>(&x), values(&gamma), values::<V>(&gradient));
    let base = base.as_ref().map(values::<V>);
    let width = width(&x);
    let fits = |values: &[V]| values.len() == from.len();
    assert!(gamma.len() == width && fits(gradient) && base.is_none_or(fits), "a weight or gradient of another shape");
    let out: Vec<V> = fill(from.len(), ROWS * width, |start, out| {
        let range = start..start + out.len();
        let base = base.map(|base| &base[range.clone()]);
        vectorised(Slopes { out, x: &from[range.clone()], gamma, gradient: &gradient[range], base, epsilon });
    });
    tensor(out, x.shape())
}

struct Slopes<'a, V> {
    out: &'a mut [MaybeUninit<V>],
    x: &'a [V],
    gamma: &'a [f32],
    gradient: &'a [V],
    base: Option<&'a [V]>,
    epsilon: f32,
}

impl<V: Value> Piece for Slopes<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { out, x, gamma, gradient, base, epsilon } = self;
        let width = gamma.len();
        let rows = x.chunks_exact(width).zip(gradient.chunks_exact(width));
        for (index, (out, (row, gradient))) in out.chunks_exact_mut(width).zip(rows).enumerate() {
            let (mean, scale) = moments(row, epsilon);
            let normal = |at: usize| (row[at].get() - mean) * scale;
            let first = sum(width, |at| gradient[at].get() * gamma[at]) / width as f32;
            let second = sum(width, |at| gradient[at].get() * gamma[at] * normal(at)) / width as f32;
            let slope = |at: usize| scale * (gradient[at].get() * gamma[at] - first - normal(at) * second);
            match base.map(|base| &base[index * width..][..width]) {
                Some(base) => out.iter_mut().zip(base).enumerate().for_each(|(at, (out, base))| {
                    out.write(V::of(base.get() + slope(at)));
                }),
                None => out.iter_mut().enumerate().for_each(|(at, out)| _ = out.write(V::of(slope(at)))),
            }
        }
    }
}

/// The gradient of γ, in f32: the sum over all rows of `gradient · (x − mean)/√(variance + ε)`.
pub(super) fn backward_gamma<V: Value>(x: FlexTensor, gradient: FlexTensor, epsilon: f32) -> FlexTensor {
    let (x, gradient) = (contiguous::<V>(x), contiguous::<V>(gradient));
    let width = width(&x);
    let pieces = values::<V>(&x).par_chunks(ROWS * width).zip(values::<V>(&gradient).par_chunks(ROWS * width));
    let sums: Vec<Vec<f32>> = pieces
        .map(|(x, gradient)| {
            let mut sums = vec![0.0_f32; width];
            vectorised(AddWeighted { sums: &mut sums, x, gradient, epsilon });
            sums
        })
        .collect();
    let mut total = vec![0.0_f32; width];
    for sums in sums {
        total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }
    tensor(total, [width])
}

struct AddWeighted<'a, V> {
    sums: &'a mut [f32],
    x: &'a [V],
    gradient: &'a [V],
    epsilon: f32,
}

impl<V: Value> Piece for AddWeighted<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { sums, x, gradient, epsilon } = self;
        let width = sums.len();
        for (row, gradient) in x.chunks_exact(width).zip(gradient.chunks_exact(width)) {
            let (mean, scale) = moments(row, epsilon);
            for at in 0..width {
                sums[at] += gradient[at].get() * ((row[at].get() - mean) * scale);
            }
        }
    }
}
