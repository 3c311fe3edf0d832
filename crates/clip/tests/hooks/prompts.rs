//! Learned tokens in the sequence of a tower equal the same computed by hand, block by block.

use burn::module::{Module, Param};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Int, Tensor, TensorData, module};
use radapter_clip::model::{
    Adapter, Clip, Context, LayerNorm, Place, Rows, Site, SoftPrompt, Tower, Transformer, l2_normalize,
};
use radapter_clip::tokenizer::{END_OF_TEXT as END, START_OF_TEXT as START};
use radapter_test_support::{bits, distance, numbers, random_rows, uneven_batch, uneven_clip, uneven_config};

/// The number of learned tokens.
const LENGTH: usize = 3;

#[derive(Module, Debug)]
struct Prompted {
    tokens: Option<Param<Tensor<3>>>,
    #[module(skip)]
    position: usize,
    #[module(skip)]
    all_tokens: bool,
}

impl Adapter for Prompted {
    fn soft_prompt(&self, _other: Option<&Self>, _place: Place, _context: &Context) -> Option<SoftPrompt> {
        let tokens = self.tokens.as_ref()?.val();
        Some(SoftPrompt { tokens, position: self.position })
    }

    fn treats_tokens_alike(&self, _context: &Context) -> bool {
        !self.all_tokens
    }
}

/// Prompts at the input of a tower and, if deep, of all its blocks.
#[derive(Clone, Copy, Debug)]
struct Layout {
    position: usize,
    deep: bool,
    all_tokens: bool,
}

fn layouts(positions: &[usize]) -> Vec<Layout> {
    let flags = [(false, false), (true, false), (false, true), (true, true)];
    let layout = |position| flags.map(|(deep, all_tokens)| Layout { position, deep, all_tokens });
    positions.iter().copied().flat_map(layout).collect()
}

fn prompted(layout: Layout, device: &Device) -> Clip<Prompted> {
    let (image, text) = (uneven_config().vision.width, uneven_config().text.width);
    uneven_clip(0, device).no_grad().map_adapters(|place, _| {
        let width = if place.tower == Tower::Visual { image } else { text };
        let tokens = (place.site == Site::Attn && (layout.deep || place.layer == 0)).then(|| {
            let tokens = random_rows(LENGTH, width, 7 + place.layer as u64, device);
            Param::from_tensor(tokens.reshape([1, LENGTH, width]))
        });
        Prompted { tokens, position: layout.position, all_tokens: layout.all_tokens }
    })
}

/// A sequence with the tokens between its first `position` rows and those from `after` on.
fn put(x: Tensor<2>, tokens: &Param<Tensor<3>>, position: usize, after: usize) -> Tensor<2> {
    let [rows, width] = x.dims();
    let mut parts = vec![tokens.val().reshape([LENGTH, width])];
    if position > 0 {
        parts.insert(0, x.clone().slice([0..position, 0..width]));
    }
    if after < rows {
        parts.push(x.slice([after..rows, 0..width]));
    }
    Tensor::cat(parts, 0)
}

/// One sample through the blocks of the plain model, then the row at `pooled` through norm and projection.
fn finish(
    model: &Transformer<Prompted>,
    mut x: Tensor<2>,
    (tower, layout): (Tower, Layout),
    pooled: usize,
    (norm, projection): (&LayerNorm, &Param<Tensor<2>>),
) -> Tensor<2> {
    let rows = Rows { batch: 1, tokens: x.dims()[0] };
    let position = layout.position.min(rows.tokens - LENGTH);
    for (layer, block) in model.resblocks.iter().enumerate() {
        let tokens = block.adapter_attn.tokens.as_ref().filter(|_| layer > 0);
        if let Some(tokens) = tokens {
            x = put(x, tokens, position, position + LENGTH);
        }
        let mut block = block.clone();
        block.adapter_attn.tokens = None;
        x = block.forward(x, tower, layer, rows, &Context::inference());
    }
    let width = x.dims()[1];
    l2_normalize(norm.forward(x.slice([pooled..pooled + 1, 0..width])).matmul(projection.val()))
}

