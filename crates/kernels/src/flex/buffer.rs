//! Access to a tensor's values, and new ones without writing zeros first.

use std::mem::MaybeUninit;

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Shape, TensorData};
use rayon::prelude::*;

use super::element::Value;
use super::lanes::{Piece, vectorised};

/// The same values contiguous in memory; the tensor itself if they are already.
pub(super) fn contiguous<V: Value>(x: FlexTensor) -> FlexTensor {
    if V::slice(&x).is_some() { x } else { x.to_contiguous() }
}

/// The values of a tensor that [`contiguous`] gave.
pub(super) fn values<V: Value>(x: &FlexTensor) -> &[V] {
    V::slice(x).expect("contiguous, and of the type that the caller has checked")
}

/// The tensor's values for overwriting, if their storage is not shared and holds nothing else.
pub(super) fn owned<V: Value>(x: &mut FlexTensor) -> Option<&mut [V]> {
    let count = x.shape().num_elements();
    if !x.is_contiguous() || x.layout().start_offset() != 0 {
        return None;
    }
    V::storage(x).filter(|values| values.len() == count)
}

pub(super) fn tensor<V: Value>(values: Vec<V>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.into()))
}

/// `count` values that `write` makes, in pieces of `piece` on all cores; it is given a piece's start, and has to write all of it.
///
/// Zeros, as `vec![0.0; count]` has them, would be one more pass over memory.
pub(super) fn fill<V: Value>(
    count: usize,
    piece: usize,
    write: impl Fn(usize, &mut [MaybeUninit<V>]) + Sync,
) -> Vec<V> {
    let mut out = Vec::with_capacity(count);
    out.spare_capacity_mut()[..count]
        .par_chunks_mut(piece)
        .enumerate()
        .for_each(|(index, out)| write(index * piece, out));
    // SAFETY: the capacity is at least `count`, and each piece has been written as a whole.
    unsafe { out.set_len(count) };
    out
}

/// Values of another type, on all cores.
pub(super) fn converted<V: Value, W: Value>(from: &[V]) -> Vec<W> {
    const PIECE: usize = 1 << 14;
    fill(from.len(), PIECE, |start, out| vectorised(Convert { out, from: &from[start..] }))
}

/// Converts as many values as `out` holds.
pub(super) struct Convert<'a, V, W> {
    pub(super) out: &'a mut [MaybeUninit<W>],
    pub(super) from: &'a [V],
}

impl<V: Value, W: Value> Piece for Convert<'_, V, W> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { out, from } = self;
        out.iter_mut().zip(from).for_each(|(out, value)| _ = out.write(W::of(value.get())));
    }
}
