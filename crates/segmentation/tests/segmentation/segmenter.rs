use std::collections::HashMap;
use std::sync::Arc;

use radapter_datasets::label_map::Labelling;
use radapter_datasets::{OnError, Templates};
use radapter_embedding::{EmbedOptions, Image};
use radapter_segmentation::confusion::Confusion;
use radapter_segmentation::crop::{CropSettings, Cropper};
use radapter_segmentation::fusion::{Cover, Vote, label_pixels};
use radapter_segmentation::mask::{Rle, components};
use radapter_segmentation::proposals::{ClassScores, Grid, Proposal, Proposals, Region, Source};
use radapter_segmentation::scores::Scores;
use radapter_segmentation::segmenter::{SegmentError, SegmentSettings, Segmented, Segmenter};
use radapter_segmentation::vocabulary::Vocabulary;

use crate::support::{COLOURS, SIZE, checkpoint, images, map, model, write};

fn segment(source: Source, images: &[Image], on_error: OnError) -> Result<(Vec<Segmented>, usize), SegmentError> {
    let clip = model(3);
    let classes: Vec<Vec<String>> = COLOURS.iter().map(|(name, _)| vec![(*name).to_owned()]).collect();
    let vocabulary = Vocabulary::new(&clip, &classes, &Templates::default(), 4).unwrap();
    let cropper = Cropper::new(&checkpoint(3).config, CropSettings::default()).unwrap();
    let segmenter = Segmenter {
        model: &clip,
        vocabulary: &vocabulary,
        cropper: &cropper,
        source: Arc::new(source),
        settings: SegmentSettings::default(),
        options: EmbedOptions { batch: 3, on_error, ..EmbedOptions::default() },
        cache: None,
    };
    let mut found = Vec::new();
    let skipped = segmenter.run(images, &mut |segmented| {
        found.push(segmented);
        Ok(())
    })?;
    Ok((found, skipped.len()))
}

fn truth(folder: &std::path::Path, count: usize) -> Source {
    let annotation = |index: usize| (format!("{index:03}"), folder.join(format!("annotations/{index:03}.png")));
    let annotations: HashMap<_, _> = (0..count).map(annotation).collect();
    Source::GroundTruth { annotations, labelling: Labelling::new(COLOURS.len(), None, 0).unwrap(), min_area: 8 }
}

#[test]
fn images_stay_in_order_and_every_pixel_has_a_class() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 7);
    let images = images(folder.path(), 7);
    let (found, _) = segment(truth(folder.path(), 7), &images, OnError::Fail).unwrap();
    assert_eq!(found.iter().map(|one| one.index).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    for one in &found {
        assert_eq!((one.map.width(), one.map.height()), (SIZE.0 as usize, SIZE.1 as usize));
        assert_eq!((one.uncovered, one.masks), (0, 2));
        // A region has one class.
        let classes: std::collections::BTreeSet<_> =
            one.map.labels().iter().copied().zip(map(one.index).labels().iter().copied()).collect();
        assert_eq!(classes.len(), 2);
    }
    let (built_in, _) = segment(Source::open("builtin").unwrap(), &images, OnError::Fail).unwrap();
    assert!(built_in.iter().all(|one| one.masks > 0));
}

/// With the right class for every annotated segment, mIoU is 1: ground-truth masks are an upper bound.
#[test]
fn an_oracle_on_ground_truth_is_right_everywhere() {
    let mut confusion = Confusion::new(COLOURS.len());
    for index in 0..8 {
        let truth = map(index);
        let (width, height) = (truth.width(), truth.height());
        let votes: Vec<Vote> = components(truth.labels(), width, height, u16::MAX, 1)
            .into_iter()
            .map(|(label, mask)| {
                let mut classes = vec![0.1; COLOURS.len()];
                classes[usize::from(label)] = 0.7;
                Vote { cover: Cover::Binary(Rle::of(&mask)), classes }
            })
            .collect();
        let labels = label_pixels(width, height, &votes).into_iter().map(Option::unwrap).collect();
        let found = radapter_datasets::label_map::LabelMap::new(width, height, labels).unwrap();
        confusion.add("picture", &truth, &found).unwrap();
    }
    let names = COLOURS.map(|(name, _)| name.to_owned());
    assert_eq!(Scores::of(&confusion, &names, &[]).miou, 1.0);
}

