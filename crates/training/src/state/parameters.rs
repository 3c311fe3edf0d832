//! Parameters of a model by name.
//!
//! burn identifies a parameter by a number that is random in every process. Saved files use names instead: an
//! adapter's by its key in adapter files (`visual.0.attn.weight`), a weight of CLIP by OpenCLIP's name, the classifier as
//! `head`.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn_optim::GradientsParams;
use radapter_clip::model::parameter_name;

use super::tensor_file::{Flat, Named};

/// Name of the classifier.
pub const HEAD: &str = "head";

/// Returns the name of the parameter at this path of a model with the fields `clip` and `head`.
pub(crate) fn key(path: &[String]) -> String {
    let path = match path {
        [first, rest @ ..] if first == "clip" => rest,
        path => path,
    };
    // `{tower}.transformer.resblocks.{layer}.adapter_{site}.{path within the module}`
    if let [tower, _, _, layer, sublayer, within @ ..] = path
        && let Some(site) = sublayer.strip_prefix("adapter_")
    {
        let within: Vec<&str> = within.iter().map(String::as_str).collect();
        // Adapter files use shorter names for R-Adapter's modules.
        let within = match within.as_slice() {
            ["residual", "map", "Full"] => "weight".to_owned(),
            ["residual", "map", "Low", parameter] | ["residual", parameter] => (*parameter).to_owned(),
            others => others.join("."),
        };
        return format!("{tower}.{layer}.{site}.{within}");
    }
    parameter_name(&path.join(".")).to_owned()
}

/// One parameter, while traversing a model.
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) trained: bool,
    pub(crate) flat: Flat,
    /// Its gradient, if gradients were given and it has one.
    pub(crate) gradient: Option<Tensor<1>>,
}

struct Reader<'a, F> {
    path: Vec<String>,
    gradients: Option<&'a mut GradientsParams>,
    take: F,
}

impl<F: FnMut(Entry)> ModuleVisitor for Reader<'_, F> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self.gradients.as_mut().and_then(|gradients| gradients.remove::<D>(param.id)).map(flatten);
        let value = param.val();
        (self.take)(Entry {
            key: key(&self.path),
            trained: value.is_require_grad(),
            flat: Flat { shape: value.dims().to_vec(), values: flatten(value.without_autodiff()) },
            gradient,
        });
    }
}

fn flatten<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let count = tensor.shape().num_elements();
    tensor.reshape([count])
}

/// Visits all parameters in the model's order, without autodiff.
pub(crate) fn each<M: Module>(model: &M, take: impl FnMut(Entry)) {
    model.visit(&mut Reader { path: Vec::new(), gradients: None, take });
}

/// Whether any parameter of a module is trained.
pub(crate) fn any_trained<M: Module>(module: &M) -> bool {
    struct Trained(bool);

    impl ModuleVisitor for Trained {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.0 |= parameter.is_require_grad();
        }
    }

    let mut trained = Trained(false);
    module.visit(&mut trained);
    trained.0
}

/// Whether gradients hold neither NaN nor infinities.
pub(crate) fn are_finite<M: Module>(model: &M, gradients: &GradientsParams) -> bool {
    struct Sums<'a>(&'a GradientsParams, Vec<Tensor<1>>);

    impl ModuleVisitor for Sums<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.1.extend(self.0.get::<D>(param.id).map(|gradient| gradient.abs().sum()));
        }
    }

    let mut sums = Sums(gradients, Vec::new());
    model.visit(&mut sums);
    // One read of the device for all of them.
    sums.1.is_empty() || Tensor::cat(sums.1, 0).sum().into_scalar::<f64>().is_finite()
}

/// Visits all parameters in the model's order with their gradients, which are removed from `gradients`.
pub(crate) fn each_with_gradient<M: Module>(model: &M, gradients: &mut GradientsParams, take: impl FnMut(Entry)) {
    model.visit(&mut Reader { path: Vec::new(), gradients: Some(gradients), take });
}

/// Returns the trained parameters by name.
pub(crate) fn trained<M: Module>(model: &M) -> Named {
    let mut named = Named::new();
    each(model, |entry| {
        if entry.trained {
            named.insert(entry.key, entry.flat);
        }
    });
    named
}

struct Writer<F> {
    path: Vec<String>,
    replace: F,
}

impl<F: FnMut(&str, bool) -> Change> ModuleMapper for Writer<F> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let trained = param.is_require_grad();
        let values = match (self.replace)(&key(&self.path), trained) {
            Change::Keep => return param,
            Change::To(values) => values,
        };
        param.map(|old| {
            let checkpointing = old.gradient_checkpointing_strategy();
            let new: Tensor<D> = values.reshape(old.dims());
            match checkpointing {
                None => new,
                // Operations refuse operands of different checkpointing strategies, so the new value gets the old one's.
                Some(strategy) => {
                    Tensor::from_inner(new).with_gradient_checkpointing_strategy(strategy).set_require_grad(trained)
                }
            }
        })
    }
}

#[allow(clippy::large_enum_variant, reason = "one value lives at a time, for one call")]
pub(crate) enum Change {
    Keep,
    /// New values, flat and without autodiff; the parameter stays trained or frozen.
    To(Tensor<1>),
}

/// Replaces parameters by name; the closure also gets whether the parameter is trained.
pub(crate) fn replace<M: Module>(model: M, replace: impl FnMut(&str, bool) -> Change) -> M {
    model.map(&mut Writer { path: Vec::new(), replace })
}

/// Replaces the parameters that are in `named`.
pub(crate) fn load<M: Module>(model: M, named: &Named) -> M {
    replace(model, |key, _| match named.get(key) {
        Some(flat) => Change::To(flat.values.clone()),
        None => Change::Keep,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_the_names_of_the_files() {
        let name = |path: &str| key(&path.split('.').map(str::to_owned).collect::<Vec<_>>());
        for (path, expected) in [
            ("head", "head"),
            ("clip.logit_scale", "logit_scale"),
            ("clip.visual.conv1.weight", "visual.conv1.weight"),
            ("clip.text.token_embedding.weight", "token_embedding.weight"),
            ("clip.text.transformer.resblocks.3.mlp.c_fc.bias", "transformer.resblocks.3.mlp.c_fc.bias"),
            ("clip.visual.transformer.resblocks.0.adapter_attn.residual.map.Full", "visual.0.attn.weight"),
            ("clip.text.transformer.resblocks.11.adapter_mlp.residual.map.Low.up", "text.11.mlp.up"),
            ("clip.text.transformer.resblocks.11.adapter_mlp.residual.scale", "text.11.mlp.scale"),
            ("clip.text.transformer.resblocks.0.adapter_attn.tokens", "text.0.attn.tokens"),
            ("clip.visual.transformer.resblocks.2.adapter_mlp.fc.down", "visual.2.mlp.fc.down"),
            ("clip.visual.transformer.resblocks.2.adapter_mlp.proj.down", "visual.2.mlp.proj.down"),
        ] {
            assert_eq!(name(path), expected, "{path}");
        }
    }
}
