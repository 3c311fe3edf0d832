//! The correspondence of OpenCLIP's tensors and transformers'.
//!
//! Three of them are not mere renamings: attention's fused `in_proj` is `q_proj`, `k_proj`, `v_proj` in transformers,
//! one after the other along the first axis, and the two projections into the embedding are raw matrices used as `x @
//! P` in OpenCLIP, linears, hence transposed, in transformers. Values are moved, not computed, so both directions are
//! exact.

use crate::state_dict::{RawTensor, StateDict, TensorError};

/// The counterpart in transformers of an OpenCLIP tensor.
enum Counterpart {
    /// The same values under another name.
    Same(String),
    Transposed(String),
    /// Three tensors that follow each other along the first axis.
    Split([String; 3]),
}

impl Counterpart {
    fn names(&self) -> &[String] {
        match self {
            Self::Same(name) | Self::Transposed(name) => std::slice::from_ref(name),
            Self::Split(names) => names,
        }
    }
}

/// The tensors that transformers has for those of OpenCLIP: names and shapes.
pub(super) fn expected_tensors(open_clip: Vec<(String, Vec<usize>)>) -> Vec<(String, Vec<usize>)> {
    let mut tensors = Vec::new();
    for (name, mut shape) in open_clip {
        let counterpart = counterpart(&name);
        match &counterpart {
            Counterpart::Same(_) => {}
            Counterpart::Transposed(_) => shape.reverse(),
            Counterpart::Split(_) => shape[0] /= 3,
        }
        tensors.extend(counterpart.names().iter().map(|name| (name.clone(), shape.clone())));
    }
    tensors
}

/// Tensors under transformers' names, from those under OpenCLIP's.
pub(super) fn from_open_clip(state: &StateDict) -> Result<StateDict, TensorError> {
    let mut result = StateDict::new();
    for (name, tensor) in state.iter() {
        match counterpart(name) {
            Counterpart::Same(name) => drop(result.insert(name, tensor.clone())),
            Counterpart::Transposed(name) => {
                let transposed = tensor.transpose().map_err(|e| e.named(&name))?;
                result.insert(name, transposed);
            }
            Counterpart::Split(names) => {
                let parts = tensor.split_first_axis(3).map_err(|e| e.named(&names[0]))?;
                for (name, part) in names.into_iter().zip(parts) {
                    result.insert(name, part);
                }
            }
        }
    }
    Ok(result)
}

/// The tensors of OpenCLIP named `names`, from those under transformers' names, which have been checked to be there.
pub(super) fn to_open_clip<'a>(
    names: impl Iterator<Item = &'a str>,
    mut state: StateDict,
) -> Result<StateDict, TensorError> {
    let mut take = |name: &String| state.remove(name).ok_or_else(|| TensorError::Missing { name: name.clone() });
    let mut result = StateDict::new();
    for name in names {
        let tensor = match &counterpart(name) {
            Counterpart::Same(name) => take(name)?,
            Counterpart::Transposed(name) => take(name)?.transpose().map_err(|e| e.named(name))?,
            Counterpart::Split([q, k, v]) => {
                RawTensor::join_first_axis(&[take(q)?, take(k)?, take(v)?]).map_err(|e| e.named(q))?
            }
        };
        result.insert(name, tensor);
    }
    Ok(result)
}

/// Whether a tensor's name is one of transformers'.
pub(super) fn is_hugging_face(name: &str) -> bool {
    name.starts_with("vision_model.") || name.starts_with("text_model.")
}

fn counterpart(name: &str) -> Counterpart {
    let same = |name: &str| Counterpart::Same(name.to_owned());
    match name {
        "visual.class_embedding" => return same("vision_model.embeddings.class_embedding"),
        "visual.positional_embedding" => return same("vision_model.embeddings.position_embedding.weight"),
        "visual.conv1.weight" => return same("vision_model.embeddings.patch_embedding.weight"),
        "visual.proj" => return Counterpart::Transposed("visual_projection.weight".to_owned()),
        "token_embedding.weight" => return same("text_model.embeddings.token_embedding.weight"),
        "positional_embedding" => return same("text_model.embeddings.position_embedding.weight"),
        "text_projection" => return Counterpart::Transposed("text_projection.weight".to_owned()),
        _ => {}
    }
    for (open_clip, hugging_face) in [
        // Spelt so in transformers.
        ("visual.ln_pre.", "vision_model.pre_layrnorm."),
        ("visual.ln_post.", "vision_model.post_layernorm."),
        ("ln_final.", "text_model.final_layer_norm."),
    ] {
        if let Some(parameter) = name.strip_prefix(open_clip) {
            return Counterpart::Same(format!("{hugging_face}{parameter}"));
        }
    }
    for (open_clip, hugging_face) in [
        ("visual.transformer.resblocks.", "vision_model.encoder.layers."),
        ("transformer.resblocks.", "text_model.encoder.layers."),
    ] {
        if let Some((layer, parameter)) = name.strip_prefix(open_clip).and_then(|rest| rest.split_once('.')) {
            return in_block(&format!("{hugging_face}{layer}."), parameter);
        }
    }
    same(name)
}

fn in_block(block: &str, parameter: &str) -> Counterpart {
    if let Some(kind) = parameter.strip_prefix("attn.in_proj_") {
        return Counterpart::Split(["q", "k", "v"].map(|part| format!("{block}self_attn.{part}_proj.{kind}")));
    }
    for (open_clip, hugging_face) in [
        ("ln_1.", "layer_norm1."),
        ("attn.out_proj.", "self_attn.out_proj."),
        ("ln_2.", "layer_norm2."),
        ("mlp.c_fc.", "mlp.fc1."),
        ("mlp.c_proj.", "mlp.fc2."),
    ] {
        if let Some(kind) = parameter.strip_prefix(open_clip) {
            return Counterpart::Same(format!("{block}{hugging_face}{kind}"));
        }
    }
    Counterpart::Same(format!("{block}{parameter}"))
}
