//! Ranks compared with their definition, and recall with golden values.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use proptest::prelude::*;

use super::*;

/// Reference implementation, one query at a time.
fn plainly(images: &[Vec<f32>], texts: &[Vec<f32>], text_image: &[usize]) -> Ranks {
    let score = |image: &[f32], text: &[f32]| image.iter().zip(text).fold(0.0_f32, |sum, (a, b)| sum + a * b);
    let rank = |scores: &[f32], is_right: &dyn Fn(usize) -> bool| {
        let indices = || 0..scores.len();
        let best = indices().filter(|&at| is_right(at)).map(|at| scores[at]).fold(f32::NEG_INFINITY, f32::max);
        1 + indices().filter(|&at| !is_right(at) && scores[at] >= best).count() as u32
    };
    let of_image = |(image, row): (usize, &Vec<f32>)| {
        let scores: Vec<f32> = texts.iter().map(|text| score(row, text)).collect();
        rank(&scores, &|text| text_image[text] == image)
    };
    let of_text = |(text, row): (usize, &Vec<f32>)| {
        let scores: Vec<f32> = images.iter().map(|image| score(image, row)).collect();
        rank(&scores, &|image| text_image[text] == image)
    };
    Ranks {
        image_to_text: images.iter().enumerate().map(of_image).collect(),
        text_to_image: texts.iter().enumerate().map(of_text).collect(),
    }
}

fn found(images: &[Vec<f32>], texts: &[Vec<f32>], text_image: &[usize]) -> Result<Ranks, RecallError> {
    let dim = images.first().map_or(1, Vec::len);
    let (images, texts) = (images.concat(), texts.concat());
    ranks(Rows::new(dim, &images)?, Rows::new(dim, &texts)?, text_image, &mut |_| {})
}

/// Draws rows from few values, so that ties are frequent.
fn rows(values: &'static [f32], dim: usize, count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Vec<f32>>> {
    let row = prop::collection::vec(prop::sample::select(values), dim);
    prop::collection::vec(row, count)
}

