//! The adapters of a model and their trained parameters, in one order.

use burn::module::{Param, ParamId};
use burn::tensor::Tensor;
use radapter_clip::model::{Block, Clip, Place, Site, Tower};

use crate::radapter::{LowRank, Map, RAdapter};

/// A trained parameter of an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterParameter {
    /// Its name in an adapter file, such as `visual.0.attn.weight`. Unlike the id, the same in every process.
    pub key: String,
    /// Its key in gradients and optimizers.
    pub id: ParamId,
    /// Its shape; `[1]` for a scale.
    pub shape: Vec<usize>,
}

/// Iterates over a model's adapters by place: visual before text, blocks from the input, attention before MLP.
pub fn adapters(model: &Clip<RAdapter>) -> impl Iterator<Item = (Place, &RAdapter)> {
    tower(&model.visual.transformer.resblocks, Tower::Visual)
        .chain(tower(&model.text.transformer.resblocks, Tower::Text))
}

fn tower(blocks: &[Block<RAdapter>], tower: Tower) -> impl Iterator<Item = (Place, &RAdapter)> {
    blocks.iter().enumerate().flat_map(move |(layer, block)| {
        let at = |site| Place { tower, layer, site };
        [(at(Site::Attn), &block.adapter_attn), (at(Site::Mlp), &block.adapter_mlp)]
    })
}

/// Lists the trained parameters of a model's adapters in the order of [`adapters`], of each adapter the map before the
/// scale.
///
/// In a step in which an adapter is dropped, autodiff has no gradient for its parameters. An optimizer that behaves as torch's
/// needs zeros of these shapes instead.
pub fn parameters(model: &Clip<RAdapter>) -> Vec<AdapterParameter> {
    let mut parameters = Vec::new();
    for (place, adapter) in adapters(model) {
        let Some(residual) = &adapter.residual else {
            continue;
        };
        let mut push = |part: &str, id, shape: Vec<usize>| {
            parameters.push(AdapterParameter { key: format!("{place}.{part}"), id, shape });
        };
        let shape = |parameter: &Param<Tensor<2>>| parameter.lazy_shape().to_vec();
        match &residual.map {
            Map::Full(weight) => push("weight", weight.id, shape(weight)),
            Map::Low(LowRank { down, up }) => {
                push("down", down.id, shape(down));
                push("up", up.id, shape(up));
            }
        }
        if let Some(scale) = &residual.scale {
            push("scale", scale.id, vec![1]);
        }
    }
    parameters
}
