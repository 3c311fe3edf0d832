//! LoRA: low-rank updates of the linears of a frozen CLIP, merged into them.

use std::io::{self, Write};
use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use radapter_adapter::{AdapterError, Alpha, Alphas, Depth};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::{Adapter, At, Clip, Encoder, LinearLayer, Place, Site, Tower, Weights};
use radapter_clip::state_dict::{RawTensor, StateDict};
use radapter_datasets::seed::{self, Draw as _};
use radapter_training::config::{LoraSettings, LoraTargets, Tune};
use radapter_training::finetuned::{FineTunedError, RunFiles, TunedModel};
use radapter_training::method::Output;
use radapter_training::state::{HEAD, read_parameters, write_parameters};
use radapter_training::{Method, Outcome, Start, TrainError, Tuning};

const STEM: &str = "lora";

/// LoRA (Hu, Shen, Wallis, Allen-Zhu, Li, Wang, Wang and Chen, ICLR 2022): `W + (a/r)·B·A` in the attention's projections, and by option in the
/// MLP's, of both towers.
#[derive(Clone, Copy, Debug)]
pub struct LoraMethod;

impl Method for LoraMethod {
    fn name(&self) -> &'static str {
        "lora"
    }

    fn about(&self) -> &'static str {
        "low-rank updates of the attention's projections in both towers, merged; CLIP's own contrastive loss"
    }

    fn source(&self) -> &'static str {
        "Hu et al., ICLR 2022, arXiv 2106.09685"
    }

    fn settings(&self) -> &'static str {
        r#"
            tune = "adapters"
            loss.kind = "info-nce"
            ema = "none"
        "#
    }

    fn groups(&self) -> &'static [&'static str] {
        &["lora"]
    }

    fn tunes(&self) -> &'static [Tune] {
        &[Tune::Adapters]
    }

    fn output(&self) -> Output {
        Output::Mergeable
    }

    fn stem(&self) -> &'static str {
        STEM
    }

    fn train(&self, start: Start) -> Result<Outcome, TrainError> {
        let (settings, seed) = (start.settings().lora, start.settings().seed);
        let base = start.base().in_precision(start.settings().precision);
        let clip = with_updates(base, &settings, seed).map_err(|error| TrainError::Adapter(Box::new(error)))?;
        start.run(clip, Box::new(Updates))
    }

    /// Merges the updates, scaled by α: `W + α·(a/r)·B·A`.
    fn open(
        &self,
        run: &RunFiles,
        base: &Checkpoint,
        alphas: &Alphas,
        device: &Device,
    ) -> Result<TunedModel, FineTunedError> {
        alphas.check_fits(&base.config)?;
        let train = run.train();
        let clip = Clip::from_state(&base.config, &base.state, device)?;
        let clip = with_updates(clip, &train.lora, train.seed)?;
        let clip = read_parameters(clip, is_update, &run.evaluated(STEM))?;
        let depth = Depth::from(&base.config);
        let state = merged(clip, &base.state, &train.lora, |place| depth.alpha(alphas, place))?;
        Ok(TunedModel::Merged(Box::new(Checkpoint { state, ..base.clone() })))
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
        let [a, b] = [&self.a, &self.b].map(|factor| factor.val().cast(x.dtype()).transpose());
        x.clone().matmul(a).matmul(b).mul_scalar(scale)
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
}

impl Adapter for Lora {
    fn linear(&self, layer: LinearLayer, weights: &Weights, x: &Tensor<2>, _at: At<'_>) -> Option<Tensor<2>> {
        let update = match layer {
            LinearLayer::Qkv => {
                let parts =
                    [&self.q, &self.k, &self.v].map(|part| part.as_ref().map(|part| part.forward(x, self.scale)));
                Tensor::cat(parts.into_iter().collect::<Option<Vec<_>>>()?, 1)
            }
            LinearLayer::OutProj => self.out.as_ref()?.forward(x, self.scale),
            LinearLayer::CFc => self.fc.as_ref()?.forward(x, self.scale),
            LinearLayer::CProj => self.proj.as_ref()?.forward(x, self.scale),
        };
        Some(weights.forward(x.clone()) + update)
    }
}

