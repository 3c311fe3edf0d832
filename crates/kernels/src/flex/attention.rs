//! Attention of all heads on packed queries, keys and values. Scores are in a scratch buffer of one head at a time, and
//! the backward pass recomputes them from the packed input alone.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::bf16;
use rayon::prelude::*;

use super::buffer::{Convert, contiguous, fill, tensor, values};
use super::element::Value;
use super::exp::exp;
use super::gemm::{Matrix, Target, multiply};
use super::lanes::{Piece, max, sum, vectorised};
use crate::arguments::Heads;

/// The sizes of one call.
#[derive(Clone, Copy)]
struct Sizes {
    tokens: usize,
    heads: usize,
    /// Width of all heads together.
    width: usize,
    causal: bool,
    /// Whether a product uses all cores: with fewer samples than cores.
    spread: bool,
}

impl Sizes {
    fn of(packed: &FlexTensor, heads: Heads) -> Self {
        let width = packed.shape()[1] / 3;
        let spread = packed.shape()[0] / heads.tokens < rayon::current_num_threads();
        Self { tokens: heads.tokens, heads: heads.count, width, causal: heads.causal, spread }
    }

    fn head_width(self) -> usize {
        self.width / self.heads
    }

    fn factor(self) -> f32 {
        1.0 / (self.head_width() as f32).sqrt()
    }

    /// Queries (0), keys (1) or values (2) of a head, in the packed rows of one sample.
    fn part(self, packed: &[f32], part: usize, head: usize) -> Matrix<'_> {
        Matrix::new(&packed[self.offset(part, head)..], self.tokens, self.head_width(), 3 * self.width)
    }

    fn offset(self, part: usize, head: usize) -> usize {
        part * self.width + head * self.head_width()
    }

    /// Where the gradient of queries, keys or values of a head goes.
    fn target(self, out: &mut [f32], part: usize, head: usize) -> Target<'_> {
        Target { values: &mut out[self.offset(part, head)..], down: 3 * self.width, add: false }
    }

    /// A head's rows of an activation of one sample.
    fn rows(self, x: &[f32], head: usize) -> Matrix<'_> {
        Matrix::new(&x[head * self.head_width()..], self.tokens, self.head_width(), self.width)
    }

    /// Positions that a query attends to.
    fn seen(self, query: usize) -> usize {
        if self.causal { query + 1 } else { self.tokens }
    }

    fn square<'a>(self, scores: &'a [f32]) -> Matrix<'a> {
        Matrix::new(scores, self.tokens, self.tokens, self.tokens)
    }

    /// The probabilities of a head: softmax of its scores, zero where a query does not attend.
    fn probabilities(self, packed: &[f32], head: usize, out: &mut [f32]) {
        let target = Target { values: &mut *out, down: self.tokens, add: false };
        let keys = self.part(packed, 1, head).transposed();
        multiply(target, self.part(packed, 0, head), keys, self.factor(), self.spread);
        vectorised(Softmax { scores: out, sizes: self });
    }

    /// The attention of one sample.
    fn attend(self, packed: &[f32], scores: &mut [f32], out: &mut [f32]) {
        for head in 0..self.heads {
            self.probabilities(packed, head, scores);
            let values = &mut out[head * self.head_width()..];
            let target = Target { values, down: self.width, add: false };
            multiply(target, self.square(scores), self.part(packed, 2, head), 1.0, self.spread);
        }
    }

    /// The gradient of one sample's packed input.
    fn slopes(self, packed: &[f32], gradient: &[f32], [scores, slopes]: &mut [Vec<f32>; 2], out: &mut [f32]) {
        let Self { tokens, spread, .. } = self;
        for head in 0..self.heads {
            let gradient = self.rows(gradient, head);
            self.probabilities(packed, head, scores);
            multiply(self.target(out, 2, head), self.square(scores).transposed(), gradient, 1.0, spread);
            let inner = Target { values: &mut *slopes, down: tokens, add: false };
            multiply(inner, gradient, self.part(packed, 2, head).transposed(), 1.0, spread);
            vectorised(SoftmaxBackward { slopes, scores, tokens });
            let factor = self.factor();
            multiply(self.target(out, 0, head), self.square(slopes), self.part(packed, 1, head), factor, spread);
            let keys = self.square(slopes).transposed();
            multiply(self.target(out, 1, head), keys, self.part(packed, 0, head), factor, false);
        }
    }
}

struct Softmax<'a> {
    scores: &'a mut [f32],
    sizes: Sizes,
}

impl Piece for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { scores, sizes } = self;
        for (query, row) in scores.chunks_exact_mut(sizes.tokens).enumerate() {
            let (row, unseen) = row.split_at_mut(sizes.seen(query));
            let largest = max(row);
            row.iter_mut().for_each(|value| *value = exp(*value - largest));
            let scale = 1.0 / sum(row.len(), |at| row[at]);
            row.iter_mut().for_each(|value| *value *= scale);
            unseen.fill(0.0);
        }
    }
}

