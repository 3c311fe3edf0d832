//! Moves modules and tensors under the automatic differentiation of a training device.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor};

use crate::state::parameters;

/// Moves a module without autodiff to a training device of the same hardware; the tensors' memory is shared. `trains` selects by
/// name the parameters that get gradients.
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

/// Adds a device's autodiff and checkpointing strategy to a tensor: operations refuse operands that differ in it.
pub(crate) fn lift<const D: usize>(tensor: Tensor<D>, device: &Device) -> Tensor<D> {
    match device.gradient_checkpointing_strategy() {
        Some(strategy) => Tensor::from_inner(tensor).with_gradient_checkpointing_strategy(strategy),
        None => tensor,
    }
}

/// Returns the scalar in f32, tracked even if no trained parameter took part (all adapters dropped): burn refuses `backward` on an
/// untracked tensor.
pub(crate) fn tracked(scalar: Tensor<1>, device: &Device) -> Tensor<1> {
    scalar.cast(DType::F32) + Tensor::<1>::zeros([1], device).require_grad()
}
