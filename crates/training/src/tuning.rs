use std::io::{self, Write};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};
use radapter_adapter::{AdapterError, AdapterFile, AdapterSet, Alpha, RAdapter, merge};
use radapter_clip::model::{Adapter, Clip, NoAdapter, Place};

use crate::parameters::{self, HEAD};
use crate::results::Results;
use crate::tensor_file::{self, Named};

/// A kind of model that can be trained, told by what stands behind its sublayers.
pub(crate) trait Tuned: Adapter + Sync + 'static {
    /// How the files of its values are called.
    const STEM: &'static str;

    /// Whether the parameter of this name is trained.
    fn trains(key: &str, trains_text: bool) -> bool;

    /// The plain CLIP that the trained model stands for. The model is without autodiff.
    fn merge(clip: Clip<Self>, alpha: Alpha) -> Result<Clip, AdapterError>;

    /// Writes the values as a file.
    fn write(clip: &Clip<Self>, results: &Results, out: &mut dyn Write) -> io::Result<()>;
}

/// R-Adapter: the adapters, wherever they stand, and the classifier if the loss has one.
impl Tuned for RAdapter {
    const STEM: &'static str = "adapters";

    fn trains(key: &str, _trains_text: bool) -> bool {
        let of_adapter = |key: &str| key.rsplit_once('.').is_some_and(|(place, _)| place.parse::<Place>().is_ok());
        key == HEAD || of_adapter(key)
    }

    fn merge(clip: Clip<Self>, alpha: Alpha) -> Result<Clip, AdapterError> {
        merge(&clip, alpha)
    }

    fn write(clip: &Clip<Self>, results: &Results, mut out: &mut dyn Write) -> io::Result<()> {
        let file = AdapterFile {
            adapters: AdapterSet::from_model(clip),
            base: Some(results.base_hash.clone()),
            config: Some(results.adapter.clone()),
        };
        file.write_to(&mut out)
    }
}

/// Full fine-tuning: the towers that the objective uses, or the image tower alone. CLIP's own logit scale is never trained, the loss has its
/// temperature.
impl Tuned for NoAdapter {
    const STEM: &'static str = "weights";

    fn trains(key: &str, trains_text: bool) -> bool {
        key != "logit_scale" && (trains_text || key == HEAD || key.starts_with("visual."))
    }

    fn merge(clip: Clip, _alpha: Alpha) -> Result<Clip, AdapterError> {
        Ok(clip)
    }

    /// All weights, the frozen ones too, under OpenCLIP's names: with the run's architecture, a checkpoint.
    fn write(clip: &Clip, _results: &Results, out: &mut dyn Write) -> io::Result<()> {
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

/// Takes a module without autodiff to a training device of the same hardware; the tensors' memory is shared.
pub(crate) fn to_training<M: Module>(module: M, device: &Device, trains: impl Fn(&str) -> bool) -> M {
    struct Lift<'a, F> {
        device: &'a Device,
        trains: F,
        path: Vec<String>,
    }
    impl<F: Fn(&str) -> bool> ModuleMapper for Lift<'_, F> {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let trained = (self.trains)(&parameters::key(&self.path));
            let (id, value, _) = param.consume();
            let value = lift(value, self.device).set_require_grad(trained);
            Param::initialized(id, value)
        }
    }
    module.map(&mut Lift { device, trains, path: Vec::new() })
}

/// A tensor under the autodiff and checkpointing of a device: operations refuse operands that differ in it.
pub(crate) fn lift<const D: usize>(tensor: Tensor<D>, device: &Device) -> Tensor<D> {
    match device.gradient_checkpointing_strategy() {
        Some(strategy) => Tensor::from_inner(tensor).with_gradient_checkpointing_strategy(strategy),
        None => tensor,
    }
}
