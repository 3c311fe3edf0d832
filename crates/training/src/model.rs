//! The model that is trained: a CLIP with or without adapters, and a classifier if the loss compares images with one.

use std::io::{self, Write};

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use radapter_adapter::{AdapterConfig, AdapterError, AdapterFile, AdapterSet, Alpha, RAdapter, merge};
use radapter_clip::model::{Adapter, Clip, NoAdapter, Place, Tower};

use crate::state::parameters::{self, HEAD};
use crate::state::tensor_file::{self, Named};

/// A CLIP and perhaps a classifier. Which of their parameters are trained is what requires a gradient.
#[derive(Module, Debug)]
pub(crate) struct TrainModel<A: Adapter> {
    pub(crate) clip: Clip<A>,
    /// `[classes, embed_dim]`
    pub(crate) head: Option<Param<Tensor<2>>>,
}

impl<A: Adapter> TrainModel<A> {
    /// The device the parameters are on, with autodiff if they are under it.
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

/// A kind of model that can be trained, identified by the adapter after its sublayers.
pub(crate) trait Tuned: Adapter + Sync + 'static {
    /// Stem of the names of the files that hold its trained values.
    const STEM: &'static str;

    /// Whether the parameter of this name is trained; `trains_text` says whether the text tower may be.
    fn trains(key: &str, trains_text: bool) -> bool;

    /// The plain CLIP that the trained model stands for. The model is without autodiff.
    fn merge(clip: Clip<Self>, alpha: f64) -> Result<Clip, AdapterError>;

    /// Writes the values as a file.
    fn write(clip: &Clip<Self>, origin: &Origin, out: &mut dyn Write) -> io::Result<()>;
}

/// What a file of adapters says of the run it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) base_hash: String,
    pub(crate) adapter: AdapterConfig,
}

/// R-Adapter: all adapters, and the classifier if the loss has one.
impl Tuned for RAdapter {
    const STEM: &'static str = "adapters";

    fn trains(key: &str, _trains_text: bool) -> bool {
        let of_adapter = |key: &str| key.rsplit_once('.').is_some_and(|(place, _)| place.parse::<Place>().is_ok());
        key == HEAD || of_adapter(key)
    }

    fn merge(clip: Clip<Self>, alpha: f64) -> Result<Clip, AdapterError> {
        let alpha = Alpha::new(alpha).map_err(|error| AdapterError::Setting {
            key: "alpha",
            found: error.found,
            expected: "a number from 0 to 1.5".to_owned(),
        })?;
        merge(&clip, alpha)
    }

    fn write(clip: &Clip<Self>, origin: &Origin, mut out: &mut dyn Write) -> io::Result<()> {
        let file = AdapterFile {
            adapters: AdapterSet::from_model(clip),
            base: Some(origin.base_hash.clone()),
            config: Some(origin.adapter.clone()),
        };
        file.write_to(&mut out)
    }
}

/// Full fine-tuning: the towers that the objective uses, or the image tower alone. CLIP's own logit scale is never trained,
/// as the loss has its temperature.
impl Tuned for NoAdapter {
    const STEM: &'static str = "weights";

    fn trains(key: &str, trains_text: bool) -> bool {
        key != "logit_scale" && (trains_text || key == HEAD || key.starts_with("visual."))
    }

    fn merge(clip: Clip, _alpha: f64) -> Result<Clip, AdapterError> {
        Ok(clip)
    }

    /// All weights, the frozen ones too, under OpenCLIP's names: with the run's architecture, a checkpoint.
    fn write(clip: &Clip, _origin: &Origin, out: &mut dyn Write) -> io::Result<()> {
        let mut named = Named::new();
        parameters::each(clip, |mut entry| {
            // 0-D in every checkpoint; burn has no 0-D tensors.
            if entry.key == "logit_scale" {
                entry.flat.shape.clear();
            }
            named.insert(entry.key, entry.flat);
        });
        tensor_file::write(out, named.iter().map(|(k, v)| (k.clone(), v)), &Default::default())
    }
}