/// Freezes a model and adds updates that do not change it yet: `A` is drawn as PyTorch initialises a linear, `B` is zero.
fn with_updates(clip: Clip, settings: &LoraSettings, seed: u64) -> Result<Clip<Lora>, AdapterError> {
    let LoraSettings { rank, alpha, targets } = *settings;
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
        let (width, hidden) = match place.tower {
            Tower::Visual => (config.vision.width, config.vision.mlp_width),
            Tower::Text => (config.text.width, config.text.mlp_width),
        };
        let mut random = seed::rng(&format!("lora {place}"), &[seed]);
        let mut update = |inputs: usize, outputs: usize| {
            let bound = 1.0 / (inputs as f32).sqrt();
            let values: Vec<f32> = (0..rank * inputs).map(|_| random.between(-bound, bound)).collect();
            Some(LowRankUpdate {
                a: Param::from_tensor(Tensor::from_data(TensorData::new(values, [rank, inputs]), &device)),
                b: Param::from_tensor(Tensor::zeros([outputs, rank], &device)),
            })
        };
        let is_attn = place.site == Site::Attn;
        let is_mlp = place.site == Site::Mlp && targets == LoraTargets::All;
        Lora {
            q: is_attn.then(|| update(width, width)).flatten(),
            k: is_attn.then(|| update(width, width)).flatten(),
            v: is_attn.then(|| update(width, width)).flatten(),
            out: is_attn.then(|| update(width, width)).flatten(),
            fc: is_mlp.then(|| update(width, hidden)).flatten(),
            proj: is_mlp.then(|| update(hidden, width)).flatten(),
            scale: alpha / rank as f64,
        }
    }))
}

/// Adds the updates to the tensors that they change.
fn merged(
    clip: Clip<Lora>,
    base: &StateDict,
    settings: &LoraSettings,
    alpha: impl Fn(Place) -> Alpha,
) -> Result<StateDict, FineTunedError> {
    let mut updates = Vec::new();
    let _plain = clip.map_adapters(|place, lora| {
        let Lora { q, k, v, out, fc, proj, .. } = lora;
        // The row of the tensor where each begins, in units of the width.
        let of_tensors = [
            ("attn.in_proj_weight", 0, q),
            ("attn.in_proj_weight", 1, k),
            ("attn.in_proj_weight", 2, v),
            ("attn.out_proj.weight", 0, out),
            ("mlp.c_fc.weight", 0, fc),
            ("mlp.c_proj.weight", 0, proj),
        ];
        let present = of_tensors.into_iter().filter_map(|(name, part, update)| Some((name, part, update?)));
        updates.extend(present.map(|(name, part, update)| (place, name, part, update)));
        radapter_clip::model::NoAdapter {}
    });
    let mut state = base.clone();
    for (place, name, part, LowRankUpdate { a, b }) in updates {
        let factor = alpha(place).get() * settings.alpha / settings.rank as f64;
        if factor == 0.0 {
            continue;
        }
        let prefix = if place.tower == Tower::Visual { "visual." } else { "" };
        let name = format!("{prefix}transformer.resblocks.{}.{name}", place.layer);
        let Some(tensor) = state.get(&name) else { continue };
        let (shape, mut values) = (tensor.shape().to_vec(), tensor.to_f32());
        let delta = b.val().matmul(a.val()).mul_scalar(factor).into_data();
        let start = part * delta.num_elements();
        for (value, delta) in values[start..].iter_mut().zip(delta.iter::<f32>()) {
            *value += delta;
        }
        state.insert(name, RawTensor::from_f32(shape, values));
    }
    Ok(state)
}

/// Whether a parameter is a factor of an update: `{tower}.{layer}.{site}.{linear}.{a or b}`.
fn is_update(key: &str) -> bool {
    let place = key.rsplit_once('.').and_then(|(path, _)| path.rsplit_once('.')).map(|(place, _)| place);
    place.is_some_and(|place| place.parse::<Place>().is_ok())
}

#[derive(Debug)]
struct Updates;

impl Tuning<Lora> for Updates {
    fn stem(&self) -> &'static str {
        STEM
    }

    fn trains(&self, key: &str, _phase: usize) -> bool {
        key == HEAD || is_update(key)
    }

    fn encoder(&self, clip: Clip<Lora>, _alpha: Alpha) -> Result<Box<dyn Encoder>, AdapterError> {
        Ok(Box::new(clip))
    }

    fn write(&self, clip: &Clip<Lora>, _base_hash: &str, out: &mut dyn Write) -> io::Result<()> {
        write_parameters(clip, is_update, out)
    }

    fn read(&self, clip: Clip<Lora>, path: &Path) -> Result<Clip<Lora>, TrainError> {
        read_parameters(clip, is_update, path)
    }
}
