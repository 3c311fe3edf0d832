//! Low-rank updates inside the four linears of each block, as LoRA has them, equal a plain model with merged weights.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use radapter_clip::model::{Adapter, At, Clip, Context, LinearLayer, Place, Site, Tower, Weights};
use radapter_kernels::matmul_add;
use radapter_test_support::{distance, embed, numbers, random_rows, uneven_batch, uneven_clip, uneven_config};

const RANK: usize = 2;

#[derive(Module, Debug)]
struct Lora {
    first: LowRank,
    last: LowRank,
    #[module(skip)]
    all_tokens: bool,
}

#[derive(Module, Debug)]
struct LowRank {
    down: Param<Tensor<2>>,
    up: Param<Tensor<2>>,
}

impl Adapter for Lora {
    fn linear(&self, layer: LinearLayer, weights: &Weights, x: &Tensor<2>, _at: At<'_>) -> Option<Tensor<2>> {
        let LowRank { down, up } = match layer {
            LinearLayer::Qkv | LinearLayer::CFc => &self.first,
            LinearLayer::OutProj | LinearLayer::CProj => &self.last,
        };
        Some(matmul_add(x.clone().matmul(down.val().transpose()), up.val(), weights.forward(x.clone())))
    }

    fn treats_tokens_alike(&self, _context: &Context) -> bool {
        !self.all_tokens
    }
}

impl LowRank {
    fn new(outputs: usize, inputs: usize, seed: u64, device: &Device) -> Self {
        Self {
            down: Param::from_tensor(random_rows(RANK, inputs, seed, device)),
            up: Param::from_tensor(random_rows(outputs, RANK, seed + 1, device).mul_scalar(0.3)),
        }
    }

    fn delta(&self) -> Tensor<2> {
        self.up.val().matmul(self.down.val())
    }
}

fn seed(place: Place) -> u64 {
    100 * place.layer as u64 + 10 * u64::from(place.site == Site::Mlp) + u64::from(place.tower == Tower::Text)
}

fn lora(clip: Clip, all_tokens: bool, device: &Device) -> Clip<Lora> {
    let (image, text) = (uneven_config().vision, uneven_config().text);
    clip.map_adapters(|place, _| {
        let (width, mlp_width) = match place.tower {
            Tower::Visual => (image.width, image.mlp_width),
            Tower::Text => (text.width, text.mlp_width),
        };
        let (first, last) = match place.site {
            Site::Attn => ((3 * width, width), (width, width)),
            Site::Mlp => ((mlp_width, width), (width, mlp_width)),
        };
        Lora {
            first: LowRank::new(first.0, first.1, seed(place), device),
            last: LowRank::new(last.0, last.1, 1000 + seed(place), device),
            all_tokens,
        }
    })
}

/// The plain model with the updates added to its weights.
fn merged(model: &Clip<Lora>) -> Clip {
    let mut clip = model.clone().without_adapters();
    let add = |weight: &mut Param<Tensor<2>>, low_rank: &LowRank| {
        *weight = weight.clone().map(|weight| (weight + low_rank.delta()).detach());
    };
    let blocks = clip.visual.transformer.resblocks.iter_mut().chain(&mut clip.text.transformer.resblocks);
    let adapted = model.visual.transformer.resblocks.iter().chain(&model.text.transformer.resblocks);
    for (block, adapted) in blocks.zip(adapted) {
        add(&mut block.attn.in_proj_weight, &adapted.adapter_attn.first);
        add(&mut block.attn.out_proj.weight, &adapted.adapter_attn.last);
        add(&mut block.mlp.c_fc.weight, &adapted.adapter_mlp.first);
        add(&mut block.mlp.c_proj.weight, &adapted.adapter_mlp.last);
    }
    clip
}

#[test]
fn low_rank_updates_equal_merged_weights() {
    let device = Device::flex();
    let context = Context::inference();
    let plain = embed(&uneven_clip(0, &device), &context);
    for all_tokens in [false, true] {
        let model = lora(uneven_clip(0, &device), all_tokens, &device);
        let found = embed(&model, &context);
        assert!(distance(&found, &embed(&merged(&model), &context)) < 1e-5);
        assert!(distance(&found, &plain) > 0.1, "the updates should matter");
    }
}

/// With `W' = W + B·A`: `∂/∂B = ∂/∂W' · Aᵀ` and `∂/∂A = Bᵀ · ∂/∂W'`.
#[test]
fn low_rank_gradients_are_those_of_the_merged_weights() {
    let device = Device::flex().autodiff();
    let model = lora(uneven_clip(0, &device).no_grad(), false, &device);
    let merged = merged(&model);
    let merged = merged.map_adapters(|_, adapter| adapter).map(&mut Trained);
    let loss = |images: Tensor<2>, texts: Tensor<2>| {
        let weights = random_rows(3, 12, 5, &device);
        ((images + texts) * weights).sum()
    };
    let context = Context::training(0, 0);
    let (pixels, texts) = uneven_batch(&device);
    let found = loss(model.encode_image(pixels.clone(), &context), model.encode_text(&texts, &context)).backward();
    let expected = loss(merged.encode_image(pixels, &context), merged.encode_text(&texts, &context)).backward();

    let blocks = merged.visual.transformer.resblocks.iter().chain(&merged.text.transformer.resblocks);
    let adapted = model.visual.transformer.resblocks.iter().chain(&model.text.transformer.resblocks);
    for (block, adapted) in blocks.zip(adapted) {
        for (weight, low_rank) in [
            (&block.attn.in_proj_weight, &adapted.adapter_attn.first),
            (&block.attn.out_proj.weight, &adapted.adapter_attn.last),
            (&block.mlp.c_fc.weight, &adapted.adapter_mlp.first),
            (&block.mlp.c_proj.weight, &adapted.adapter_mlp.last),
        ] {
            let gradient = weight.grad(&expected).unwrap();
            let up = gradient.clone().matmul(low_rank.down.val().without_autodiff().transpose());
            let down = low_rank.up.val().without_autodiff().transpose().matmul(gradient);
            assert!(distance(&numbers(low_rank.up.grad(&found).unwrap()), &numbers(up)) < 1e-4);
            assert!(distance(&numbers(low_rank.down.grad(&found).unwrap()), &numbers(down)) < 1e-4);
        }
    }
}

/// Makes every parameter a trained one.
struct Trained;

impl burn::module::ModuleMapper for Trained {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        parameter.map(|value| value.detach().set_require_grad(true))
    }
}
