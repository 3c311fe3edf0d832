//! RepAdapter: linear adapters in front of attention and MLP of a frozen CLIP, merged into the linears behind them.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use radapter_adapter::{AdapterError, Alpha, DropMode, Dropping};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::{Adapter, At, Clip, Context, Encoder, NoAdapter, Place, Site};
use radapter_clip::state_dict::StateDict;
use radapter_kernels::linear;
use radapter_training::config::{RepAdapterSettings, TrainSettings};
use radapter_training::finetuned::TunedModel;
use radapter_training::method::Output;

use crate::modules::{Attached, add, block, merged_model, uniform, widths};

/// RepAdapter (Luo, Huang, Zhou, Sun, Jiang, Wang and Ji, arXiv 2302.08106): `x + s·up(down(x))`, with biases and without a non-linearity, on
/// the normalised input of attention and MLP in every block of both towers, with a dropout between the two; `up` acts in groups. It is
/// merged into the linear behind it.
#[derive(Clone, Copy, Debug)]
pub struct RepAdapterMethod;

impl Attached for RepAdapterMethod {
    type Module = RepAdapter;

    const NAME: &'static str = "repadapter";
    const ABOUT: &'static str =
        "linear adapters in front of attention and MLP of both towers, merged; CLIP's own contrastive loss";
    const SOURCE: &'static str = "Luo et al., 2023, arXiv 2302.08106";
    const OUTPUT: Output = Output::Mergeable;

    fn attach(clip: Clip, settings: &TrainSettings) -> Result<Clip<RepAdapter>, AdapterError> {
        with_adapters(clip, &settings.repadapter, settings.seed)
    }

    /// Merges the adapters, scaled by α: `W·(I + α·s·U·D)` and `b + α·s·W·(U·d + u)`.
    fn model(
        clip: Clip<RepAdapter>,
        base: &Checkpoint,
        alpha: &dyn Fn(Place) -> Alpha,
    ) -> Result<TunedModel, AdapterError> {
        Ok(merged_model(base, merged(clip, &base.state, alpha)))
    }
}

/// The adapter of a sublayer's input.
#[derive(Module, Debug)]
pub struct RepAdapter {
    /// `[rank, width]`
    pub down: Param<Tensor<2>>,
    /// `[rank]`
    pub down_bias: Param<Tensor<1>>,
    /// Of each group: `[groups, width / groups, rank / groups]`; zero at the start
    pub up: Param<Tensor<3>>,
    /// `[width]`
    pub up_bias: Param<Tensor<1>>,
    /// Factor s.
    #[module(skip)]
    pub scale: f64,
    /// Dropout between the two linears.
    #[module(skip)]
    pub dropping: Dropping,
}

impl RepAdapter {
    /// `up` as one matrix `[width, rank]`, of which a group fills a block.
    fn up(&self) -> Tensor<2> {
        let [groups, outputs, inputs] = self.up.dims();
        let up = self.up.val();
        let rows = (0..groups).map(|group| {
            let own = up.clone().narrow(0, group, 1).reshape([outputs, inputs]);
            let zeros = |columns: usize| Tensor::zeros([outputs, columns], (&own.device(), own.dtype()));
            match (group, groups - 1 - group) {
                (0, 0) => own,
                (0, after) => Tensor::cat(vec![own.clone(), zeros(after * inputs)], 1),
                (before, 0) => Tensor::cat(vec![zeros(before * inputs), own.clone()], 1),
                (before, after) => Tensor::cat(vec![zeros(before * inputs), own.clone(), zeros(after * inputs)], 1),
            }
        });
        Tensor::cat(rows.collect(), 0)
    }

    /// `x + s·up(inner(down(x)))`, where `inner` is the dropout.
    ///
    /// # Shapes
    /// `[rows, width]` → `[rows, width]`
    pub fn forward(&self, x: Tensor<2>, inner: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
        let hidden = linear(x.clone(), self.down.val(), self.down_bias.val());
        radapter_kernels::add(x, linear(inner(hidden), self.up(), self.up_bias.val()).mul_scalar(self.scale))
    }

