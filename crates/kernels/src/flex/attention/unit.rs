//! The attention of a sample by the matrix unit: products of bfloat16, softmax in f32.

use std::mem::MaybeUninit;

use burn::tensor::bf16;

use super::Sizes;
use super::softmax::{Softmax, SoftmaxBackward};
use crate::flex::element::Value;
use crate::flex::lanes::vectorised;
use crate::flex::unit::Unit;
use crate::flex::unit::product::{Packed, Rows, Source, blocks};

/// Memory for one head at a time.
pub(super) struct Scratch {
    sizes: Sizes,
    /// Scores and then probabilities.
    scores: Vec<f32>,
    slopes: Vec<f32>,
    /// The left factor of a product of `[tokens, tokens]`.
    square: Vec<bf16>,
    /// A right factor of `[head width, tokens]`.
    wide: Packed,
    /// A right factor of `[tokens, head width]`.
    tall: Packed,
}

impl Scratch {
    pub(super) fn new(sizes: Sizes) -> Self {
        let Sizes { tokens, .. } = sizes;
        let count = tokens * tokens;
        Self {
            sizes,
            scores: vec![0.0; count],
            slopes: Vec::new(),
            square: vec![bf16::ZERO; count],
            wide: Packed::zeros(sizes.head_width(), tokens),
            tall: Packed::zeros(tokens, sizes.head_width()),
        }
    }

    /// The attention of one sample.
    pub(super) fn attend(&mut self, unit: impl Unit, packed: &[bf16], out: &mut [MaybeUninit<bf16>]) {
        let Sizes { heads, width, .. } = self.sizes;
        for head in 0..heads {
            self.probabilities(unit, packed, head);
            narrow(&self.scores, &mut self.square);
            self.tall.refill(Source::rows(&packed[self.sizes.offset(2, head)..], 3 * width));
            self.square_times_tall(unit, 1.0, &mut out[head * self.sizes.head_width()..], width);
        }
    }

    /// The gradient of one sample's packed input.
    pub(super) fn slopes(
        &mut self,
        unit: impl Unit,
        packed: &[bf16],
        gradient: &[bf16],
        out: &mut [MaybeUninit<bf16>],
    ) {
        let sizes = self.sizes;
        let Sizes { heads, width, tokens, .. } = sizes;
        let (head_width, stride) = (sizes.head_width(), 3 * width);
        self.slopes.resize(tokens * tokens, 0.0);
        for head in 0..heads {
            let gradient = &gradient[head * head_width..];
            let part = |part: usize| &packed[sizes.offset(part, head)..];
            self.probabilities(unit, packed, head);

            narrow_transposed(&self.scores, tokens, &mut self.square);
            self.tall.refill(Source::rows(gradient, width));
            self.square_times_tall(unit, 1.0, &mut out[sizes.offset(2, head)..], stride);

            self.wide.refill(Source::columns(part(2), stride));
            let rows = Rows::new(gradient, tokens, head_width, width);
            blocks(unit, rows, &self.wide, |found| {
                for (row, values) in found.rows() {
                    self.slopes[row * tokens + found.column..][..values.len()].copy_from_slice(values);
                }
            });
            vectorised(SoftmaxBackward { slopes: &mut self.slopes, scores: &self.scores, tokens });

            narrow(&self.slopes, &mut self.square);
            self.tall.refill(Source::rows(part(1), stride));
            self.square_times_tall(unit, sizes.factor(), &mut out[sizes.offset(0, head)..], stride);

            narrow_transposed(&self.slopes, tokens, &mut self.square);
            self.tall.refill(Source::rows(part(0), stride));
            self.square_times_tall(unit, sizes.factor(), &mut out[sizes.offset(1, head)..], stride);
        }
    }

    /// Writes the probabilities of a head to `scores`.
    fn probabilities(&mut self, unit: impl Unit, packed: &[bf16], head: usize) {
        let sizes = self.sizes;
        let (tokens, stride, factor) = (sizes.tokens, 3 * sizes.width, sizes.factor());
        self.wide.refill(Source::columns(&packed[sizes.offset(1, head)..], stride));
        let queries = Rows::new(&packed[sizes.offset(0, head)..], tokens, sizes.head_width(), stride);
        blocks(unit, queries, &self.wide, |found| {
            for (row, values) in found.rows() {
                let to = &mut self.scores[row * tokens + found.column..];
                to.iter_mut().zip(values).for_each(|(to, value)| *to = factor * value);
            }
        });
        vectorised(Softmax { scores: &mut self.scores, sizes });
    }

    /// Writes `factor · square · tall` to rows that are `stride` apart.
    fn square_times_tall(&self, unit: impl Unit, factor: f32, out: &mut [MaybeUninit<bf16>], stride: usize) {
        let tokens = self.sizes.tokens;
        blocks(unit, Rows::new(&self.square, tokens, tokens, tokens), &self.tall, |found| {
            for (row, values) in found.rows() {
                let out = &mut out[row * stride + found.column..];
                out.iter_mut().zip(values).for_each(|(out, value)| _ = out.write(bf16::of(factor * value)));
            }
        });
    }
}

fn narrow(from: &[f32], out: &mut [bf16]) {
    out.iter_mut().zip(from).for_each(|(out, value)| *out = value.narrow());
}

/// The transpose of a square matrix.
fn narrow_transposed(from: &[f32], size: usize, out: &mut [bf16]) {
    for (row, values) in from.chunks_exact(size).enumerate() {
        values.iter().enumerate().for_each(|(column, value)| out[column * size + row] = value.narrow());
    }
}
