//! Run lengths compared with pycocotools, and connected components with a plain search.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use proptest::prelude::*;

use super::*;

fn mask(width: usize, height: usize, bits: &[u8]) -> Mask {
    Mask::new(width, height, bits.iter().map(|&bit| bit == 1).collect()).unwrap()
}

prop_compose! {
    fn any_mask()((width, height) in (1_usize..40, 1_usize..40), dense in 1_u8..8)(
        width in Just(width), height in Just(height), dense in Just(dense),
        bytes in prop::collection::vec(any::<u8>(), width * height),
    ) -> Mask {
        Mask::new(width, height, bytes.into_iter().map(|byte| byte % 8 < dense).collect()).unwrap()
    }
}

proptest! {
    #[test]
    fn run_lengths_round_trip_compressed_and_plain(mask in any_mask()) {
        let rle = Rle::of(&mask);
        prop_assert_eq!(rle.decode(), mask.clone());
        prop_assert_eq!(rle.area(), mask.area());
        let again = Rle::from_compressed(mask.width(), mask.height(), &rle.to_compressed());
        prop_assert_eq!(again.as_ref(), Ok(&rle));
        prop_assert_eq!(Rle::new(mask.width(), mask.height(), rle.counts().to_vec()), Ok(rle));
    }

    #[test]
    fn any_text_is_a_mask_or_an_error(text in "[0-o]{0,30}", width in 1_usize..9, height in 1_usize..9) {
        if let Ok(rle) = Rle::from_compressed(width, height, &text) {
            prop_assert_eq!(rle.decode().bits().len(), width * height);
        }
    }

    #[test]
    fn bounds_are_the_outermost_pixels(mask in any_mask()) {
        let inside: Vec<(usize, usize)> =
            (0..mask.bits().len()).filter(|&at| mask.bits()[at]).map(|at| (at % mask.width(), at / mask.width())).collect();
        let range = |values: Vec<usize>| Some((*values.iter().min()?, *values.iter().max()? + 1));
        let across = range(inside.iter().map(|pixel| pixel.0).collect());
        let down = range(inside.iter().map(|pixel| pixel.1).collect());
        let found = mask.bounds();
        prop_assert_eq!(found.map(|bounds| (bounds.left, bounds.right)), across);
        prop_assert_eq!(found.map(|bounds| (bounds.top, bounds.bottom)), down);
    }

    #[test]
    fn components_partition_connected_pixels(
        width in 1_usize..12, rows in prop::collection::vec(prop::collection::vec(0_u16..3, 12), 1..12),
    ) {
        let height = rows.len();
        let labels: Vec<u16> = rows.iter().flat_map(|row| row[..width].to_vec()).collect();
        let parts = components(&labels, width, height, 2, 1);
        let mut part_of = vec![None; labels.len()];
        for (number, (label, mask)) in parts.iter().enumerate() {
            for pixel in (0..labels.len()).filter(|&pixel| mask.bits()[pixel]) {
                prop_assert_eq!(labels[pixel], *label);
                prop_assert_eq!(part_of[pixel], None, "in two parts");
                part_of[pixel] = Some(number);
            }
        }
        for pixel in 0..labels.len() {
            prop_assert_eq!(part_of[pixel].is_some(), labels[pixel] != 2);
            // Neighbours of one label are in one component; the number of components, below, shows that none is too large.
            for next in [(pixel % width + 1 < width).then_some(pixel + 1), Some(pixel + width).filter(|p| *p < labels.len())] {
                if let Some(next) = next.filter(|&next| labels[next] == labels[pixel]) {
                    prop_assert_eq!(part_of[next], part_of[pixel]);
                }
            }
        }
        prop_assert_eq!(parts.len(), plainly(&labels, width));
        let large = components(&labels, width, height, 2, 4);
        let expected: Vec<_> = parts.into_iter().filter(|(_, mask)| mask.area() >= 4).collect();
        prop_assert_eq!(large, expected);
    }
}

/// Counts components by joining neighbours until nothing changes.
fn plainly(labels: &[u16], width: usize) -> usize {
    let mut part: Vec<usize> = (0..labels.len()).collect();
    loop {
        let before = part.clone();
        for a in 0..labels.len() {
            for b in 0..labels.len() {
                let beside = a + 1 == b && b % width != 0 || a + width == b;
                if beside && labels[a] == labels[b] {
                    let least = part[a].min(part[b]);
                    (part[a], part[b]) = (least, least);
                }
            }
        }
        if part == before {
            let mut parts: Vec<usize> = (0..labels.len()).filter(|&at| labels[at] != 2).map(|at| part[at]).collect();
            parts.sort_unstable();
            parts.dedup();
            return parts.len();
        }
    }
}

/// pycocotools 2.0.11: `mask.encode(np.asfortranarray(m))` of these masks.
#[test]
fn compression_matches_pycocotools() {
    for (mask, counts, text) in [
        (mask(3, 2, &[0, 1, 1, 0, 0, 1]), vec![2, 1, 1, 2], "2111"),
        (mask(2, 2, &[1, 1, 1, 1]), vec![0, 4], "04"),
        (mask(2, 2, &[0, 0, 0, 0]), vec![4], "4"),
        (mask(1, 1, &[1]), vec![0, 1], "01"),
    ] {
        let rle = Rle::of(&mask);
        assert_eq!(rle.counts(), counts);
        assert_eq!(rle.to_compressed(), text);
    }
    let wide = Mask::new(50, 40, (0..2000).map(|at| (at / 50 * 7 + at % 50 * 3) % 29 < 17).collect()).unwrap();
    let text = Rle::of(&wide).to_compressed();
    assert_eq!((text.len(), &text[..32]), PYCOCOTOOLS);
}

const PYCOCOTOOLS: (usize, &str) = (972, "032O00000001O0001O020OO0001O0000");

#[test]
fn bad_run_lengths_are_refused() {
    let message = |result: Result<Rle, RleError>| result.unwrap_err().to_string();
    assert!(message(Rle::new(3, 2, vec![2, 3])).contains("add up to 5 pixels, expected 3 × 2 = 6"));
    assert!(message(Rle::new(3, 2, vec![u32::MAX, u32::MAX])).contains("8589934590"));
    assert!(message(Rle::from_compressed(3, 2, "2!")).contains("'!'"));
    assert!(message(Rle::from_compressed(3, 2, "2\u{e9}")).contains('\u{e9}'));
    assert!(message(Rle::from_compressed(3, 2, "2P")).contains("truncated"));
    // Bit 4 of the last character makes a number negative.
    assert!(message(Rle::from_compressed(3, 2, "O")).contains("-1"));
    assert!(message(Rle::from_compressed(3, 2, &"o".repeat(40))).contains("whole number"));
    // Numbers of 59 bits, each added to the last but one.
    assert!(message(Rle::from_compressed(3, 2, &"ooooooooooo?".repeat(99))).contains("run 0 has the length"));
    assert!(message(Rle::new(1 << 40, 1 << 40, vec![])).contains("refused"));
    assert!(message(Rle::from_compressed(3, 2, "")).contains("add up to 0"));
}

#[test]
fn intersection_over_union() {
    let (a, b) = (mask(2, 2, &[1, 1, 0, 0]), mask(2, 2, &[1, 0, 1, 0]));
    assert_eq!(a.iou(&b), 1.0 / 3.0);
    assert_eq!(a.iou(&a), 1.0);
    let empty = mask(2, 2, &[0; 4]);
    assert_eq!((empty.iou(&empty), empty.iou(&a)), (0.0, 0.0));
    assert!(Mask::new(2, 2, vec![true; 3]).is_none());
}
