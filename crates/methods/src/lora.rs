//! LoRA: low-rank updates of the linears of a frozen CLIP, merged into them.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use radapter_adapter::{AdapterError, Alpha, DropMode, Dropping};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::{Adapter, At, Clip, Context, Encoder, LinearLayer, NoAdapter, Place, Site, Weights};
use radapter_clip::state_dict::StateDict;
use radapter_kernels::matmul;
use radapter_training::config::{LoraSettings, LoraTargets, TrainSettings};
use radapter_training::finetuned::TunedModel;
use radapter_training::method::Output;

use crate::modules::{Attached, add, block, merged_model, uniform, widths};

/// LoRA (Hu, Shen, Wallis, Allen-Zhu, Li, Wang, Wang and Chen, ICLR 2022): `W + (a/r)·B·A` in the attention's projections, and by option in the
/// MLP's, of both towers.
#[derive(Clone, Copy, Debug)]
pub struct LoraMethod;

impl Attached for LoraMethod {
    type Module = Lora;

    const NAME: &'static str = "lora";
    const ABOUT: &'static str =
        "low-rank updates of the attention's projections in both towers, merged; CLIP's own contrastive loss";
    const SOURCE: &'static str = "Hu et al., ICLR 2022, arXiv 2106.09685";
    const OUTPUT: Output = Output::Mergeable;

    fn attach(clip: Clip, settings: &TrainSettings) -> Result<Clip<Lora>, AdapterError> {
        with_updates(clip, &settings.lora, settings.seed)
    }

    /// Merges the updates, scaled by α: `W + α·(a/r)·B·A`.
    fn model(clip: Clip<Lora>, base: &Checkpoint, alpha: &dyn Fn(Place) -> Alpha) -> Result<TunedModel, AdapterError> {
        Ok(merged_model(base, merged(clip, &base.state, alpha)))
    }
}

/// A low-rank update `B·A` of a linear.
#[derive(Module, Debug)]
pub struct LowRankUpdate {
    /// `[rank, in]`
    pub a: Param<Tensor<2>>,
    /// `[out, rank]`; zero at the start
    pub b: Param<Tensor<2>>,
}

impl LowRankUpdate {
    /// `scale · x · Aᵀ · Bᵀ`
    ///
    /// # Shapes
    /// `[rows, in]` → `[rows, out]`
    pub fn forward(&self, x: &Tensor<2>, scale: f64) -> Tensor<2> {
        matmul(matmul(x.clone(), self.a.val()), self.b.val()).mul_scalar(scale)
    }
}

/// The updates of a sublayer's linears, and their common factor.
#[derive(Module, Debug)]
pub struct Lora {
    /// Of the attention's queries.
    pub q: Option<LowRankUpdate>,
    /// Of its keys.
    pub k: Option<LowRankUpdate>,
    /// Of its values.
    pub v: Option<LowRankUpdate>,
    /// Of its output.
    pub out: Option<LowRankUpdate>,
    /// Of the MLP's first linear.
    pub fc: Option<LowRankUpdate>,
    /// Of its second.
    pub proj: Option<LowRankUpdate>,
    #[module(skip)]
    scale: f64,
    /// Dropout of the updates' inputs.
    #[module(skip)]
    dropping: Dropping,
}

impl Adapter for Lora {
    fn leaves_output(&self, _at: At<'_>) -> bool {
        true
    }

    fn linear(&self, layer: LinearLayer, weights: &Weights, x: &Tensor<2>, at: At<'_>) -> Option<Tensor<2>> {
        let parts = match layer {
            LinearLayer::Qkv => vec![&self.q, &self.k, &self.v],
            LinearLayer::OutProj => vec![&self.out],
            LinearLayer::CFc => vec![&self.fc],
            LinearLayer::CProj => vec![&self.proj],
        };
        let parts: Vec<&LowRankUpdate> = parts.into_iter().map(Option::as_ref).collect::<Option<_>>()?;
        let dropped = self.dropping.apply(x.clone(), at);
        let update = Tensor::cat(parts.into_iter().map(|part| part.forward(&dropped, self.scale)).collect(), 1);
        Some(weights.forward_add(x.clone(), update))
    }

    fn treats_samples_alike(&self, context: &Context) -> bool {
        !self.dropping.is_per_sample(context.mode)
    }

    fn treats_tokens_alike(&self, context: &Context) -> bool {
        !self.dropping.is_per_sample(context.mode)
    }
}

/// Freezes a model and adds updates that do not change it yet: `A` is drawn as PyTorch initialises a linear, `B` is zero.
fn with_updates(clip: Clip, settings: &LoraSettings, seed: u64) -> Result<Clip<Lora>, AdapterError> {
    let LoraSettings { rank, alpha, targets, dropout } = *settings;
    let dropping = Dropping::new("lora.dropout", dropout, DropMode::Element)?;
    let (config, device) = (clip.config.clone(), Encoder::device(&clip));
    let narrowest = config.vision.width.min(config.text.width);
    if rank > narrowest {
        return Err(AdapterError::Setting {
            key: "lora.rank",
            found: rank.to_string(),
            expected: format!("at most {narrowest}, the width of the narrower tower"),
        });
    }
    Ok(clip.no_grad().map_adapters(|place, _| {
        let (width, hidden) = widths(&config, place.tower);
        let update = |name: &str, inputs: usize, outputs: usize| LowRankUpdate {
            a: uniform(&format!("lora {place} {name}"), seed, [rank, inputs], 1.0 / (inputs as f32).sqrt(), &device),
            b: Param::from_tensor(Tensor::zeros([outputs, rank], &device)),
        };
        let is_attn = place.site == Site::Attn;
        let is_mlp = place.site == Site::Mlp && targets == LoraTargets::All;
        Lora {
            q: is_attn.then(|| update("q", width, width)),
            k: is_attn.then(|| update("k", width, width)),
            v: is_attn.then(|| update("v", width, width)),
            out: is_attn.then(|| update("out", width, width)),
            fc: is_mlp.then(|| update("fc", width, hidden)),
            proj: is_mlp.then(|| update("proj", hidden, width)),
            scale: alpha / rank as f64,
            dropping,
        }
    }))
}

/// Adds the updates to the tensors that they change.
fn merged(clip: Clip<Lora>, base: &StateDict, alpha: &dyn Fn(Place) -> Alpha) -> StateDict {
    let mut state = base.clone();
    let _plain = clip.map_adapters(|place, lora| {
        let factor = alpha(place).get() * lora.scale;
        let Lora { q, k, v, out, fc, proj, .. } = lora;
        // With the part of the tensor that each changes.
        let of_tensors = [
            ("attn.in_proj_weight", 0, q),
            ("attn.in_proj_weight", 1, k),
            ("attn.in_proj_weight", 2, v),
            ("attn.out_proj.weight", 0, out),
            ("mlp.c_fc.weight", 0, fc),
            ("mlp.c_proj.weight", 0, proj),
        ];
        for (name, part, LowRankUpdate { a, b }) in
            of_tensors.into_iter().filter_map(|(name, part, update)| Some((name, part, update?)))
        {
            if factor != 0.0 {
                let delta = b.val().matmul(a.val()).mul_scalar(factor).into_data();
                add(&mut state, format!("{}{name}", block(place)), part * delta.num_elements(), &delta);
            }
        }
        NoAdapter {}
    });
    state
}
