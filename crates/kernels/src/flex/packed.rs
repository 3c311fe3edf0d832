//! Weights in the order in which the matrix unit reads them, kept for the next product.

use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, bf16};

use super::element::Value;
use super::unit::product::Packed;

/// The weights that one [`PackedWeight`](crate::PackedWeight) serves at a time: the whole, or its three parts for queries, keys and
/// values, of a model and of its teacher.
const LIMIT: usize = 6;

/// The two ways in which a weight is the right factor of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Forward,
    Backward,
}

/// Packed weights, each with the tensor that it was made from.
#[derive(Clone, Default)]
pub(crate) struct Cache(Arc<Mutex<Vec<Entry>>>);

struct Entry {
    /// Its storage is shared with the weight: whoever changes the weight writes to another place, and a place that this
    /// holds is never given to another tensor. Equal places are therefore equal values.
    weight: FlexTensor,
    forward: Option<Arc<Packed>>,
    backward: Option<Arc<Packed>>,
}

impl Entry {
    fn side(&mut self, side: Side) -> &mut Option<Arc<Packed>> {
        match side {
            Side::Forward => &mut self.forward,
            Side::Backward => &mut self.backward,
        }
    }

    fn is_of(&self, weight: &FlexTensor) -> bool {
        place(weight).is_some() && place(&self.weight) == place(weight) && self.weight.shape() == weight.shape()
    }
}

/// Type and place in memory of a tensor's values, if they are contiguous.
fn place(x: &FlexTensor) -> Option<(DType, usize)> {
    let place = match x.dtype() {
        DType::BF16 => bf16::slice(x)?.as_ptr().addr(),
        _ => f32::slice(x)?.as_ptr().addr(),
    };
    Some((x.dtype(), place))
}

impl Cache {
    /// The packed weight; `pack` makes it if it is not there, or was made from other values.
    pub(super) fn get(&self, weight: &FlexTensor, side: Side, pack: impl FnOnce() -> Packed) -> Arc<Packed> {
        let entries = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A weight that nobody else holds is that of a model that is gone.
        entries().retain(|entry| !entry.weight.is_unique());
        let found = entries().iter_mut().find(|entry| entry.is_of(weight)).and_then(|entry| entry.side(side).clone());
        if let Some(found) = found {
            return found;
        }
        // Without the lock: other threads may be given this one's work while it packs.
        let packed = Arc::new(pack());
        let mut entries = entries();
        if !entries.iter().any(|entry| entry.is_of(weight)) {
            if entries.len() == LIMIT {
                entries.remove(0);
            }
            entries.push(Entry { weight: weight.clone(), forward: None, backward: None });
        }
        if let Some(entry) = entries.iter_mut().find(|entry| entry.is_of(weight)) {
            *entry.side(side) = Some(packed.clone());
        }
        packed
    }
}

#[cfg(test)]
mod tests {
    use super::super::buffer::tensor;
    use super::super::unit::product::Source;
    use super::*;

    #[test]
    fn a_weight_is_packed_once_and_anew_when_it_changes() {
        let cache = Cache::default();
        let made = std::cell::Cell::new(0);
        let get = |weight: &FlexTensor, side| {
            let values = bf16::slice(weight).expect("contiguous").to_vec();
            cache.get(weight, side, || {
                made.set(made.get() + 1);
                Packed::of(2, 2, Source::rows(&values, 2))
            })
        };
        let mut weight = tensor(vec![bf16::ONE; 4], [2, 2]);
        let first = get(&weight, Side::Forward);
        assert!(Arc::ptr_eq(&first, &get(&weight.clone(), Side::Forward)));
        get(&weight, Side::Backward);
        assert_eq!(made.get(), 2);
        // The cache shares its storage, so that it cannot be written to in place.
        assert!(bf16::storage(&mut weight).is_none());
        let other = tensor(vec![bf16::ZERO; 4], [2, 2]);
        assert!(!Arc::ptr_eq(&first, &get(&other, Side::Forward)));
        let held = || cache.0.lock().map(|entries| entries.len()).unwrap_or_default();
        assert_eq!((made.get(), held()), (3, 2));
        // Those of models that are gone are given back at the next use.
        drop((weight, other));
        let all: Vec<FlexTensor> = (0..LIMIT + 2).map(|_| tensor(vec![bf16::ZERO; 4], [2, 2])).collect();
        get(&all[0], Side::Forward);
        assert_eq!((made.get(), held()), (4, 1));
        all.iter().for_each(|weight| _ = get(weight, Side::Forward));
        assert_eq!(held(), LIMIT);
    }
}
