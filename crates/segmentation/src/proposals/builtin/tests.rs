//! Proposals of the built-in generator for synthetic scenes.

use image::Rgb;
use proptest::prelude::*;

use super::*;
use crate::mask::Mask;

/// Draws a disc, a square and a bar on a background of two halves.
fn scene() -> (RgbImage, Vec<Mask>) {
    let (width, height) = (160_u32, 120_u32);
    let disc = |x: u32, y: u32| (f64::from(x) - 40.0).powi(2) + (f64::from(y) - 35.0).powi(2) < 400.0;
    let square = |x: u32, y: u32| (90..130).contains(&x) && (50..90).contains(&y);
    let bar = |x: u32, y: u32| (10..80).contains(&x) && (95..103).contains(&y);
    let image = RgbImage::from_fn(width, height, |x, y| {
        // A little reproducible noise.
        let noise = ((x * 7 + y * 13 + x * y) % 5) as u8;
        let colour = if disc(x, y) {
            [200, 40, 40]
        } else if square(x, y) {
            [40, 60, 190]
        } else if bar(x, y) {
            [240, 220, 60]
        } else if y < 70 {
            [130, 180, 220]
        } else {
            [90, 130, 70]
        };
        Rgb(colour.map(|value: u8| value + noise))
    });
    let mask = |inside: &dyn Fn(u32, u32) -> bool| {
        let bits = (0..width * height).map(|at| inside(at % width, at / width)).collect();
        Mask::new(width as usize, height as usize, bits).expect("a bit for each pixel")
    };
    (image, vec![mask(&disc), mask(&square), mask(&bar)])
}

fn best(found: &[Scored], shape: &Mask) -> f64 {
    found.iter().map(|found| found.mask.decode().iou(shape)).fold(0.0, f64::max)
}

#[test]
fn every_shape_is_proposed() {
    let (image, shapes) = scene();
    let found = proposals(&image, &Options::default());
    for shape in &shapes {
        assert!(best(&found, shape) > 0.9, "{}", best(&found, shape));
    }
    assert_eq!(found, proposals(&image, &Options::default()));
    // The most salient come first; a part of the background is more salient than the thin bar.
    let few = proposals(&image, &Options { max_masks: 12, ..Options::default() });
    assert_eq!(few, found[..few.len()]);
    let place = |shape: &Mask| found.iter().position(|found| found.mask.decode().iou(shape) > 0.9);
    let places: Vec<Option<usize>> = shapes.iter().map(place).collect();
    assert!(places.iter().all(|place| place.is_some_and(|place| place < 50)), "{places:?} of {}", found.len());
}

#[test]
fn a_large_image_is_reduced_and_its_masks_are_full_size() {
    let (image, shapes) = scene();
    let large = resize(&image, 640, 480, Interpolation::Bilinear);
    let found = proposals(&large, &Options::default());
    for shape in &shapes {
        let bits = (0..640 * 480).map(|at: usize| shape.bits()[at / 640 / 4 * 160 + at % 640 / 4]).collect();
        let shape = Mask::new(640, 480, bits).expect("a bit for each pixel");
        assert!(best(&found, &shape) > 0.85, "{}", best(&found, &shape));
    }
}

#[test]
fn images_without_edges_are_one_mask() {
    for (width, height) in [(1, 1), (2, 1), (1, 9), (50, 40)] {
        let image = RgbImage::from_pixel(width, height, Rgb([90, 90, 90]));
        let found = proposals(&image, &Options::default());
        assert_eq!(found.len(), 1, "{width} × {height}");
        assert_eq!(found[0].mask.area(), (width * height) as usize);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn masks_lie_within_the_image_and_differ(
        (width, height) in (1_u32..60, 1_u32..60), seed: u32, most in 1_usize..40,
    ) {
        let image = RgbImage::from_fn(width, height, |x, y| {
            let block = (x / 9).wrapping_mul(31).wrapping_add((y / 7).wrapping_mul(17)).wrapping_mul(seed | 1);
            Rgb([(block >> 3) as u8, (block >> 11) as u8, (block >> 19) as u8])
        });
        let options = Options { max_masks: most, ..Options::default() };
        let found = proposals(&image, &options);
        prop_assert!((1..=most).contains(&found.len()));
        for (at, scored) in found.iter().enumerate() {
            prop_assert_eq!((scored.mask.width(), scored.mask.height()), (width as usize, height as usize));
            prop_assert!(scored.mask.area() >= smallest((width as usize, height as usize)));
            for other in &found[..at] {
                prop_assert!(scored.mask.decode().iou(&other.mask.decode()) < options.same);
            }
        }
    }
}

/// Near-duplicates are searched among all candidates: many regions of one size are the worst case.
#[test]
fn a_patchwork_of_equal_tiles_is_fast() {
    let image = RgbImage::from_fn(320, 240, |x, y| {
        let tile = (x / 16 + 20 * (y / 16)).wrapping_mul(2_654_435_761);
        Rgb([(tile >> 8) as u8, (tile >> 16) as u8, (tile >> 24) as u8])
    });
    let start = std::time::Instant::now();
    let found = proposals(&image, &Options::default());
    assert!((50..=200).contains(&found.len()), "{} masks", found.len());
    // An idle core needs at most half a second; a busy machine may take several times as long.
    assert!(start.elapsed().as_secs_f64() < 3.0, "{:?}", start.elapsed());
}