/// `P · (dP − rowsum(P · dP))`, in place of `dP`.
struct SoftmaxBackward<'a> {
    slopes: &'a mut [f32],
    scores: &'a [f32],
    tokens: usize,
}

impl Piece for SoftmaxBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { slopes, scores, tokens } = self;
        for (slopes, scores) in slopes.chunks_exact_mut(tokens).zip(scores.chunks_exact(tokens)) {
            let mean = sum(tokens, |at| slopes[at] * scores[at]);
            slopes.iter_mut().zip(scores).for_each(|(slope, score)| *slope = score * (*slope - mean));
        }
    }
}

/// # Shapes
/// `packed`: `[batch · tokens, 3 · width]` → `[batch · tokens, width]`
pub(super) fn forward(packed: FlexTensor, heads: Heads) -> FlexTensor {
    let packed = contiguous::<f32>(packed);
    let sizes = Sizes::of(&packed, heads);
    let Sizes { tokens, width, .. } = sizes;
    let rows = packed.shape()[0];
    let mut out = vec![0.0_f32; rows * width];
    let samples = values(&packed).par_chunks(tokens * 3 * width);
    out.par_chunks_mut(tokens * width)
        .zip(samples)
        .for_each_init(|| vec![0.0_f32; tokens * tokens], |scores, (out, packed)| sizes.attend(packed, scores, out));
    tensor(out, [rows, width])
}

/// [`forward`] in bfloat16: a sample at a time is in f32.
pub(super) fn forward_bf16(packed: FlexTensor, heads: Heads) -> FlexTensor {
    let packed = contiguous::<bf16>(packed);
    let sizes = Sizes::of(&packed, heads);
    let Sizes { tokens, width, .. } = sizes;
    let (rows, from) = (packed.shape()[0], values::<bf16>(&packed));
    let out: Vec<bf16> = fill(rows * width, tokens * width, |start, out| {
        let from = widened(&from[3 * start..3 * (start + out.len())]);
        let (mut scores, mut found) = (vec![0.0_f32; tokens * tokens], vec![0.0_f32; out.len()]);
        sizes.attend(&from, &mut scores, &mut found);
        vectorised(Convert { out, from: &found });
    });
    tensor(out, [rows, width])
}

/// A sample in f32, on this thread.
fn widened(from: &[bf16]) -> Vec<f32> {
    let mut out = vec![0.0_f32; from.len()];
    vectorised(Widen { out: &mut out, from });
    out
}

struct Widen<'a> {
    out: &'a mut [f32],
    from: &'a [bf16],
}

impl Piece for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { out, from } = self;
        out.iter_mut().zip(from).for_each(|(out, value)| *out = value.get());
    }
}

/// The gradient of the packed input: with `P` the probabilities and `G` the gradient of a head's output, `dV = Pᵀ G`,
/// `dP = G Vᵀ`, `dS = P · (dP − rowsum(P · dP))`, `dQ = dS K/√d`, `dK = dSᵀ Q/√d`.
pub(super) fn backward(packed: FlexTensor, gradient: FlexTensor, heads: Heads) -> FlexTensor {
    let [packed, gradient] = [packed, gradient].map(contiguous::<f32>);
    let sizes = Sizes::of(&packed, heads);
    let Sizes { tokens, width, .. } = sizes;
    let from = values::<f32>(&packed);
    let mut out = vec![0.0_f32; from.len()];
    let samples = from.par_chunks(tokens * 3 * width).zip(values::<f32>(&gradient).par_chunks(tokens * width));
    out.par_chunks_mut(tokens * 3 * width).zip(samples).for_each_init(
        || [vec![0.0_f32; tokens * tokens], vec![0.0_f32; tokens * tokens]],
        |scratch, (out, (packed, gradient))| sizes.slopes(packed, gradient, scratch, out),
    );
    tensor(out, packed.shape())
}

/// [`backward`] in bfloat16: a sample at a time is in f32.
pub(super) fn backward_bf16(packed: FlexTensor, gradient: FlexTensor, heads: Heads) -> FlexTensor {
    let [packed, gradient] = [packed, gradient].map(contiguous::<bf16>);
    let sizes = Sizes::of(&packed, heads);
    let Sizes { tokens, width, .. } = sizes;
    let (from, gradient) = (values::<bf16>(&packed), values::<bf16>(&gradient));
    let out: Vec<bf16> = fill(from.len(), tokens * 3 * width, |start, out| {
        let end = start + out.len();
        let [from, gradient] = [&from[start..end], &gradient[start / 3..end / 3]].map(widened);
        let mut scratch = [vec![0.0_f32; tokens * tokens], vec![0.0_f32; tokens * tokens]];
        let mut found = vec![0.0_f32; out.len()];
        sizes.slopes(&from, &gradient, &mut scratch, &mut found);
        vectorised(Convert { out, from: &found });
    });
    tensor(out, packed.shape())
}
