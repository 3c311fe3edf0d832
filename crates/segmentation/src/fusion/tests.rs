//! Fusion compared with its formula, pixel by pixel.

use proptest::prelude::*;

use super::*;

/// Reference implementation: the sum over all masks for each pixel and class.
fn plainly(pixels: usize, votes: &[Vote]) -> Vec<Option<u16>> {
    let label = |pixel: usize| {
        let value = |vote: &Vote| match &vote.cover {
            Cover::Binary(mask) => f32::from(u8::from(mask.decode().bits()[pixel])),
            Cover::Soft(values) => values[pixel],
        };
        let class = |class: usize| votes.iter().map(|vote| value(vote) * vote.classes[class]).sum::<f32>();
        let sums: Vec<f32> = (0..votes.first().map_or(0, |vote| vote.classes.len())).map(class).collect();
        let covered = votes.iter().any(|vote| value(vote) > 0.0);
        covered.then(|| argmax(&sums))
    };
    (0..pixels).map(label).collect()
}

fn binary(width: usize, height: usize, bits: Vec<bool>) -> Cover {
    Cover::Binary(Rle::of(&Mask::new(width, height, bits).expect("a bit for each pixel")))
}

prop_compose! {
    /// Draws votes whose values are sums of few powers of two, so that any order of addition gives the same.
    fn votes()(
        (width, height, classes, count) in (1_usize..9, 1_usize..9, 1_usize..5, 0_usize..7),
        kind in 0..3,
        seeds in prop::collection::vec(any::<u64>(), 7 * (81 + 5)),
    ) -> (usize, usize, Vec<Vote>) {
        let mut seeds = seeds.into_iter();
        let mut next = |below: u64| seeds.next().map_or(0, |seed| seed % below);
        let vote = |index: usize, next: &mut dyn FnMut(u64) -> u64| {
            let soft = kind == 2 || (kind == 1 && index.is_multiple_of(2));
            let pixels = width * height;
            let cover = if soft {
                Cover::Soft((0..pixels).map(|_| next(3) as f32 / 4.0).collect())
            } else {
                binary(width, height, (0..pixels).map(|_| next(3) == 0).collect())
            };
            Vote { cover, classes: (0..classes).map(|_| next(4) as f32 / 8.0).collect() }
        };
        let votes = (0..count).map(|index| vote(index, &mut next)).collect();
        (width, height, votes)
    }
}

proptest! {
    #[test]
    fn cells_and_bands_match_the_plain_sum((width, height, votes) in votes()) {
        prop_assert_eq!(label_pixels(width, height, &votes), plainly(width * height, &votes));
    }
}

#[test]
fn bands_of_a_large_image_meet() {
    // More values than one band holds.
    let (width, height, classes) = (700, 50, 1000);
    let values = (0..width * height).map(|pixel| ((pixel * 7) % 11) as f32 / 16.0).collect();
    let votes = [
        Vote { cover: Cover::Soft(values), classes: (0..classes).map(|class| (class % 13) as f32).collect() },
        Vote { cover: binary(width, height, vec![true; width * height]), classes: vec![1.0; classes] },
    ];
    let labels = label_pixels(width, height, &votes);
    assert_eq!(labels.len(), width * height);
    assert!(labels.iter().enumerate().all(|(pixel, label)| *label == Some(if (pixel * 7) % 11 == 0 { 0 } else { 12 })));
}

#[test]
fn probabilities_match_pytorch() {
    // PyTorch: softmax(tensor([.2, .25, .1]) / .01), softmax([1., 2., 3., 0.])[:-1], and their product with lambda = .7
    let clip = probabilities(&[0.2, 0.25, 0.1], 0.01);
    let generator = generator_probabilities(&[1.0, 2.0, 3.0, 0.0]);
    let close = |found: &[f32], expected: [f32; 3]| {
        found.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{found:?}"));
    };
    close(&clip, [6.692_849e-3, 9.933_068e-1, 3.038_548e-7]);
    close(&generator, [8.714_432e-2, 2.368_828e-1, 6.439_142e-1]);
    close(&fuse(&generator, &clip, 0.7), [1.445_438e-2, 6.461_279e-1, 2.401_678e-5]);
    assert_eq!(fuse(&generator, &clip, 1.0), clip);
    assert_eq!(fuse(&generator, &clip, 0.0), generator);
}

#[test]
fn pixels_outside_all_masks_have_no_class() {
    assert_eq!(label_pixels(2, 1, &[]), [None, None]);
    let only = Vote { cover: binary(2, 1, vec![false, true]), classes: vec![0.0, 0.0] };
    assert_eq!(label_pixels(2, 1, &[only]), [None, Some(0)]);
}