    /// What the adapter, scaled by α as well, adds to the weight `[out, width]` and the bias `[out]` of the linear behind it.
    ///
    /// # Shapes
    /// * `weight`: `[out, width]`
    pub fn folded(&self, weight: Tensor<2>, alpha: f64) -> (Tensor<2>, Tensor<1>) {
        let (up, factor) = (self.up(), alpha * self.scale);
        let moved = weight.clone().matmul(up.clone()).matmul(self.down.val()).mul_scalar(factor);
        let shift = up.matmul(self.down_bias.val().unsqueeze_dim(1)) + self.up_bias.val().unsqueeze_dim(1);
        (moved, weight.matmul(shift).mul_scalar(factor).squeeze_dim(1))
    }
}

impl Adapter for RepAdapter {
    fn leaves_output(&self, _at: At<'_>) -> bool {
        true
    }

    fn before(&self, input: Tensor<2>, at: At<'_>) -> Tensor<2> {
        self.forward(input, |x| self.dropping.apply(x, at))
    }

    fn treats_samples_alike(&self, context: &Context) -> bool {
        !self.dropping.is_per_sample(context.mode)
    }

    fn treats_tokens_alike(&self, context: &Context) -> bool {
        !self.dropping.is_per_sample(context.mode)
    }
}

/// Freezes a model and adds adapters that do not change it yet: `down` is Xavier uniform, the rest is zero.
fn with_adapters(clip: Clip, settings: &RepAdapterSettings, seed: u64) -> Result<Clip<RepAdapter>, AdapterError> {
    let RepAdapterSettings { rank, groups, scale, dropout } = *settings;
    let dropping = Dropping::new("repadapter.dropout", dropout, DropMode::Element)?;
    let (config, device) = (clip.config.clone(), Encoder::device(&clip));
    for size in [rank, config.vision.width, config.text.width] {
        if size % groups != 0 {
            let expected = format!("a divisor of {size}: of repadapter.rank = {rank} and of the towers' widths");
            return Err(AdapterError::Setting { key: "repadapter.groups", found: groups.to_string(), expected });
        }
    }
    Ok(clip.no_grad().map_adapters(|place, _| {
        let (width, _) = widths(&config, place.tower);
        let bound = (6.0 / (width + rank) as f32).sqrt();
        RepAdapter {
            down: uniform(&format!("repadapter {place}"), seed, [rank, width], bound, &device),
            down_bias: Param::from_tensor(Tensor::zeros([rank], &device)),
            up: Param::from_tensor(Tensor::zeros([groups, width / groups, rank / groups], &device)),
            up_bias: Param::from_tensor(Tensor::zeros([width], &device)),
            scale,
            dropping,
        }
    }))
}

fn merged(clip: Clip<RepAdapter>, base: &StateDict, alpha: &dyn Fn(Place) -> Alpha) -> StateDict {
    let device = Encoder::device(&clip);
    let mut state = base.clone();
    let _plain = clip.map_adapters(|place, adapter| {
        let [weight, bias] = match place.site {
            Site::Attn => ["attn.in_proj_weight", "attn.in_proj_bias"],
            Site::Mlp => ["mlp.c_fc.weight", "mlp.c_fc.bias"],
        }
        .map(|name| format!("{}{name}", block(place)));
        let alpha = alpha(place);
        // The model was built from these tensors.
        let linear = base.get(&weight).filter(|_| alpha != Alpha::ZERO);
        if let Some(&[outputs, width]) = linear.map(|linear| linear.shape()) {
            let values = linear.map(|linear| linear.to_f32()).unwrap_or_default();
            let values = Tensor::<1>::from_floats(values.as_slice(), &device).reshape([outputs, width]);
            let (moved, shift) = adapter.folded(values, alpha.get());
            add(&mut state, weight, 0, &moved.into_data());
            add(&mut state, bias, 0, &shift.into_data());
        }
        NoAdapter {}
    });
    state
}