fn text_by_hand(model: &Clip<Prompted>, text: &[u32], layout: Layout) -> Tensor<2> {
    let tower = &model.text;
    let width = uneven_config().text.width;
    let ids: Vec<i64> = text.iter().map(|id| i64::from(*id)).collect();
    let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [text.len()]), &model.logit_scale.device());
    let tokens = tower.transformer.resblocks[0].adapter_attn.tokens.as_ref().unwrap();
    let position = layout.position.min(text.len());
    let x = put(tower.token_embedding.weight.val().select(0, ids), tokens, position, position);
    let length = x.dims()[0];
    let x = x + tower.positional_embedding.val().slice([0..length, 0..width]);
    let end = if text.len() > position { length - 1 } else { text.len() - 1 };
    finish(&tower.transformer, x, (Tower::Text, layout), end, (&tower.ln_final, &tower.text_projection))
}

fn image_by_hand(model: &Clip<Prompted>, pixels: Tensor<4>, layout: Layout) -> Tensor<2> {
    let tower = &model.visual;
    let width = uneven_config().vision.width;
    let class = tower.class_embedding.val().reshape([1, width]);
    let kernel = tower.conv1.weight.val();
    let [_, _, size, _] = kernel.dims();
    let patches = module::conv2d(pixels, kernel, None, ConvOptions::new([size; 2], [0; 2], [1; 2], 1));
    let patches = patches.reshape([width as i32, -1]).transpose();
    let x = Tensor::cat(vec![class, patches], 0) + tower.positional_embedding.val();
    let position = layout.position.min(x.dims()[0]);
    let tokens = tower.transformer.resblocks[0].adapter_attn.tokens.as_ref().unwrap();
    let x = tower.ln_pre.forward(put(x, tokens, position, position));
    let class = if position == 0 { LENGTH } else { 0 };
    finish(&tower.transformer, x, (Tower::Visual, layout), class, (&tower.ln_post, &tower.proj))
}

/// Two texts that leave room for the prompt, one after the other.
fn texts() -> Vec<Vec<u32>> {
    vec![vec![START, END], vec![START, 5, 17, 3, END], vec![START, 8, END]]
}

fn texts_by_hand(model: &Clip<Prompted>, layout: Layout) -> Tensor<2> {
    Tensor::cat(texts().iter().map(|text| text_by_hand(model, text, layout)).collect(), 0)
}

fn images_by_hand(model: &Clip<Prompted>, pixels: &Tensor<4>, layout: Layout) -> Tensor<2> {
    let one = |at| image_by_hand(model, pixels.clone().narrow(0, at, 1), layout);
    Tensor::cat((0..pixels.dims()[0]).map(one).collect(), 0)
}

#[test]
fn tokens_in_the_text_equal_those_computed_by_hand() {
    let device = Device::flex();
    let plain = numbers(uneven_clip(0, &device).encode_text(&texts(), &Context::inference()));
    for layout in layouts(&[0, 1]) {
        let model = prompted(layout, &device);
        let found = numbers(model.encode_text(&texts(), &Context::inference()));
        assert!(distance(&found, &numbers(texts_by_hand(&model, layout))) < 1e-5, "{layout:?}");
        assert!(distance(&found, &plain) > 0.01, "{layout:?}: the tokens should matter");
    }
}

/// After the class token, before it, and past the end.
#[test]
fn tokens_in_the_image_equal_those_computed_by_hand() {
    let device = Device::flex();
    let (pixels, _) = uneven_batch(&device);
    let plain = numbers(uneven_clip(0, &device).encode_image(pixels.clone(), &Context::inference()));
    for layout in layouts(&[1, 0, 99]) {
        let model = prompted(layout, &device);
        let found = numbers(model.encode_image(pixels.clone(), &Context::inference()));
        assert!(distance(&found, &numbers(images_by_hand(&model, &pixels, layout))) < 1e-5, "{layout:?}");
        assert!(distance(&found, &plain) > 0.01, "{layout:?}: the tokens should matter");
    }
}

