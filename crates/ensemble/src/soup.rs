//! Uniform model soups.

use radapter_clip::state_dict::{RawTensor, Spool, StateDict};

use crate::combine::{combine, each};
use crate::{EnsembleError, Member};

/// Averages models, each with the same weight (Wortsman et al., arXiv 2203.05482).
///
/// # Errors
/// [`EnsembleError`] for no model, for models that differ in a tensor's name or shape, and for a spool without room.
pub fn soup(members: &[Member<'_>], spool: Spool) -> Result<StateDict, EnsembleError> {
    if members.is_empty() {
        return Err(EnsembleError::TooFew { what: "a soup", least: 1, found: 0 });
    }
    let count = members.len() as f64;
    combine(members, spool, |_, tensors| {
        let values: Vec<Vec<f32>> = tensors.iter().copied().map(RawTensor::to_f32).collect();
        each(&values, tensors[0].shape(), |at| at.iter().sum::<f64>() / count)
    })
}
