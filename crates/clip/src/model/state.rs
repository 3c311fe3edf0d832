//! Builds a model from a checkpoint's tensors, and reads them back.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};

use super::{
    Adapter, Attention, Block, Clip, ImageTower, LayerNorm, Linear, Mlp, NoAdapter, PatchEmbedding, Precision,
    TextTower, TokenEmbedding, Transformer,
};
use crate::config::{Activation, ClipConfig, ConfigError};
use crate::state_dict::{RawTensor, StateDict};

/// Why a model could not be built from tensors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum ModelError {
    /// The architecture is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("tensor `{name}` is missing; the architecture expects it with shape {expected:?}")]
    Missing { name: String, expected: Vec<usize> },
    /// A tensor's shape differs from the architecture's.
    #[error("tensor `{name}` has shape {found:?}, the architecture expects {expected:?}")]
    Shape { name: String, expected: Vec<usize>, found: Vec<usize> },
}

/// Returns the name in an OpenCLIP checkpoint of the parameter at a path of a [`Clip`].
///
/// The paths are OpenCLIP's names except in the text tower, whose tensors are at the checkpoint's top level.
pub fn parameter_name(path: &str) -> &str {
    path.strip_prefix("text.").unwrap_or(path)
}

impl Clip<NoAdapter> {
    /// Builds the network in f32 on a device; no parameter requires a gradient.
    ///
    /// # Errors
    /// [`ModelError`] if the config is invalid, or a tensor is missing or misshapen. Extra tensors are ignored here;
    /// [`checkpoint`](crate::checkpoint) refuses them.
    pub fn from_state(config: &ClipConfig, state: &StateDict, device: &Device) -> Result<Self, ModelError> {
        Self::from_owned_state(config, state.clone(), device)
    }

    /// As [`from_state`](Self::from_state), and frees each tensor as soon as its parameter is built: memory holds the model and one
    /// tensor, not two models.
    ///
    /// # Errors
    /// As [`from_state`](Self::from_state).
    pub fn from_owned_state(config: &ClipConfig, state: StateDict, device: &Device) -> Result<Self, ModelError> {
        config.validate()?;
        let mut from = Source { state, device };
        let (vision, text) = (&config.vision, &config.text);
        let patches = (vision.image_size / vision.patch_size).pow(2);
        let image_stack = Stack {
            prefix: "visual.transformer",
            width: vision.width,
            layers: vision.layers,
            heads: vision.heads,
            mlp_width: vision.mlp_width,
            epsilon: vision.layer_norm_eps,
            activation: config.activation,
        };
        let text_stack = Stack {
            prefix: "transformer",
            width: text.width,
            layers: text.layers,
            heads: text.heads,
            mlp_width: text.mlp_width,
            epsilon: text.layer_norm_eps,
            activation: config.activation,
        };
        Ok(Self {
            visual: ImageTower {
                conv1: PatchEmbedding {
                    weight: from
                        .parameter("visual.conv1.weight", [vision.width, 3, vision.patch_size, vision.patch_size])?,
                },
                class_embedding: from.parameter("visual.class_embedding", [vision.width])?,
                positional_embedding: from.parameter("visual.positional_embedding", [1 + patches, vision.width])?,
                ln_pre: from.layer_norm("visual.ln_pre", vision.width, vision.layer_norm_eps)?,
                transformer: from.transformer(&image_stack)?,
                ln_post: from.layer_norm("visual.ln_post", vision.width, vision.layer_norm_eps)?,
                proj: from.parameter("visual.proj", [vision.width, config.embed_dim])?,
            },
            text: TextTower {
                token_embedding: TokenEmbedding {
                    weight: from.parameter("token_embedding.weight", [text.vocab_size, text.width])?,
                },
                positional_embedding: from.parameter("positional_embedding", [text.context_length, text.width])?,
                transformer: from.transformer(&text_stack)?,
                ln_final: from.layer_norm("ln_final", text.width, text.layer_norm_eps)?,
                text_projection: from.parameter("text_projection", [text.width, config.embed_dim])?,
            },
            logit_scale: from.scalar("logit_scale")?,
            config: config.clone(),
            precision: Precision::F32,
        })
    }

    /// Returns the parameters in f32 under OpenCLIP's names and in its layouts.
    pub fn to_state(&self) -> StateDict {
        let mut collector = Collector::default();
        self.visit(&mut collector);
        collector.state
    }
}

