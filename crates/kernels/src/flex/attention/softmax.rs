//! Softmax of a head's scores, and its derivative.

use super::Sizes;
use crate::flex::exp::exp;
use crate::flex::lanes::{Piece, max, sum};

/// The probabilities of a head in place of its scores, zero where a query does not attend.
pub(super) struct Softmax<'a> {
    pub(super) scores: &'a mut [f32],
    pub(super) sizes: Sizes,
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
pub(super) struct SoftmaxBackward<'a> {
    pub(super) slopes: &'a mut [f32],
    pub(super) scores: &'a [f32],
    pub(super) tokens: usize,
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
