//! Resize and transform compared with Pillow's and OpenCLIP's, byte for byte and bit for bit.
//!
//! `xtask/fixtures/resize.py` writes the expected hashes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use image::{Rgb, RgbImage};
use proptest::prelude::*;
use radapter_images::{Interpolation, Preprocess, PreprocessConfig, ResizeMode, resize, resize_box};
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct Fixture {
    resizes: Vec<Resize>,
    transforms: Vec<Transform>,
}

#[derive(Debug, Deserialize)]
struct Resize {
    kind: String,
    size: (u32, u32),
    r#box: Option<[f32; 4]>,
    to: (u32, u32),
    filter: Interpolation,
    sha256: String,
}

#[derive(Debug, Deserialize)]
struct Transform {
    kind: String,
    size: (u32, u32),
    mode: ResizeMode,
    image_size: usize,
    filter: Interpolation,
    fill: u8,
    sha256: String,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/resize.json")).unwrap()
}

/// The generator's formula.
fn synthetic(kind: &str, (width, height): (u32, u32)) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([0u32, 1, 2].map(|c| {
            let mut h = x.wrapping_mul(73_856_093) ^ y.wrapping_mul(19_349_663) ^ c.wrapping_mul(83_492_791);
            h ^= h >> 13;
            h = h.wrapping_mul(0x5bd1_e995);
            h ^= h >> 15;
            match kind {
                "noise" => h as u8,
                "extremes" => (h & 1) as u8 * 255,
                _ => (x * 3 + y * 5 + c * 40) as u8,
            }
        }))
    })
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn resize_is_pillow_s() {
    let cases = fixture().resizes;
    assert!(cases.len() > 200);
    for case in cases {
        let image = synthetic(&case.kind, case.size);
        let (width, height) = case.to;
        let resized = match case.r#box {
            Some(corners) => resize_box(&image, corners, width, height, case.filter).unwrap(),
            None => resize(&image, width, height, case.filter),
        };
        assert_eq!(resized.dimensions(), case.to);
        assert_eq!(sha256(resized.as_raw()), case.sha256, "{case:?}");
    }
}

#[test]
fn transform_is_open_clip_s_to_the_bit() {
    let cases = fixture().transforms;
    assert!(cases.len() > 80);
    for case in cases {
        let config = PreprocessConfig {
            interpolation: case.filter,
            resize_mode: case.mode,
            fill_color: case.fill,
            ..PreprocessConfig::default()
        };
        let pixels = Preprocess::new(case.image_size, &config).apply(&synthetic(&case.kind, case.size));
        let bytes: Vec<u8> = pixels.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(sha256(&bytes), case.sha256, "{case:?}");
    }
}

#[test]
fn a_box_outside_of_the_image_is_refused() {
    let image = synthetic("slope", (8, 4));
    for corners in [
        [0.0, 0.0, 9.0, 4.0],
        [0.0, 0.0, 8.0, 4.1],
        [-0.1, 0.0, 8.0, 4.0],
        [3.0, 0.0, 3.0, 4.0],
        [4.0, 0.0, 3.0, 4.0],
        [f32::NAN, 0.0, 8.0, 4.0],
        [0.0, 0.0, f32::INFINITY, 4.0],
    ] {
        let error = resize_box(&image, corners, 2, 2, Interpolation::Bicubic).unwrap_err();
        assert!(error.to_string().contains("8×4"), "{error}");
    }
}

/// Computing all of the resized image would take tens of gigabytes here.
#[test]
fn a_long_thin_image_takes_no_more_memory_than_its_crop() {
    let config = PreprocessConfig::default();
    for size in [(1, 80_000_000), (80_000_000, 1)] {
        let pixels = Preprocess::new(224, &config).apply(&RgbImage::from_pixel(size.0, size.1, Rgb([255; 3])));
        assert_eq!(pixels.len(), 3 * 224 * 224);
        let white = (1.0 - config.mean[0]) / config.std[0];
        assert!(pixels[..224 * 224].iter().all(|value| *value == white));
    }
    let config = PreprocessConfig { resize_mode: ResizeMode::Longest, ..config };
    assert_eq!(Preprocess::new(224, &config).apply(&RgbImage::new(1, 100_000)).len(), 3 * 224 * 224);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn any_size_becomes_the_tower_s_input(
        width in 1u32..70,
        height in 1u32..70,
        side in 0usize..40,
        mode in proptest::sample::select(vec![ResizeMode::Shortest, ResizeMode::Longest, ResizeMode::Squash]),
        filter in proptest::sample::select(vec![Interpolation::Bicubic, Interpolation::Bilinear]),
    ) {
        let config = PreprocessConfig { resize_mode: mode, interpolation: filter, ..PreprocessConfig::default() };
        // White is where a weight's rounding would show: the weights of a pixel add up to one.
        let image = RgbImage::from_pixel(width, height, Rgb([255; 3]));
        let cropped = Preprocess::new(side, &config).resize_and_crop(&image);
        prop_assert_eq!(cropped.dimensions(), (side as u32, side as u32));
        if mode != ResizeMode::Longest {
            prop_assert!(cropped.as_raw().iter().all(|value| *value == 255));
        }
    }

    #[test]
    fn any_box_is_resized_or_refused(
        corners in prop::array::uniform4(-2f32..20.0),
        width in 0u32..20,
        height in 0u32..20,
    ) {
        let image = synthetic("noise", (16, 12));
        let [left, top, right, bottom] = corners;
        let valid = left >= 0.0 && top >= 0.0 && right <= 16.0 && bottom <= 12.0 && left < right && top < bottom;
        let resized = resize_box(&image, corners, width, height, Interpolation::Bicubic);
        prop_assert_eq!(resized.is_ok(), valid);
        if let Ok(resized) = resized {
            prop_assert_eq!(resized.dimensions(), (width, height));
        }
    }
}
