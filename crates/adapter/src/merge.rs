//! Re-parameterization: folding adapters into the linears before them.

use burn::module::Module;
use burn::tensor::{DType, Device};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::{Clip, Linear, Place, Site, Tower};
use radapter_clip::state_dict::{RawTensor, StateDict, StoredDtype};

use crate::radapter::{RAdapter, Residual};
use crate::weights::{upload, values};
use crate::{AdapterError, AdapterSet, Alpha, Alphas, Depth, Probe, adapters, attach_trained, tolerance, with_alpha};

/// A merged model, compared with the unmerged one.
#[derive(Debug)]
#[allow(missing_docs, reason = "the type is documented")]
pub struct Merged {
    pub clip: Clip,
    /// The largest distance found between an embedding before and after.
    pub difference: f64,
}

/// Folds a model's adapters, scaled by α, into `out_proj` and `c_proj`: a plain CLIP that computes the same.
///
/// ```text
/// W' = (I + F)·W    b' = (I + F)·b    F = α·s·F̃        (arXiv 2408.05749, equations 7 to 9)
/// ```
///
/// computed as `W + F·W`, so that the small term is added to the large one once, in f32 whatever the weights' type,
/// which they keep. Each adapter has its own α. α = 0 gives the frozen model bit for bit. The result is on the model's device, outside autodiff.
///
/// # Errors
/// [`AdapterError::NotFinite`] for adapters that hold NaN or infinities.
pub fn merge(model: &Clip<RAdapter>, alphas: impl Into<Alphas>) -> Result<Clip, AdapterError> {
    let (model, alphas) = (model.valid(), alphas.into());
    alphas.check_fits(&model.config)?;
    let depth = Depth::from(&model.config);
    AdapterSet::from_model(&model).check_finite()?;
    let residuals: Vec<(Place, Residual)> =
        adapters(&model).filter_map(|(place, adapter)| Some((place, adapter.residual.clone()?))).collect();
    let mut clip = model.without_adapters();
    for (place, residual) in residuals {
        let alpha = depth.alpha(&alphas, place);
        if alpha == Alpha::ZERO {
            continue;
        }
        let linear = linear_mut(&mut clip, place);
        let Linear { weight, bias, .. } = linear.clone();
        let dtype = weight.val().dtype();
        let alpha = alpha.get();
        linear.weight = weight.map(|weight| residual.fold_weight(weight.cast(DType::F32), alpha).cast(dtype));
        linear.bias = bias.map(|bias| residual.fold_bias(bias.cast(DType::F32), alpha).cast(dtype));
    }
    Ok(clip)
}

/// Runs [`merge`] and compares the embeddings of a probe batch before and after.
///
/// # Errors
/// [`AdapterError::MergeDiffers`] if they are further apart than [`tolerance`] allows in f32, and the errors of
/// [`merge`].
pub fn merge_checked(model: &Clip<RAdapter>, alphas: impl Into<Alphas>) -> Result<Merged, AdapterError> {
    let alphas = alphas.into();
    let clip = merge(model, alphas.clone())?;
    let probe = Probe::new(&clip);
    let adapted = probe.embed(&with_alpha(model.valid(), alphas));
    let difference = adapted.check(&probe.embed(&clip), tolerance(StoredDtype::F32))?;
    Ok(Merged { clip, difference })
}

/// Runs [`merge_state`] on a checkpoint and compares the embeddings of a probe batch before and after on `device`.
/// Returns the merged checkpoint and the largest distance found.
///
/// # Errors
/// The errors of [`merge_state`], and [`AdapterError::MergeDiffers`] as for [`merge_checked`].
pub fn merge_checkpoint(
    base: &Checkpoint,
    set: &AdapterSet,
    alphas: impl Into<Alphas>,
    device: &Device,
) -> Result<(Checkpoint, f64), AdapterError> {
    let alphas = alphas.into();
    tracing::debug!("merging {} adapters at alpha = {alphas}", set.len());
    alphas.check_fits(&base.config)?;
    let merged = Checkpoint { state: merge_state(&base.state, set, alphas.clone(), device)?, ..base.clone() };
    // One model after the other: each is as large as the base.
    let adapted = with_alpha(attach_trained(Clip::from_state(&base.config, &base.state, device)?, set)?, alphas);
    let probe = Probe::new(&adapted);
    let adapted = probe.embed(&adapted);
    let clip = Clip::from_state(&merged.config, &merged.state, device)?;
    let difference = adapted.check(&probe.embed(&clip), tolerance(StoredDtype::F32))?;
    Ok((merged, difference))
}

