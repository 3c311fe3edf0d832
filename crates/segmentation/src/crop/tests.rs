//! Crops of masked regions, value by value.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use radapter_datasets::augment::Augment;

use super::*;

/// A model with 4 × 4 inputs, mean 0.5 and deviation 0.25, so that bytes are easy to follow.
fn model() -> ClipConfig {
    let mut config = ClipConfig::preset("ViT-B-32-quickgelu").unwrap();
    config.vision.image_size = 4;
    config.preprocess.mean = [0.5; 3];
    config.preprocess.std = [0.25; 3];
    config
}

fn image(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| image::Rgb([(40 * x) as u8, (60 * y) as u8, 200]))
}

fn mask(width: usize, height: usize, inside: impl Fn(usize, usize) -> bool) -> Mask {
    Mask::new(width, height, (0..width * height).map(|at| inside(at % width, at / width)).collect()).unwrap()
}

fn cropper(margin: f64, resize: Resize) -> Cropper {
    Cropper::new(&model(), CropSettings { margin, resize }).unwrap()
}

/// A region that already has the input's size, so that no filter mixes pixels.
#[test]
fn the_box_is_cropped_and_the_rest_filled() {
    let image = image(6, 5);
    // A cross in the box of columns 1–4 and rows 0–3.
    let cross = mask(6, 5, |x, y| (1..5).contains(&x) && y < 4 && (x == 2 || y == 1));
    for resize in [Resize::Antialiased, Resize::Ovseg] {
        let pixels = cropper(0.0, resize).pixels(&image, &cross).unwrap();
        assert_eq!(pixels.len(), 48);
        for (index, value) in pixels.iter().enumerate() {
            let (channel, row, column) = (index / 16, index / 4 % 4, index % 4);
            let byte = image.get_pixel(column as u32 + 1, row as u32).0[channel];
            let inside = column == 1 || row == 1;
            // Half of 255 is rounded to 128 in 8 bits, and exact in OVSeg's mode.
            let outside = if resize == Resize::Ovseg { 0.0 } else { (128.0 / 255.0 - 0.5) / 0.25 };
            let expected = if inside { (f32::from(byte) / 255.0 - 0.5) / 0.25 } else { outside };
            assert!((value - expected).abs() < 1e-6, "{resize:?} {channel} {row} {column}: {value} {expected}");
        }
    }
}

#[test]
fn a_margin_shows_filled_surroundings_within_the_image() {
    let image = image(8, 8);
    let square = mask(8, 8, |x, y| (2..4).contains(&x) && (2..4).contains(&y));
    // A margin of half of two pixels on each side makes a box of four.
    let pixels = cropper(0.5, Resize::Ovseg).pixels(&image, &square).unwrap();
    let inside: Vec<usize> = (0..16).filter(|&at| pixels[32 + at] != 0.0).collect();
    assert_eq!(inside, [5, 6, 9, 10]);
    // The margin ends at the image's corner.
    let corner = mask(8, 8, |x, y| x < 2 && y < 2);
    assert_eq!(
        cropper(1.0, Resize::Ovseg).pixels(&image, &corner).unwrap()[32..].iter().filter(|v| **v != 0.0).count(),
        4
    );
    for margin in [-0.1, 4.5, f64::NAN] {
        let error = Cropper::new(&model(), CropSettings { margin, resize: Resize::Ovseg }).unwrap_err();
        assert!(error.to_string().contains("crop.margin"), "{error}");
    }
}

#[test]
fn an_empty_mask_has_no_pixels_and_a_single_pixel_has() {
    let image = image(1, 1);
    assert!(cropper(0.0, Resize::Antialiased).pixels(&image, &mask(1, 1, |_, _| false)).is_none());
    let pixels = cropper(0.0, Resize::Antialiased).pixels(&image, &mask(1, 1, |_, _| true)).unwrap();
    assert!(pixels[..16].iter().all(|value| *value == -2.0));
}

#[test]
fn resizing_in_ovsegs_mode_matches_pytorch() {
    // PyTorch 2.15: interpolate([[7r + 3c + 5k) % 11 / 10 …]], size=(4, 4), mode="bicubic") of three planes of 3 × 5.
    let plane = |k: usize| (0..15).map(move |at| ((7 * (at / 5) + 3 * (at % 5) + 5 * k) % 11) as f32 / 10.0);
    let planes: Vec<f32> = (0..3).flat_map(plane).collect();
    let found = bicubic::resize(&planes, [5, 3], 4);
    assert_eq!(found.len(), TORCH.len());
    for (found, expected) in found.iter().zip(TORCH) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
}

#[rustfmt::skip]
const TORCH: [f32; 48] = [
    -0.0227823, 0.3994965, 0.9421503, 0.144676, 0.5284247, 0.6079257, 0.51245, 0.6060863, 0.6694891, 0.7830853, 0.2658397,
    0.6877998, 0.298751, 0.798744, 0.3800428, 0.3309287, 0.5690713, 0.5251617, 0.0420782, 0.5921893, 0.2122002, 0.5798134,
    0.7348594, 0.3251148, 0.2939138, 0.3332031, 0.910019, 0.4661792, 0.755324, -0.0369457, 0.4413258, 0.9137225, 0.9329812,
    0.1699726, 0.8421503, 0.044676, 0.7833921, 0.4643773, 0.41245, 0.5060862, 0.4612674, 0.6963622, 0.1658397, 0.5877998,
    0.198751, 0.6987441, 0.2800429, 0.2309287,
];

#[test]
fn a_flip_mirrors_and_parts_stay_within() {
    let image = image(40, 10);
    let all = mask(40, 10, |_, _| true);
    for resize in [Resize::Antialiased, Resize::Ovseg] {
        let cropper = cropper(0.0, resize);
        let plain = cropper.pixels(&image, &all).unwrap();
        let flipped = cropper.part(&image, &all, Part { flip: true, ..Part::WHOLE }).unwrap();
        for (plain, flipped) in plain.chunks(4).zip(flipped.chunks(4)) {
            plain
                .iter()
                .zip(flipped.iter().rev())
                .for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{resize:?}: {a} {b}"));
        }
    }
    let augment = Augment { scale: [0.3, 1.0], flip: 0.5 };
    let bounds = Bounds { left: 3, top: 1, right: 30, bottom: 2 };
    let mut widths = std::collections::HashSet::new();
    for index in 0..200 {
        let part = Part::drawn(&augment, 1, 2, index).within(bounds);
        assert!(part.left >= 3 && part.right <= 30 && part.left < part.right && (part.top, part.bottom) == (1, 2));
        widths.insert(part.width());
        assert_eq!(part, Part::drawn(&augment, 1, 2, index).within(bounds));
    }
    assert!(widths.len() > 8, "{widths:?}");
    assert_eq!(Part::WHOLE.within(bounds), bounds);
}
