//! The tensors of the same name in several models, one name after the other.

use radapter_clip::state_dict::{RawTensor, Spool, StateDict};
use rayon::prelude::*;

use crate::EnsembleError;

/// Values computed at a time.
const PIECE: usize = 16 * 1024;

/// A model with the name that errors call it by.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the type is documented")]
pub struct Member<'a> {
    pub name: &'a str,
    pub state: &'a StateDict,
}

/// Calls `make` for each name with the tensors of all models, and collects its results.
pub(crate) fn combine(
    members: &[Member<'_>],
    mut spool: Spool,
    make: impl Fn(&str, &[&RawTensor]) -> RawTensor,
) -> Result<StateDict, EnsembleError> {
    check_alike(members)?;
    let [first, ..] = members else { return Ok(StateDict::new()) };
    for (name, _) in first.state.iter() {
        let tensors: Vec<&RawTensor> = members.iter().filter_map(|member| member.state.get(name)).collect();
        match tensors.iter().all(|tensor| is_same(tensors[0], tensor)) {
            true => spool.push(name, tensors[0])?,
            false => spool.push(name, &make(name, &tensors))?,
        }
    }
    Ok(spool.finish()?)
}

/// Checks that all models have tensors of the same names and shapes. The ensembles check it before they begin.
///
/// # Errors
/// [`EnsembleError::Missing`] and [`EnsembleError::Shape`].
pub fn check_alike(members: &[Member<'_>]) -> Result<(), EnsembleError> {
    let Some((first, others)) = members.split_first() else { return Ok(()) };
    for other in others {
        for (with, without) in [(first, other), (other, first)] {
            if let Some((name, _)) = with.state.iter().find(|(name, _)| without.state.get(name).is_none()) {
                let (with, without) = (with.name.to_owned(), without.name.to_owned());
                return Err(EnsembleError::Missing { tensor: name.to_owned(), with, without });
            }
        }
        for ((tensor, a), (_, b)) in first.state.iter().zip(other.state.iter()) {
            if a.shape() != b.shape() {
                return Err(EnsembleError::Shape {
                    tensor: tensor.to_owned(),
                    first: first.name.to_owned(),
                    first_shape: a.shape().to_vec(),
                    other: other.name.to_owned(),
                    other_shape: b.shape().to_vec(),
                });
            }
        }
    }
    Ok(())
}

fn is_same(a: &RawTensor, b: &RawTensor) -> bool {
    a.dtype() == b.dtype() && a.bytes() == b.bytes()
}

/// Computes each value from the values at the same position of all tensors.
pub(crate) fn each(tensors: &[Vec<f32>], shape: &[usize], value: impl Fn(&[f64]) -> f64 + Sync) -> RawTensor {
    let mut out = vec![0.0_f32; tensors.first().map_or(0, Vec::len)];
    out.par_chunks_mut(PIECE).enumerate().for_each(|(piece, out)| {
        let mut at = vec![0.0; tensors.len()];
        for (index, out) in out.iter_mut().enumerate() {
            let index = piece * PIECE + index;
            at.iter_mut().zip(tensors).for_each(|(at, tensor)| *at = f64::from(tensor[index]));
            *out = value(&at) as f32;
        }
    });
    RawTensor::from_f32(shape, out)
}