/// Runs [`merge`] on a checkpoint's tensors, without building the model: the tensors that adapters are merged into come
/// out in f32, all others as they were. α = 0 gives the tensors back bit for bit.
///
/// # Errors
/// [`AdapterError::Base`] if a tensor is missing or of another shape than the adapter asks for, and
/// [`AdapterError::NotFinite`] for values that are, or become, NaN or infinite.
pub fn merge_state(
    state: &StateDict,
    set: &AdapterSet,
    alphas: impl Into<Alphas>,
    device: &Device,
) -> Result<StateDict, AdapterError> {
    set.check_finite()?;
    let (mut state, alphas, depth) = (state.clone(), alphas.into(), Depth::of_state(state));
    for (place, adapter) in set.iter() {
        let alpha = depth.alpha(&alphas, place);
        if alpha == Alpha::ZERO {
            continue;
        }
        let (width, residual) = (adapter.width(), adapter.to_residual(device));
        let name = linear_name(place);
        let key = format!("{name}.weight");
        let weight = base(&state, &key, width, 2)?;
        let shape = weight.shape().to_vec();
        let weight = residual.fold_weight(upload(weight, device), alpha.get());
        insert(&mut state, key, shape, values(weight))?;

        let key = format!("{name}.bias");
        let bias = residual.fold_bias(upload(base(&state, &key, width, 1)?, device), alpha.get());
        insert(&mut state, key, vec![width], values(bias))?;
    }
    Ok(state)
}

/// The last linear of a place's sublayer.
fn linear_mut(clip: &mut Clip, place: Place) -> &mut Linear {
    let blocks = match place.tower {
        Tower::Visual => &mut clip.visual.transformer.resblocks,
        Tower::Text => &mut clip.text.transformer.resblocks,
    };
    // The place was enumerated from this very model.
    let block = &mut blocks[place.layer];
    match place.site {
        Site::Attn => &mut block.attn.out_proj,
        Site::Mlp => &mut block.mlp.c_proj,
    }
}

/// The name of that linear in a checkpoint.
fn linear_name(place: Place) -> String {
    let tower = match place.tower {
        Tower::Visual => "visual.transformer",
        Tower::Text => "transformer",
    };
    let linear = match place.site {
        Site::Attn => "attn.out_proj",
        Site::Mlp => "mlp.c_proj",
    };
    format!("{tower}.resblocks.{}.{linear}", place.layer)
}

fn base<'a>(state: &'a StateDict, key: &str, width: usize, axes: usize) -> Result<&'a RawTensor, AdapterError> {
    let expected = || match axes {
        1 => format!("shape [{width}]"),
        _ => format!("shape [{width}, …]"),
    };
    let wrong = |found| AdapterError::Base { key: key.to_owned(), expected: expected(), found };
    let tensor = state.get(key).ok_or_else(|| wrong("no such tensor".to_owned()))?;
    match tensor.shape() {
        shape if shape.len() == axes && shape[0] == width => Ok(tensor),
        shape => Err(wrong(format!("shape {shape:?}"))),
    }
}

fn insert(state: &mut StateDict, key: String, shape: Vec<usize>, values: Vec<f32>) -> Result<(), AdapterError> {
    match values.iter().filter(|value| !value.is_finite()).count() {
        0 => {
            state.insert(key, RawTensor::from_f32(shape, values));
            Ok(())
        }
        count => Err(AdapterError::NotFinite { key, count }),
    }
}
