//! Adapters for the small models of `radapter-test-support`.

use burn::tensor::Device;
use radapter_adapter::{AdapterConfig, AdapterSet};
use radapter_clip::model::Clip;
pub(crate) use radapter_test_support::{
    bits, distance, embed, numbers, random_rows as rows, uneven_batch as batch, uneven_config as config,
    uneven_state as state,
};

pub(crate) fn clip(seed: u64) -> Clip {
    radapter_test_support::uneven_clip(seed, &Device::flex())
}

/// Adapters of these settings with random values everywhere, scales included.
pub(crate) fn random_set(adapter: &AdapterConfig, seed: u64, bound: f32) -> AdapterSet {
    let noise = radapter_test_support::noise(seed, bound);
    let initial = AdapterSet::initial(&config(), adapter, seed).unwrap();
    let tensors = initial.to_tensors().iter().map(|(key, tensor)| (key.to_owned(), noise(tensor))).collect();
    AdapterSet::from_tensors(&tensors).unwrap()
}