#[test]
fn pixels_outside_all_masks_get_the_whole_images_class_and_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 3);
    let images = images(folder.path(), 3);
    let none = |masks: Vec<Proposal>| {
        let proposals = Proposals { width: SIZE.0 as usize, height: SIZE.1 as usize, masks, class_scores: None };
        Source::Known(HashMap::from([("000".to_owned(), proposals)]))
    };
    let (found, _) = segment(none(vec![]), &images, OnError::Fail).unwrap();
    for one in &found {
        assert_eq!(one.uncovered, one.map.labels().len(), "no proposals");
        assert!(one.map.labels().iter().all(|label| *label == one.map.labels()[0] && usize::from(*label) < 4));
    }
    // An empty mask is dropped, and no pixel is under it.
    let pixels = SIZE.0 * SIZE.1;
    let empty = Rle::new(SIZE.0 as usize, SIZE.1 as usize, vec![pixels]).unwrap();
    let (again, _) =
        segment(none(vec![Proposal { region: Region::Binary(empty), score: 1.0 }]), &images, OnError::Fail).unwrap();
    assert_eq!((again[0].masks, &again[0].map), (0, &found[0].map));
}

#[test]
fn a_broken_image_stops_the_run_or_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 3);
    std::fs::write(folder.path().join("images/001.png"), b"not an image").unwrap();
    let images = images(folder.path(), 3);
    let error = segment(truth(folder.path(), 3), &images, OnError::Fail).unwrap_err();
    assert!(error.to_string().contains("001.png"), "{error}");
    let (found, skipped) = segment(truth(folder.path(), 3), &images, OnError::Skip).unwrap();
    assert_eq!((found.len(), found[1].index, skipped), (2, 2, 1));
}

#[test]
fn settings_out_of_range_are_named() {
    for (settings, key) in [
        (SegmentSettings { threshold: 0.0, ..SegmentSettings::default() }, "threshold"),
        (SegmentSettings { temperature: 0.0, ..SegmentSettings::default() }, "temperature"),
        (SegmentSettings { lambda: 1.1, ..SegmentSettings::default() }, "lambda"),
        (SegmentSettings { lambda: f32::NAN, ..SegmentSettings::default() }, "lambda"),
    ] {
        assert!(settings.validate().unwrap_err().to_string().contains(key));
    }
    assert!(SegmentSettings::default().validate().is_ok());
}

/// Returns masks as logits on a smaller grid, from a file, with and without class scores.
fn soft(logits: &[f32], scores: Option<Vec<f32>>) -> Source {
    let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
    let grid = |logit: &f32| Region::Logits(Grid::new(2, 2, vec![*logit; 4]).unwrap());
    let masks: Vec<Proposal> = logits.iter().map(|logit| Proposal { region: grid(logit), score: 1.0 }).collect();
    let class_scores = scores.map(|scores| ClassScores::new(COLOURS.len() + 1, scores).unwrap());
    Source::Known(HashMap::from([("000".to_owned(), Proposals { width, height, masks, class_scores })]))
}

#[test]
fn soft_masks_vote_by_their_sigmoid() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 1);
    let images = images(folder.path(), 1);
    let whole = segment(soft(&[], None), &images, OnError::Fail).unwrap().0.remove(0);
    assert_eq!(whole.uncovered, whole.map.labels().len());

    // All pixels are in the mask, so that the region is the whole image.
    let one = segment(soft(&[9.0], None), &images, OnError::Fail).unwrap().0.remove(0);
    assert_eq!((one.uncovered, one.masks, &one.map), (0, 1, &whole.map));

    // The generator is certain of class 2, with a weight of 0.3: more than the cosines of random weights.
    let mut certain = vec![-40.0; 5];
    certain[2] = 40.0;
    let scored = segment(soft(&[9.0], Some(certain.clone())), &images, OnError::Fail).unwrap().0.remove(0);
    assert!(scored.map.labels().iter().all(|label| *label == 2), "{:?}", scored.map.labels()[0]);

    // An empty region without scores is dropped; with scores its CLIP probability is 1, and its sigmoid still votes.
    for logit in [-10.0, -200.0, -10_000.0] {
        let empty = segment(soft(&[logit], None), &images, OnError::Fail).unwrap().0.remove(0);
        assert_eq!((empty.masks, empty.uncovered, &empty.map), (0, whole.map.labels().len(), &whole.map), "{logit}");
    }
    let empty = segment(soft(&[-10.0], Some(certain)), &images, OnError::Fail).unwrap().0.remove(0);
    assert!(empty.map.labels().iter().all(|label| *label == 2));
}
