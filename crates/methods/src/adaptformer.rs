//! AdaptFormer: bottlenecks in parallel to the MLPs of a frozen CLIP.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use radapter_adapter::{AdapterError, Alpha, DropMode, Dropping};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::{Adapter, At, Clip, Context, Encoder, Place, Site};
use radapter_kernels::{add, linear};
use radapter_training::config::{AdaptFormerSettings, TrainSettings};
use radapter_training::finetuned::TunedModel;
use radapter_training::method::Output;

use crate::modules::{Attached, uniform, widths};

/// AdaptFormer (Chen, Ge, Tong, Wang, Song, Wang and Luo, NeurIPS 2022): `MLP(LN(x)) + s·up(ReLU(down(LN(x))))` in every block of both
/// towers. The non-linearity keeps it from being merged.
///
/// LN is the block's own; the released code feeds the input before any norm.
#[derive(Clone, Copy, Debug)]
pub struct AdaptFormerMethod;

impl Attached for AdaptFormerMethod {
    type Module = AdaptFormer;

    const NAME: &'static str = "adaptformer";
    const ABOUT: &'static str =
        "bottlenecks with ReLU in parallel to the MLPs of both towers, not merged; CLIP's own contrastive loss";
    const SOURCE: &'static str = "Chen et al., NeurIPS 2022, arXiv 2205.13535";
    const OUTPUT: Output = Output::RuntimeOnly;

    fn attach(clip: Clip, settings: &TrainSettings) -> Result<Clip<AdaptFormer>, AdapterError> {
        with_bottlenecks(clip, &settings.adaptformer, settings.seed)
    }

    /// Scales the bottlenecks by α, in the parameters, which tell cached embeddings of one model from another's.
    fn model(
        clip: Clip<AdaptFormer>,
        _base: &Checkpoint,
        alpha: &dyn Fn(Place) -> Alpha,
    ) -> Result<TunedModel, AdapterError> {
        let scaled = |bottleneck: Bottleneck, alpha: f64| Bottleneck {
            up: bottleneck.up.map(|up| up.mul_scalar(alpha)),
            up_bias: bottleneck.up_bias.map(|bias| bias.mul_scalar(alpha)),
            ..bottleneck
        };
        Ok(TunedModel::Runtime(Box::new(clip.map_adapters(|place, adapter| AdaptFormer {
            bottleneck: adapter.bottleneck.map(|own| scaled(own, alpha(place).get())),
            ..adapter
        }))))
    }
}

/// A bottleneck with ReLU.
#[derive(Module, Debug)]
pub struct Bottleneck {
    /// `[rank, width]`
    pub down: Param<Tensor<2>>,
    /// `[rank]`
    pub down_bias: Param<Tensor<1>>,
    /// `[width, rank]`; zero at the start
    pub up: Param<Tensor<2>>,
    /// `[width]`
    pub up_bias: Param<Tensor<1>>,
}

impl Bottleneck {
    /// `up(inner(ReLU(down(x))))`, where `inner` is the dropout.
    ///
    /// # Shapes
    /// `[rows, width]` → `[rows, width]`
    pub fn forward(&self, x: &Tensor<2>, inner: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
        let hidden = relu(linear(x.clone(), self.down.val(), self.down_bias.val()));
        linear(inner(hidden), self.up.val(), self.up_bias.val())
    }
}

/// The bottleneck of a sublayer, if it has one, and its factor.
#[derive(Module, Debug)]
pub struct AdaptFormer {
    bottleneck: Option<Bottleneck>,
    #[module(skip)]
    scale: f64,
    #[module(skip)]
    dropping: Dropping,
}

impl Adapter for AdaptFormer {
    fn after(&self, input: &Tensor<2>, output: Tensor<2>, at: At<'_>) -> Tensor<2> {
        match &self.bottleneck {
            Some(bottleneck) => {
                add(output, bottleneck.forward(input, |x| self.dropping.apply(x, at)).mul_scalar(self.scale))
            }
            None => output,
        }
    }

    fn treats_samples_alike(&self, context: &Context) -> bool {
        !self.dropping.is_per_sample(context.mode)
    }

    fn treats_tokens_alike(&self, context: &Context) -> bool {
        !self.dropping.is_per_sample(context.mode)
    }
}

/// Freezes a model and adds bottlenecks that do not change it yet: `down` is drawn as PyTorch initialises a linear, the rest is zero.
fn with_bottlenecks(clip: Clip, settings: &AdaptFormerSettings, seed: u64) -> Result<Clip<AdaptFormer>, AdapterError> {
    let AdaptFormerSettings { rank, scale, dropout } = *settings;
    let dropping = Dropping::new("adaptformer.dropout", dropout, DropMode::Element)?;
    let (config, device) = (clip.config.clone(), Encoder::device(&clip));
    Ok(clip.no_grad().map_adapters(|place, _| {
        let (width, _) = widths(&config, place.tower);
        let bottleneck = || Bottleneck {
            down: uniform(&format!("adaptformer {place}"), seed, [rank, width], 1.0 / (width as f32).sqrt(), &device),
            down_bias: Param::from_tensor(Tensor::zeros([rank], &device)),
            up: Param::from_tensor(Tensor::zeros([width, rank], &device)),
            up_bias: Param::from_tensor(Tensor::zeros([width], &device)),
        };
        AdaptFormer { bottleneck: (place.site == Site::Mlp).then(bottleneck), scale, dropping }
    }))
}
