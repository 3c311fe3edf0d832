//! Embeddings and logits, computed from the written bytes by [`interpreter::run`].

use burn::tensor::Device;
use radapter_adapter::{Alpha, Rank, merge_checkpoint};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::config::Activation;
use radapter_clip::model::Context;
use radapter_test_support::{distance, numbers, uneven_batch};

use super::array::Array;
use super::interpreter::run;
use super::{adapters, checkpoint, clip, options, towers};
use crate::{Layout, models};

/// Largest difference between f64 here and f32 there.
const NEAR: f32 = 2e-6;

/// Pixels, and ids filled with zeros.
fn inputs() -> (Array, Array) {
    let (pixels, texts) = uneven_batch(&Device::flex());
    let shape = pixels.dims();
    let longest = texts.iter().map(Vec::len).max().unwrap();
    let ids = texts.iter().flat_map(|text| (0..longest).map(|at| text.get(at).map_or(0.0, |&id| f64::from(id))));
    let ids = Array::new([texts.len(), longest], ids.collect());
    (Array::of_f32(shape, &numbers(pixels)), ids)
}

/// The embeddings of images and of texts by our own model, of length 1.
fn expected(checkpoint: &Checkpoint) -> [Vec<f32>; 2] {
    let (clip, context) = (clip(checkpoint), Context::inference());
    let (pixels, texts) = uneven_batch(&Device::flex());
    [numbers(clip.encode_image(pixels, &context)), numbers(clip.encode_text(&texts, &context))]
}

fn normalized(rows: &Array) -> Vec<f32> {
    let unit = rows.rows(|row| {
        let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        row.iter().map(|x| x / length).collect()
    });
    unit.values.iter().map(|&value| value as f32).collect()
}

#[test]
fn the_towers_compute_the_embeddings_of_the_model() {
    for activation in [Activation::Gelu, Activation::QuickGelu] {
        let checkpoint = checkpoint(activation);
        let ([vision, text], [images, texts]) = (towers(&checkpoint, None), expected(&checkpoint));
        let (pixels, ids) = inputs();
        let found = &run(&vision.to_bytes(), &[("pixel_values", pixels)])["image_embeds"];
        assert!(distance(&normalized(found), &images) < NEAR, "{activation:?}");
        assert!((found.values.iter().take(12).map(|x| x * x).sum::<f64>() - 1.0).abs() > 1e-3, "not normalized");
        let found = &run(&text.to_bytes(), &[("input_ids", ids)])["text_embeds"];
        assert!(distance(&normalized(found), &texts) < NEAR, "{activation:?}");
    }
}

#[test]
fn a_text_has_the_same_embedding_alone_and_in_a_batch() {
    let checkpoint = checkpoint(Activation::QuickGelu);
    let [_, text] = towers(&checkpoint, None);
    let (_, ids) = inputs();
    let all = normalized(&run(&text.to_bytes(), &[("input_ids", ids.clone())])["text_embeds"]);
    // The first text has two tokens.
    let alone = ids.narrow(0, 0, 1).narrow(1, 0, 2);
    let alone = normalized(&run(&text.to_bytes(), &[("input_ids", alone)])["text_embeds"]);
    assert!(distance(&alone, &all[..alone.len()]) < NEAR);
}

#[test]
fn the_single_model_has_cosines_times_the_logit_scale() {
    let checkpoint = checkpoint(Activation::QuickGelu);
    let model = models(&checkpoint, None, &options(Layout::Single)).unwrap().remove(0);
    let ([images, texts], (pixels, ids)) = (expected(&checkpoint), inputs());
    // What is after the end of a text has no effect, whether the mask hides it or not.
    let mask = |hidden: f64| ids.map(|id| if id == 0.0 { hidden } else { 1.0 });
    for hidden in [0.0, 1.0] {
        let inputs = [("input_ids", ids.clone()), ("pixel_values", pixels.clone()), ("attention_mask", mask(hidden))];
        let found = run(&model.to_bytes(), &inputs);
        let rows = |name: &str| found[name].values.iter().map(|&x| x as f32).collect::<Vec<_>>();
        assert!(distance(&rows("image_embeds"), &images) < NEAR);
        assert!(distance(&rows("text_embeds"), &texts) < NEAR);
        let scale = (1.0 / checkpoint.temperature()) as f32;
        let cosine = |text: usize, image: usize| {
            let (a, b) = (&texts[12 * text..12 * text + 12], &images[12 * image..12 * image + 12]);
            scale * a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>()
        };
        let logits: Vec<f32> =
            (0..3).flat_map(|text| (0..3).map(move |image| (text, image))).map(|(t, i)| cosine(t, i)).collect();
        assert!(distance(&rows("logits_per_text"), &logits) < scale * NEAR);
        assert_eq!(found["logits_per_image"], found["logits_per_text"].transpose(&[1, 0]));
    }
}

#[test]
fn a_hidden_position_is_not_attended_to() {
    let checkpoint = checkpoint(Activation::QuickGelu);
    let model = models(&checkpoint, None, &options(Layout::Single)).unwrap().remove(0);
    let (pixels, ids) = inputs();
    let texts = |ids: &Array| {
        // The second position of every text is hidden.
        let mut mask = ids.map(|_| 1.0);
        mask.values.iter_mut().skip(1).step_by(ids.shape[1]).for_each(|seen| *seen = 0.0);
        let inputs = [("input_ids", ids.clone()), ("pixel_values", pixels.clone()), ("attention_mask", mask)];
        run(&model.to_bytes(), &inputs)["text_embeds"].narrow(0, 1, 1)
    };
    let mut changed = ids.clone();
    changed.values[ids.shape[1] + 1] = 33.0;
    assert_eq!(texts(&ids), texts(&changed), "the id at the hidden position has no effect");
    changed.values[ids.shape[1] + 2] = 34.0;
    assert_ne!(texts(&ids), texts(&changed));
}

#[test]
fn alpha_as_an_input_gives_each_merged_model() {
    let checkpoint = checkpoint(Activation::QuickGelu);
    for rank in [Rank::Full, Rank::Low(2)] {
        let adapters = adapters(&checkpoint, rank);
        let [vision, text] = towers(&checkpoint, Some(&adapters));
        let mut before = None;
        for alpha in [0.0, 0.5, 1.0] {
            let merged = Alpha::new(alpha).unwrap();
            let (merged, _) = merge_checkpoint(&checkpoint, &adapters, merged, &Device::flex()).unwrap();
            let ([images, texts], (pixels, ids)) = (expected(&merged), inputs());
            let alpha = || Array::new([], vec![alpha]);
            let found = &run(&vision.to_bytes(), &[("pixel_values", pixels), ("alpha", alpha())])["image_embeds"];
            assert!(distance(&normalized(found), &images) < 1e-5, "{rank:?}");
            let found = &run(&text.to_bytes(), &[("input_ids", ids), ("alpha", alpha())])["text_embeds"];
            assert!(distance(&normalized(found), &texts) < 1e-5, "{rank:?}");
            assert!(before.is_none_or(|before: Vec<f32>| distance(&before, &texts) > 1e-3), "alpha matters");
            before = Some(texts);
        }
    }
}