impl<A: Adapter> Clip<A> {
    /// Computes [`StateDict::hash`] of the text tower alone: the same for two models that embed texts alike.
    pub fn text_hash(&self) -> String {
        let mut collector = Collector::default();
        self.text.visit(&mut collector);
        collector.state.hash()
    }
}

/// The tensors that parameters are built from, and the device they are built on.
struct Source<'a> {
    /// Those of which no parameter is built yet.
    state: StateDict,
    device: &'a Device,
}

/// The blocks of one tower.
struct Stack<'a> {
    prefix: &'a str,
    width: usize,
    layers: usize,
    heads: usize,
    mlp_width: usize,
    epsilon: f64,
    activation: Activation,
}

impl Source<'_> {
    fn take(&mut self, name: &str, expected: &[usize]) -> Result<RawTensor, ModelError> {
        let tensor = self
            .state
            .remove(name)
            .ok_or_else(|| ModelError::Missing { name: name.to_owned(), expected: expected.to_vec() })?;
        if tensor.shape() != expected {
            return Err(ModelError::Shape {
                name: name.to_owned(),
                expected: expected.to_vec(),
                found: tensor.shape().to_vec(),
            });
        }
        Ok(tensor)
    }

    fn parameter<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Result<Param<Tensor<D>>, ModelError> {
        let values = self.take(name, &shape)?.to_f32();
        let tensor = Tensor::from_data(TensorData::new(values, shape), self.device);
        Ok(Param::initialized(ParamId::new(), tensor))
    }

    /// A 0-D tensor of the file as one element.
    fn scalar(&mut self, name: &str) -> Result<Param<Tensor<1>>, ModelError> {
        let values = self.take(name, &[])?.to_f32();
        let tensor = Tensor::from_data(TensorData::new(values, [1]), self.device);
        Ok(Param::initialized(ParamId::new(), tensor))
    }

    fn linear(&mut self, prefix: &str, out: usize, into: usize) -> Result<Linear, ModelError> {
        let weight = self.parameter(&format!("{prefix}.weight"), [out, into])?;
        Ok(Linear::new(weight, self.parameter(&format!("{prefix}.bias"), [out])?))
    }

    fn layer_norm(&mut self, prefix: &str, width: usize, epsilon: f64) -> Result<LayerNorm, ModelError> {
        Ok(LayerNorm {
            weight: self.parameter(&format!("{prefix}.weight"), [width])?,
            bias: self.parameter(&format!("{prefix}.bias"), [width])?,
            epsilon,
        })
    }

    fn transformer(&mut self, stack: &Stack<'_>) -> Result<Transformer<NoAdapter>, ModelError> {
        let resblocks = (0..stack.layers)
            .map(|layer| self.block(stack, &format!("{}.resblocks.{layer}", stack.prefix)))
            .collect::<Result<_, _>>()?;
        Ok(Transformer { resblocks })
    }

    fn block(&mut self, stack: &Stack<'_>, prefix: &str) -> Result<Block<NoAdapter>, ModelError> {
        let width = stack.width;
        Ok(Block {
            ln_1: self.layer_norm(&format!("{prefix}.ln_1"), width, stack.epsilon)?,
            attn: Attention {
                in_proj_weight: self.parameter(&format!("{prefix}.attn.in_proj_weight"), [3 * width, width])?,
                in_proj_bias: self.parameter(&format!("{prefix}.attn.in_proj_bias"), [3 * width])?,
                out_proj: self.linear(&format!("{prefix}.attn.out_proj"), width, width)?,
                heads: stack.heads,
                packed: Default::default(),
            },
            adapter_attn: NoAdapter {},
            ln_2: self.layer_norm(&format!("{prefix}.ln_2"), width, stack.epsilon)?,
            mlp: Mlp {
                c_fc: self.linear(&format!("{prefix}.mlp.c_fc"), stack.mlp_width, width)?,
                c_proj: self.linear(&format!("{prefix}.mlp.c_proj"), width, stack.mlp_width)?,
                activation: stack.activation,
            },
            adapter_mlp: NoAdapter {},
        })
    }
}

/// Collects parameters under OpenCLIP's names.
#[derive(Default)]
struct Collector {
    path: Vec<String>,
    state: StateDict,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.path.join(".");
        let name = parameter_name(&path);
        let data = param.val().into_data().convert::<f32>();
        // The logit scale is 0-D in every checkpoint; burn has no 0-D tensors.
        let shape = if name == "logit_scale" { vec![] } else { param.dims().to_vec() };
        let values = data.try_into_vec::<f32>().expect("the data was just converted to f32");
        self.state.insert(name, RawTensor::from_f32(shape, values));
    }
}
