//! Crops and flips: ranges, golden values, and dependence on seed, epoch and index only.

use proptest::prelude::*;

use super::*;

const WIDE: Augment = Augment { scale: [0.08, 1.0], flip: 0.5 };

proptest! {
    #[test]
    fn crops_lie_inside(width in 1_u32..700, height in 1_u32..700, seed: u64, epoch in 0_u64..9, index: u64, from in 0.01_f64..1.0) {
        let augment = Augment { scale: [from, 1.0], flip: 0.5 };
        let crop = augment.crop((width, height), seed, epoch, index);
        prop_assert!(crop.width >= 1 && crop.height >= 1);
        prop_assert!(crop.left + crop.width <= width && crop.top + crop.height <= height);
        prop_assert_eq!(crop, augment.crop((width, height), seed, epoch, index));
    }

    #[test]
    fn the_result_has_the_requested_size(width in 1_u32..90, height in 1_u32..90, index: u64) {
        let image = RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 7]));
        let out = WIDE.apply(&image, 16, 1, 2, index);
        prop_assert_eq!(out.dimensions(), (16, 16));
        prop_assert_eq!(out, WIDE.apply(&image, 16, 1, 2, index));
    }
}

/// Means over many draws, to compare with torchvision's.
fn statistics(augment: Augment, size: (u32, u32)) -> [f64; 4] {
    let count = 40_000;
    let mut sums = [0.0; 4];
    for index in 0..count {
        let crop = augment.crop(size, 11, 0, index);
        let (width, height) = (f64::from(crop.width), f64::from(crop.height));
        let share = width * height / (f64::from(size.0) * f64::from(size.1));
        let centre = (f64::from(crop.left) + width / 2.0) / f64::from(size.0);
        for (sum, value) in sums.iter_mut().zip([share, width / height, centre, f64::from(u8::from(crop.flip))]) {
            *sum += value;
        }
    }
    sums.map(|sum| sum / count as f64)
}

#[test]
fn statistics_match_torchvision() {
    // torchvision 0.29, RandomResizedCrop.get_params, 100,000 draws each: mean share of the area, mean ratio, mean centre.
    for (scale, size, expected) in TORCHVISION {
        let [share, ratio, centre, flips] = statistics(Augment { scale, flip: 0.3 }, size);
        let found = [share, ratio, centre];
        for (found, expected) in found.into_iter().zip(expected) {
            assert!((found - expected).abs() < 0.004, "{scale:?} {size:?}: expected {expected}, found {found}");
        }
        assert!((flips - 0.3).abs() < 0.01);
    }
}

/// Scale, image size, and the three means.
type Measured = ([f64; 2], (u32, u32), [f64; 3]);

const TORCHVISION: [Measured; 4] = [
    ([0.08, 1.0], (128, 128), [0.4808, 1.0127, 0.5007]),
    ([0.9, 1.0], (128, 128), [0.9415, 1.0010, 0.4999]),
    ([0.5, 1.0], (200, 100), [0.6011, 1.2616, 0.4989]),
    ([0.7, 1.0], (60, 240), [0.3333, 0.7500, 0.5000]),
];

#[test]
fn a_strip_falls_back_to_the_centre() {
    // No box of 90 % of a 10:1 strip has a ratio near 1: torchvision takes the centre, 4:3.
    let crop = Augment { scale: [0.9, 1.0], flip: 0.0 }.crop((400, 40), 0, 0, 0);
    assert_eq!(crop, Crop { left: 173, top: 0, width: 53, height: 40, flip: false });
    let crop = Augment { scale: [0.9, 1.0], flip: 0.0 }.crop((40, 400), 0, 0, 0);
    assert_eq!(crop, Crop { left: 0, top: 173, width: 40, height: 53, flip: false });
}

#[test]
fn epochs_and_images_are_cropped_differently() {
    let crops: std::collections::HashSet<_> =
        (0..40).map(|at| (WIDE.crop((300, 300), 0, at % 2, at / 2).left, at)).map(|(left, _)| left).collect();
    assert!(crops.len() > 20, "{crops:?}");
}

#[test]
fn a_flip_mirrors_the_whole_image() {
    let image = RgbImage::from_fn(8, 8, |x, y| image::Rgb([30 * x as u8, 30 * y as u8, 0]));
    let whole = |flip| Augment { scale: [1.0, 1.0], flip };
    // The ratio must leave the whole image: take an index for which both crops differ in the flip only.
    for index in 0..5 {
        let plain = whole(0.0).apply(&image, 8, 0, 0, index);
        let flipped = whole(1.0).apply(&image, 8, 0, 0, index);
        assert_eq!(flip_horizontal(&plain), flipped);
        assert_ne!(plain, flipped);
    }
}

#[test]
fn settings_are_checked() {
    for scale in [[0.0, 1.0], [0.5, 0.4], [0.5, 1.1], [f64::NAN, 1.0], [0.5, f64::NAN], [-1.0, 0.5]] {
        let error = Augment { scale, flip: 0.0 }.validate();
        assert!(matches!(error, Err(SettingsError::Conflict { key: "augment.scale", .. })), "{scale:?}");
    }
    for flip in [-0.1, 1.1, f64::NAN] {
        assert!(
            matches!(
                Augment { scale: [0.5, 1.0], flip }.validate(),
                Err(SettingsError::Conflict { key: "augment.flip", .. })
            ),
            "{flip}"
        );
    }
    assert_eq!(WIDE.validate().ok(), Some(WIDE));
}