#[test]
fn gradients_flow_to_the_tokens_as_by_hand() {
    let device = Device::flex().autodiff();
    let (pixels, _) = uneven_batch(&device);
    let loss = |images: Tensor<2>, texts: Tensor<2>| ((images + texts) * random_rows(3, 12, 5, &device)).sum();
    for layout in layouts(&[1]) {
        let model = prompted(layout, &device);
        let context = Context::training(0, 0);
        let images = model.encode_image(pixels.clone(), &context);
        let found = loss(images, model.encode_text(&texts(), &context)).backward();
        let by_hand = loss(images_by_hand(&model, &pixels, layout), texts_by_hand(&model, layout)).backward();

        let blocks = model.visual.transformer.resblocks.iter().chain(&model.text.transformer.resblocks);
        for tokens in blocks.filter_map(|block| block.adapter_attn.tokens.as_ref()) {
            let found = numbers(tokens.grad(&found).unwrap());
            assert!(distance(&found, &numbers(tokens.grad(&by_hand).unwrap())) < 1e-4, "{layout:?}");
            assert!(found.iter().any(|value| value.abs() > 1e-3), "{layout:?}");
        }
    }
}

#[test]
fn a_text_without_room_for_the_tokens_loses_its_last_ones_before_the_end() {
    let model = prompted(Layout { position: 1, deep: false, all_tokens: false }, &Device::flex());
    let encode = |text: &[u32]| numbers(model.encode_text(&[text.to_vec()], &Context::inference()));
    let long = encode(&[START, 1, 2, 3, 4, 5, 6, 7, END]);
    assert_eq!(bits(&long), bits(&encode(&[START, 1, 2, 3, 4, END])));
    assert!(distance(&long, &encode(&[START, 1, 2, 3, 6, END])) > 1e-3);
}

/// Each sample has tokens of its own, so that equal texts differ.
#[test]
fn a_prompt_for_each_sample_equals_samples_alone() {
    #[derive(Module, Debug)]
    struct Conditional {
        tokens: Tensor<3>,
    }

    impl Adapter for Conditional {
        fn soft_prompt(&self, _other: Option<&Self>, _place: Place, _context: &Context) -> Option<SoftPrompt> {
            Some(SoftPrompt { tokens: self.tokens.clone(), position: 1 })
        }

        fn treats_samples_alike(&self, _context: &Context) -> bool {
            false
        }
    }

    let device = Device::flex();
    let width = uneven_config().text.width;
    let tokens = random_rows(2 * LENGTH, width, 3, &device).reshape([2, LENGTH, width]);
    let model =
        |tokens: &Tensor<3>| uneven_clip(0, &device).map_adapters(|_, _| Conditional { tokens: tokens.clone() });
    let text = vec![START, 5, 17, END];
    let both = numbers(model(&tokens).encode_text(&[text.clone(), text.clone()], &Context::inference()));
    for (sample, found) in both.chunks(12).enumerate() {
        let alone = model(&tokens.clone().narrow(0, sample, 1));
        let alone = numbers(alone.encode_text(std::slice::from_ref(&text), &Context::inference()));
        assert!(distance(found, &alone) < 1e-5);
    }
    assert!(distance(&both[..12], &both[12..]) > 0.1);
}

/// The pieces of a pass are what activation checkpointing computes one by one.
#[test]
fn a_pass_in_pieces_is_the_whole_pass() {
    let device = Device::flex();
    let context = Context::inference();
    let model = prompted(Layout { position: 1, deep: true, all_tokens: false }, &device);
    let (pixels, _) = uneven_batch(&device);
    let whole = [model.encode_image(pixels.clone(), &context), model.encode_text(&texts(), &context)];
    let begun = [model.begin_images(pixels, &context), model.begin_texts(&texts(), &context)];
    for (whole, (x, passage)) in whole.into_iter().zip(begun) {
        let blocks = 0..model.blocks(passage.tower());
        let x = blocks.fold(x, |x, layer| model.block(x, layer, &passage, &context));
        assert_eq!(bits(&numbers(model.end(x, &passage))), bits(&numbers(whole)));
    }
}
