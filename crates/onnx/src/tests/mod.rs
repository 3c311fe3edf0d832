//! What is written computes what [`radapter_clip::model::Clip`] does, and has the form that other programs expect.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod array;
mod form;
mod interpreter;
mod values;

use burn::tensor::Device;
use radapter_adapter::{AdapterConfig, AdapterSet, Rank, Scale, attach};
use radapter_clip::checkpoint::{Checkpoint, Format};
use radapter_clip::config::{Activation, ClipConfig};
use radapter_clip::model::Clip;
use radapter_clip::state_dict::RawTensor;
use radapter_test_support::{noise, uneven_config, uneven_state};

use crate::{Layout, OnnxFile, OnnxOptions, models};

/// A small model whose towers differ in every size.
fn checkpoint(activation: Activation) -> Checkpoint {
    let config = ClipConfig { activation, ..uneven_config() };
    Checkpoint::new(config, uneven_state(3), Format::OpenClip, "test").unwrap()
}

fn clip(checkpoint: &Checkpoint) -> Clip {
    Clip::from_state(&checkpoint.config, &checkpoint.state, &Device::flex()).unwrap()
}

/// Adapters of random values, in both towers.
fn adapters(checkpoint: &Checkpoint, rank: Rank) -> AdapterSet {
    let config = AdapterConfig { rank, scale: Scale::Learnable(0.7), ..AdapterConfig::default() };
    let adapted = attach(clip(checkpoint), &config, 0).unwrap();
    let noise = noise(9, 0.3);
    let random = |(name, tensor): (String, RawTensor)| match name.ends_with("scale") {
        true => (name, tensor),
        false => (name, noise(&tensor)),
    };
    let tensors = AdapterSet::from_model(&adapted).to_tensors().into_iter().map(random);
    AdapterSet::from_tensors(&tensors.collect()).unwrap()
}

fn options(layout: Layout) -> OnnxOptions {
    OnnxOptions { layout, ..OnnxOptions::default() }
}

fn towers(checkpoint: &Checkpoint, adapters: Option<&AdapterSet>) -> [OnnxFile; 2] {
    models(checkpoint, adapters, &options(Layout::Towers)).unwrap().try_into().unwrap()
}
