//! Comparison with PyTorch; `xtask/peers/ovseg_fixture.py` makes the fixture.

use radapter_segmentation::fusion::{
    Cover, Vote, fuse, generator_probabilities, label_pixels, pixel_sums, probabilities,
};
use radapter_segmentation::proposals::{ClassScores, Grid, Proposal, Proposals, Region};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    grid: [usize; 2],
    image: [usize; 2],
    threshold: f32,
    temperature: f32,
    lambda: f32,
    logits: Vec<f32>,
    scores: Vec<Vec<f32>>,
    cosines: Vec<Vec<f32>>,
    masks: Vec<f32>,
    fused: Vec<Vec<f32>>,
    sums: Vec<f32>,
    labels: Vec<u16>,
}

#[track_caller]
fn close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    eprintln!("segmentation parity, {what}: {largest:.1e}");
    assert!(largest <= 1e-5, "{what}: {largest}");
}

#[test]
fn parity_of_masks_classes_and_their_sum() {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/ovseg.json")).unwrap();
    let ([grid_height, grid_width], [height, width]) = (fixture.grid, fixture.image);
    let region = |logits: &[f32]| Region::Logits(Grid::new(grid_width, grid_height, logits.to_vec()).unwrap());
    let masks = fixture.logits.chunks(grid_width * grid_height);
    let masks = masks.map(|logits| Proposal { region: region(logits), score: 1.0 }).collect();
    let class_scores = ClassScores::new(5, fixture.scores.concat());
    let proposals = Proposals { width, height, masks, class_scores };
    let binary = proposals.binary(fixture.threshold);
    assert!(binary[..4].iter().all(Option::is_some) && binary[4].is_none());

    let mut votes = Vec::new();
    for (number, proposal) in proposals.masks.iter().enumerate() {
        let Region::Logits(grid) = &proposal.region else { panic!("made of logits") };
        let values = grid.probabilities(width, height);
        close("mask", &values, &fixture.masks[number * width * height..(number + 1) * width * height]);
        let generator = generator_probabilities(proposals.class_scores.as_ref().unwrap().row(number).unwrap());
        let clip = match binary[number] {
            Some(_) => probabilities(&fixture.cosines[number], fixture.temperature),
            None => vec![1.0; 4],
        };
        let classes = fuse(&generator, &clip, fixture.lambda);
        close("classes", &classes, &fixture.fused[number]);
        votes.push(Vote { cover: Cover::Soft(values), classes });
    }
    close("sums", &pixel_sums(width, height, &votes), &fixture.sums);
    let labels: Vec<u16> = label_pixels(width, height, &votes).into_iter().map(Option::unwrap).collect();
    assert_eq!(labels, fixture.labels);
}