/// Draws a gallery: images, texts, and the texts' images; every image has a text.
fn gallery() -> impl Strategy<Value = (Vec<Vec<f32>>, Vec<Vec<f32>>, Vec<usize>)> {
    const COARSE: [f32; 4] = [-1.0, 0.0, 0.3, 1.0];
    // Sums of these depend on the order of summation.
    const FINE: [f32; 5] = [1.0e8, -1.0e8, 0.1, 0.7, -0.3];
    (1_usize..9, prop::bool::ANY).prop_flat_map(|(dim, coarse)| {
        let values: &'static [f32] = if coarse { &COARSE } else { &FINE };
        (rows(values, dim, 1..120), rows(values, dim, 0..150), any::<u64>()).prop_flat_map(
            move |(images, more, seed)| {
                let n = images.len();
                rows(values, dim, n..n + 1).prop_map(move |first| {
                    let mut state = seed | 1;
                    let mut draw = || {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        (state >> 33) as usize % n
                    };
                    let text_image: Vec<usize> = (0..n).chain(more.iter().map(|_| draw())).collect();
                    (images.clone(), [first, more.clone()].concat(), text_image)
                })
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn ranks_match_the_definition((images, texts, text_image) in gallery()) {
        prop_assert_eq!(found(&images, &texts, &text_image).unwrap(), plainly(&images, &texts, &text_image));
    }
}

/// More texts than fit a block, some of which are in several blocks.
#[test]
fn equal_embeddings_score_equally_in_every_block() {
    let dim = 1 << 16;
    let row = |seed: usize| -> Vec<f32> {
        (0..dim).map(|k| ((k * (seed + 3) * 2_654_435_761) % 1_000) as f32 / 1_000.0 - 0.5).collect()
    };
    let images: Vec<Vec<f32>> = (0..8).map(row).collect();
    // Blocks hold 32 texts of this length.
    let texts: Vec<Vec<f32>> = (0..80).map(|text| row(text % 8)).collect();
    let text_image: Vec<usize> = (0..80).map(|text| text % 8).collect();
    let ranks = found(&images, &texts, &text_image).unwrap();
    assert_eq!(ranks, plainly(&images, &texts, &text_image));
    assert!(ranks.image_to_text.iter().chain(&ranks.text_to_image).all(|&rank| rank == 1), "{ranks:?}");
    // One text now belongs to another image: its ten equals cannot be distinguished from it.
    let mut swapped = text_image.clone();
    swapped[79] = 0;
    let ranks = found(&images, &texts, &swapped).unwrap();
    assert_eq!(ranks.image_to_text[7], 2);
    assert_eq!(ranks, plainly(&images, &texts, &swapped));
}

/// One text more or less than a panel holds, and every score below 0.
#[test]
fn padding_of_a_panel_never_counts() {
    for count in [1, 15, 16, 17, 33] {
        let images: Vec<Vec<f32>> = (0..count).map(|at| vec![1.0, 0.1 * at as f32]).collect();
        let texts: Vec<Vec<f32>> = (0..count).map(|at| vec![-1.0, -0.1 * at as f32]).collect();
        let text_image: Vec<usize> = (0..count).collect();
        let ranks = found(&images, &texts, &text_image).unwrap();
        assert_eq!(ranks, plainly(&images, &texts, &text_image), "{count}");
    }
}

#[test]
fn ties_count_against_the_model() {
    let one = || vec![1.0, 0.0];
    let ranks = found(&[one(), one(), one()], &[one(), one(), one()], &[0, 1, 2]).unwrap();
    assert_eq!(ranks.image_to_text, [3, 3, 3]);
    assert_eq!(ranks.text_to_image, [3, 3, 3]);
}

#[test]
fn recalls_and_medians() {
    let recalls = Recalls::of(&[1, 2, 5, 6, 10, 11, 100, 1]);
    assert_eq!((recalls.r1, recalls.r5, recalls.r10, recalls.median_rank), (0.25, 0.5, 0.75, 5.5));
    assert_eq!(Recalls::of(&[3, 1, 9]).median_rank, 3.0);
    let ranks = Ranks { image_to_text: vec![1, 7], text_to_image: vec![1, 1, 6, 20] };
    let evaluation = Evaluation::of(&ranks);
    assert_eq!((evaluation.n_images, evaluation.n_texts), (2, 4));
    // 1/2, 1/2, 1 and 1/2, 1/2, 3/4
    assert_eq!(evaluation.mean_recall, 3.75 / 6.0);
}

#[test]
fn invalid_input_is_refused() {
    let one = vec![vec![1.0, 0.0]];
    let two = vec![vec![1.0, 0.0], vec![0.0, 1.0]];
    assert_eq!(found(&two, &two, &[0]), Err(RecallError::Pairs { texts: 2, found: 1 }));
    assert_eq!(found(&two, &two, &[0, 2]), Err(RecallError::NoSuchImage { text: 1, image: 2, images: 2 }));
    assert_eq!(found(&two, &two, &[0, 0]), Err(RecallError::NoText { image: 1 }));
    let nan = vec![vec![1.0, f32::NAN]];
    assert_eq!(found(&one, &nan, &[0]), Err(RecallError::NotFinite { what: "text", row: 0 }));
    assert_eq!(found(&one, &[], &[]), Err(RecallError::Empty { images: 1, texts: 0 }));
    let (short, long) = ([1.0, 0.0], [1.0, 0.0, 0.0]);
    let different = ranks(Rows::new(2, &short).unwrap(), Rows::new(3, &long).unwrap(), &[0], &mut |_| {});
    assert_eq!(different, Err(RecallError::Dim { images: 2, texts: 3 }));
    assert!(matches!(Rows::new(2, &long), Err(RecallError::Rows { .. })));
}
