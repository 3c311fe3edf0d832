//! Embeddings of a tiny random CLIP, against the model itself, one image or text at a time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use image::{Rgb, RgbImage};
use radapter_clip::config::ClipConfig;
use radapter_clip::model::{Clip, Context, Precision};
use radapter_clip::tokenizer::Tokenizer;
use radapter_datasets::OnError;
use radapter_embedding::{
    EmbedError, EmbedOptions, Embeddings, Image, TextCache, embed_groups, embed_images, embed_texts,
};
use radapter_images::{DecodeMode, DecodeOptions, ImageSource, PixelCache};
use radapter_test_support::small_config;

/// Side of the model's input.
const SIDE: u32 = 16;

fn config() -> ClipConfig {
    small_config(SIDE as usize, 24)
}

fn device() -> Device {
    Device::flex()
}

fn model(seed: u64) -> Clip {
    Clip::from_state(&config(), &config().random_state(seed), &device()).unwrap()
}

/// A square of a colour, with a brightness pattern that differs from `index` to `index`.
fn square(colour: [u8; 3], index: usize) -> RgbImage {
    RgbImage::from_fn(SIDE + 4, SIDE, |x, y| {
        let shade = ((x as usize * (3 + index) + y as usize * (1 + 2 * index)) % 40) as i16 - 20;
        Rgb(colour.map(|value| (i16::from(value) + shade).clamp(0, 255) as u8))
    })
}

/// Asserts that two lists are equal but for rounding.
fn assert_near(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance, "at {at}: {found} instead of {expected}");
    }
}

fn options(batch: usize, threads: usize, on_error: OnError) -> EmbedOptions {
    EmbedOptions { batch, threads, on_error, ..EmbedOptions::default() }
}

fn images() -> Vec<Image> {
    let image = |index| Image {
        name: format!("{index}.png"),
        source: ImageSource::Pixels(Arc::new(square([30, 20 * index as u8, 200], index))),
    };
    (0..12).map(image).collect()
}

#[test]
fn images_come_in_order_and_as_one_by_one() {
    let model = model(1);
    let preprocess = config().preprocessor();
    let images = images();
    let mut expected = Vec::new();
    for image in &images {
        let pixels = preprocess.apply(&image.source.load(&DecodeOptions::default()).unwrap());
        let data = TensorData::new(pixels, [1, 3, SIDE as usize, SIDE as usize]);
        let pixels = Tensor::<4>::from_data(data, &device());
        let row = model.encode_image(pixels, &Context::inference());
        expected.extend_from_slice(Embeddings::from_tensor(row).values());
    }
    for (batch, threads) in [(1, 0), (5, 1), (5, 3), (100, 2)] {
        let mut done = Vec::new();
        let options = options(batch, threads, OnError::Fail);
        let found = embed_images(&model, &images, &options, &mut |n| done.push(n)).unwrap();
        assert_near(found.embeddings.values(), &expected, 1e-6);
        assert_eq!(found.kept, (0..images.len()).collect::<Vec<_>>());
        assert_eq!(done.last(), Some(&images.len()));
        assert_eq!(done.len(), images.len().div_ceil(batch));
    }
}

#[test]
fn unreadable_images_fail_or_are_left_out_with_a_report() {
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("good.png");
    square([10, 200, 30], 0).save(&good).unwrap();
    let bad = dir.path().join("notes.jpg");
    std::fs::write(&bad, "no image at all").unwrap();
    let image = |path: &Path| Image {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        source: ImageSource::File(path.to_owned()),
    };
    // The last image is a bad one, so that the batch before it must still be finished.
    let images = [image(&bad), image(&good), image(&good), image(&bad)];
    let model = model(1);

    let strict = options(2, 2, OnError::Fail);
    let error = embed_images(&model, &images, &strict, &mut |_| {}).unwrap_err();
    assert!(matches!(error, EmbedError::Image(_)));
    assert!(error.to_string().contains("notes.jpg"), "{error}");

    let lenient = options(2, 2, OnError::Skip);
    let found = embed_images(&model, &images, &lenient, &mut |_| {}).unwrap();
    assert_eq!(found.kept, [1, 2]);
    assert_eq!(found.embeddings.len(), 2);
    assert_eq!(found.embeddings.row(0), found.embeddings.row(1));
    assert_eq!(found.skipped.len(), 1);
    assert_eq!((found.skipped[0].name.as_str(), found.skipped[0].times), ("notes.jpg", 2));
}

