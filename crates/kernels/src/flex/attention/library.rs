//! The attention of a sample by the library's products, in f32.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use super::Sizes;
use super::softmax::{Softmax, SoftmaxBackward};
use crate::flex::buffer::Convert;
use crate::flex::element::Value;
use crate::flex::gemm::{Matrix, Target, multiply};
use crate::flex::lanes::vectorised;

impl Sizes {
    /// Queries (0), keys (1) or values (2) of a head, in the packed rows of one sample.
    fn part(self, packed: &[f32], part: usize, head: usize) -> Matrix<'_> {
        Matrix::new(&packed[self.offset(part, head)..], self.tokens, self.head_width(), 3 * self.width)
    }

    /// Where the gradient of queries, keys or values of a head goes.
    fn target(self, out: &mut [f32], part: usize, head: usize) -> Target<'_> {
        Target { values: &mut out[self.offset(part, head)..], down: 3 * self.width, add: false }
    }

    /// A head's rows of an activation of one sample.
    fn rows(self, x: &[f32], head: usize) -> Matrix<'_> {
        Matrix::new(&x[head * self.head_width()..], self.tokens, self.head_width(), self.width)
    }

    fn square<'a>(self, scores: &'a [f32]) -> Matrix<'a> {
        Matrix::new(scores, self.tokens, self.tokens, self.tokens)
    }

    /// The probabilities of a head.
    fn probabilities(self, packed: &[f32], head: usize, out: &mut [f32]) {
        let target = Target { values: &mut *out, down: self.tokens, add: false };
        let keys = self.part(packed, 1, head).transposed();
        multiply(target, self.part(packed, 0, head), keys, self.factor(), self.spread);
        vectorised(Softmax { scores: out, sizes: self });
    }
}

/// The attention of one sample.
pub(super) fn attend<V: Value>(sizes: Sizes, packed: &[V], out: &mut [MaybeUninit<V>]) {
    let packed = widened(packed);
    let mut scores = vec![0.0_f32; sizes.tokens * sizes.tokens];
    in_f32(out, |out| {
        for head in 0..sizes.heads {
            sizes.probabilities(&packed, head, &mut scores);
            let target = Target { values: &mut out[head * sizes.head_width()..], down: sizes.width, add: false };
            multiply(target, sizes.square(&scores), sizes.part(&packed, 2, head), 1.0, sizes.spread);
        }
    });
}

/// The gradient of one sample's packed input.
pub(super) fn slopes<V: Value>(sizes: Sizes, packed: &[V], gradient: &[V], out: &mut [MaybeUninit<V>]) {
    let Sizes { tokens, spread, .. } = sizes;
    let (packed, gradient) = (widened(packed), widened(gradient));
    let [mut scores, mut slopes] = [vec![0.0_f32; tokens * tokens], vec![0.0_f32; tokens * tokens]];
    in_f32(out, |out| {
        for head in 0..sizes.heads {
            let gradient = sizes.rows(&gradient, head);
            sizes.probabilities(&packed, head, &mut scores);
            multiply(sizes.target(out, 2, head), sizes.square(&scores).transposed(), gradient, 1.0, spread);
            let inner = Target { values: &mut slopes, down: tokens, add: false };
            multiply(inner, gradient, sizes.part(&packed, 2, head).transposed(), 1.0, spread);
            vectorised(SoftmaxBackward { slopes: &mut slopes, scores: &scores, tokens });
            let factor = sizes.factor();
            let queries = sizes.target(out, 0, head);
            multiply(queries, sizes.square(&slopes), sizes.part(&packed, 1, head), factor, spread);
            let keys = sizes.square(&slopes).transposed();
            multiply(sizes.target(out, 1, head), keys, sizes.part(&packed, 0, head), factor, false);
        }
    });
}

/// Writes what `compute` makes of zeros.
fn in_f32<V: Value>(out: &mut [MaybeUninit<V>], compute: impl FnOnce(&mut [f32])) {
    match V::as_f32_room(out) {
        Some(out) => {
            out.iter_mut().for_each(|value| _ = value.write(0.0));
            // SAFETY: All have just been written.
            compute(unsafe { out.assume_init_mut() });
        }
        None => {
            let mut found = vec![0.0_f32; out.len()];
            compute(&mut found);
            vectorised(Convert { out, from: &found });
        }
    }
}

/// A sample in f32, on this thread.
fn widened<V: Value>(from: &[V]) -> Cow<'_, [f32]> {
    V::as_f32(from).map_or_else(|| Cow::Owned(from.iter().map(|value| value.get()).collect()), Cow::Borrowed)
}
