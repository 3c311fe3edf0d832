//! Access to a tensor's values, and new ones without writing zeros first.

use std::mem::MaybeUninit;

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Shape, TensorData};
use rayon::prelude::*;

/// The same values contiguous in memory; the tensor itself if they are already.
pub(super) fn contiguous(x: FlexTensor) -> FlexTensor {
    if x.as_slice::<f32>().is_some() { x } else { x.to_contiguous() }
}

/// The values of a tensor that [`contiguous`] gave.
pub(super) fn values(x: &FlexTensor) -> &[f32] {
    x.as_slice().expect("contiguous, and of f32 as the caller has checked")
}

/// The tensor's values for overwriting, if their storage is not shared and holds nothing else.
pub(super) fn owned(x: &mut FlexTensor) -> Option<&mut [f32]> {
    let count = x.shape().num_elements();
    if !x.is_contiguous() || x.layout().start_offset() != 0 {
        return None;
    }
    x.try_storage_mut::<f32>().filter(|values| values.len() == count)
}

pub(super) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.into()))
}

/// `count` values that `write` makes, in pieces of `piece` on all cores; it is given a piece's start, and has to write all of it.
///
/// Zeros, as `vec![0.0; count]` has them, would be one more pass over memory.
pub(super) fn fill(count: usize, piece: usize, write: impl Fn(usize, &mut [MaybeUninit<f32>]) + Sync) -> Vec<f32> {
    let mut out = Vec::with_capacity(count);
    out.spare_capacity_mut()[..count]
        .par_chunks_mut(piece)
        .enumerate()
        .for_each(|(index, out)| write(index * piece, out));
    // SAFETY: the capacity is at least `count`, and each piece has been written as a whole.
    unsafe { out.set_len(count) };
    out
}