#[test]
fn kept_pixels_give_the_same_embeddings_and_are_not_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let images: Vec<Image> = (0..5)
        .map(|index| {
            let (name, path) = (index.to_string(), dir.path().join(format!("{index}.png")));
            square([30, 20 * index as u8, 200], index).save(&path).unwrap();
            Image { name, source: ImageSource::File(path) }
        })
        .collect();
    let model = model(1);
    let embed = |pixel_cache: Option<PixelCache>, trim: u32, on_error| {
        let options = EmbedOptions { pixel_cache, trim, ..options(2, 2, on_error) };
        embed_images(&model, &images, &options, &mut |_| {}).unwrap().embeddings
    };
    let (expected, trimmed) = (embed(None, 0, OnError::Fail), embed(None, 2, OnError::Fail));
    let file = dir.path().join("pixels");
    let cache = || Some(PixelCache::open(&file).unwrap());
    assert_eq!(embed(cache(), 0, OnError::Fail), expected);
    assert_eq!(embed(cache(), 2, OnError::Fail), trimmed, "another stage is another entry");
    assert_eq!(cache().unwrap().len(), 10);

    // Overwrites the files with zeros, keeping size and time.
    for image in &images {
        let ImageSource::File(path) = &image.source else { unreachable!() };
        let file = std::fs::metadata(path).unwrap();
        std::fs::write(path, vec![0; file.len() as usize]).unwrap();
        std::fs::File::options().write(true).open(path).unwrap().set_modified(file.modified().unwrap()).unwrap();
    }
    assert_eq!(embed(cache(), 0, OnError::Fail), expected);
    assert!(embed(None, 0, OnError::Skip).is_empty());
}

#[test]
fn fast_decoding_takes_a_large_jpeg_at_a_fraction_and_nothing_else() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../images/tests/fixtures/images");
    // 37 × 29 pixels, of which a model of 4 needs 8.
    let mut config = config();
    (config.vision.image_size, config.vision.patch_size) = (4, 2);
    let model = Clip::from_state(&config, &config.random_state(1), &device()).unwrap();
    let embed = |name: &str, decoding| {
        let image = Image { name: name.to_owned(), source: ImageSource::File(fixtures.join(name)) };
        let options = EmbedOptions { decoding, ..options(1, 1, OnError::Fail) };
        embed_images(&model, &[image], &options, &mut |_| {}).unwrap().embeddings
    };
    let (exact, fast) = (embed("ycc-420.jpg", DecodeMode::Exact), embed("ycc-420.jpg", DecodeMode::Fast));
    let cosine: f32 = exact.values().iter().zip(fast.values()).map(|(a, b)| a * b).sum();
    assert!(exact != fast && cosine > 0.9, "{cosine}");
    assert_eq!(embed("rgb.png", DecodeMode::Exact), embed("rgb.png", DecodeMode::Fast));
}

#[test]
fn a_border_is_trimmed_first() {
    let model = model(1);
    let inner = square([200, 30, 90], 3);
    let (width, height) = inner.dimensions();
    let framed = RgbImage::from_fn(width + 4, height + 4, |x, y| match (x.checked_sub(2), y.checked_sub(2)) {
        (Some(x), Some(y)) if x < width && y < height => *inner.get_pixel(x, y),
        _ => Rgb([255, 0, 0]),
    });
    let embed = |picture: RgbImage, trim| {
        let image = Image { name: "one".to_owned(), source: ImageSource::Pixels(Arc::new(picture)) };
        let options = EmbedOptions { trim, ..options(1, 1, OnError::Fail) };
        embed_images(&model, &[image], &options, &mut |_| {}).unwrap().embeddings
    };
    assert_eq!(embed(framed, 2), embed(inner, 0));
}

