//! The model in training: a CLIP with or without adapters, and a classifier if the loss compares images with one.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use radapter_clip::model::{Adapter, Clip, Tower};

use crate::state::parameters;

/// CLIP with an optional classifier. The parameters that require a gradient are the trained ones.
#[derive(Module, Debug)]
pub(crate) struct TrainModel<A: Adapter> {
    pub(crate) clip: Clip<A>,
    /// `[classes, embed_dim]`
    pub(crate) head: Option<Param<Tensor<2>>>,
}

impl<A: Adapter> TrainModel<A> {
    /// Returns the device of the parameters, with autodiff if they are under it.
    pub(crate) fn device(&self) -> Device {
        self.clip.logit_scale.val().device()
    }

    /// Whether a tower has trained parameters.
    pub(crate) fn trains(&self, tower: Tower) -> bool {
        match tower {
            Tower::Visual => parameters::any_trained(&self.clip.visual),
            Tower::Text => parameters::any_trained(&self.clip.text),
        }
    }
}