#[test]
fn no_images_are_no_embeddings() {
    let found = embed_images(&model(1), &[], &EmbedOptions::default(), &mut |_| {}).unwrap();
    assert!(found.embeddings.is_empty() && found.kept.is_empty());
}

#[test]
fn texts_come_in_order_whatever_the_batch_and_repetition() {
    let model = model(1);
    let texts = ["a photo of a rose.", "sand", "", "a photo of a rose.", "blue sky over the long grass"];
    let tokenizer = Tokenizer::clip();
    let mut expected = Vec::new();
    for text in texts {
        let tokens = vec![tokenizer.encode(text, config().text.context_length)];
        let row = model.encode_text(&tokens, &Context::inference());
        expected.extend_from_slice(Embeddings::from_tensor(row).values());
    }
    for batch in [0, 1, 2, 100] {
        let found = embed_texts(&model, &texts, batch).unwrap();
        assert_near(found.values(), &expected, 1e-6);
    }
}

#[test]
fn ensembles_of_many_texts_are_computed_once_for_a_text_tower() {
    let folder = tempfile::tempdir().unwrap();
    let cache = TextCache::new(folder.path().join("texts"));
    let groups: Vec<Vec<String>> =
        (0..300).map(|group| (0..4).map(|text| format!("photo {} of {group}", text * group)).collect()).collect();
    let plain = model(1);
    let expected = embed_groups(&plain, &groups, 64).unwrap();
    let files = || std::fs::read_dir(folder.path().join("texts")).map_or(0, Iterator::count);
    assert_eq!(
        cache.embed_groups(&plain, &groups[..10], 64).unwrap(),
        embed_groups(&plain, &groups[..10], 64).unwrap()
    );
    assert_eq!(files(), 0, "a few texts are not worth a file");
    assert_eq!(cache.embed_groups(&plain, &groups, 64).unwrap(), expected);
    assert_eq!(files(), 1);

    // A file with other content shows that it is read, not computed.
    let file = std::fs::read_dir(folder.path().join("texts")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&7.5_f32.to_le_bytes());
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(cache.embed_groups(&plain, &groups, 64).unwrap().values().last(), Some(&7.5));
    // Another image tower changes nothing; other texts, another text tower and another precision do.
    let mut other = model(2);
    other.text = plain.text.clone();
    assert_eq!(cache.embed_groups(&other, &groups, 64).unwrap().values().last(), Some(&7.5));
    assert_ne!(cache.embed_groups(&plain, &groups[1..], 64).unwrap().values().last(), Some(&7.5));
    assert_eq!(cache.embed_groups(&model(2), &groups, 64).unwrap(), embed_groups(&model(2), &groups, 64).unwrap());
    let half = plain.clone().in_precision(Precision::Bf16);
    assert_eq!(cache.embed_groups(&half, &groups, 64).unwrap(), embed_groups(&half, &groups, 64).unwrap());
    assert_eq!(files(), 4);

    // A damaged file is written again.
    std::fs::write(&file, &bytes[..end - 5]).unwrap();
    assert_eq!(cache.embed_groups(&plain, &groups, 64).unwrap(), expected);
    assert_eq!(cache.embed_groups(&plain, &groups, 64).unwrap(), expected);
    // A folder that cannot be created is not an error.
    let nowhere = TextCache::new(file.join("texts"));
    assert_eq!(nowhere.embed_groups(&plain, &groups, 64).unwrap(), expected);
}

#[test]
fn a_model_of_another_vocabulary_is_refused() {
    let mut config = config();
    config.text.vocab_size = 300;
    let state = config.random_state(0);
    let error = Clip::from_state(&config, &state, &device()).unwrap_err();
    assert!(error.to_string().contains("vocab_size") && error.to_string().contains("300"), "{error}");
}
