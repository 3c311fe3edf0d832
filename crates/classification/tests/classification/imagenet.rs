//! ImageNet's protocols on a miniature of its layout.

use std::path::Path;

use image::{Rgb, RgbImage};
use radapter_classification::head::Head;
use radapter_classification::imagenet;
use radapter_classification::suite::{Suite, SuiteError, evaluate_suite};
use radapter_datasets::imagenet::ImageNetSet;
use radapter_embedding::{EmbedOptions, Embeddings, Image, embed_images};
use radapter_images::ImageSource;

use crate::support::{classes, model, square};

fn save(root: &Path, path: &str, image: &RgbImage) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(path).unwrap();
}

fn embedding(image: RgbImage) -> Vec<f32> {
    let image = Image { name: String::new(), source: ImageSource::Pixels(image.into()) };
    let found = embed_images(&model(5), &[image], &EmbedOptions::default(), &mut |_| {}).unwrap();
    found.embeddings.values().to_vec()
}

/// Adds a red frame of 2 pixels, as in ObjectNet.
fn framed(image: &RgbImage) -> RgbImage {
    let (width, height) = image.dimensions();
    RgbImage::from_fn(width + 4, height + 4, |x, y| {
        let inside = (2..width + 2).contains(&x) && (2..height + 2).contains(&y);
        if inside { *image.get_pixel(x - 2, y - 2) } else { Rgb([255, 0, 0]) }
    })
}

/// Labels of stingray (in A and R), tench (in neither), and ObjectNet's alarm clock, which is two of ImageNet's classes.
const STINGRAY: usize = 6;
const TENCH: usize = 0;
const CLOCKS: [usize; 2] = [409, 530];

/// One image, a stingray everywhere except in ObjectNet, where it is an alarm clock. The classifier ranks tench first,
/// then digital clock, then stingray, and everything else slightly lower.
fn miniature() -> (tempfile::TempDir, Head) {
    let root = tempfile::tempdir().unwrap();
    let image = square([200, 90, 40], 1);
    let classes = imagenet::classes(None).unwrap();
    let wnid = classes.get(STINGRAY).unwrap().folder.clone();
    for folder in ["ILSVRC2012/val", "imagenet-a", "imagenet-r", "sketch"] {
        save(root.path(), &format!("{folder}/{wnid}/1.png"), &image);
    }
    // Sorted as text, "10" comes before "6": a label by position would be 1.
    let v2 = "imagenetv2-matched-frequency-format-val";
    save(root.path(), &format!("{v2}/10/1.png"), &image);
    save(root.path(), &format!("{v2}/6/1.png"), &image);
    save(root.path(), "objectnet-1.0/images/alarm_clock/1.png", &framed(&image));
    // One of ObjectNet's folders that has no class in ImageNet.
    save(root.path(), "objectnet-1.0/images/baking_sheet/1.png", &image);

    let own = embedding(image);
    let weight = |class: usize| match class {
        TENCH => 1.0,
        class if class == CLOCKS[1] => 0.9,
        STINGRAY => 0.95,
        class if class == CLOCKS[0] => -1.0,
        _ => 0.1,
    };
    let rows = (0..1000).flat_map(|class| own.iter().map(move |value| weight(class) * value));
    let rows = Embeddings::new(own.len(), rows.collect());
    (root, Head::new(classes, Vec::new(), rows).unwrap())
}

#[test]
fn every_set_is_scored_by_its_protocol() {
    let (root, head) = miniature();
    let suite = Suite::imagenet(root.path(), &ImageNetSet::SHIFTED, head.classes()).unwrap();
    let options = EmbedOptions::default();
    let outcome = evaluate_suite(&model(5), &head, &suite, &options, &mut |_, _| {}).unwrap();
    let result = outcome.result;
    assert_eq!((result.id.name.as_str(), result.id.evaluation.n), ("imagenet", 1));

    let answers = |set: usize| -> (usize, &str) {
        let (_, predictions) = &outcome.predictions[set];
        (suite.sets().nth(set).unwrap().candidates.len(), predictions[0].best[0].class.as_str())
    };
    let wnid = |label: usize| imagenet::classes(None).unwrap().get(label).unwrap().folder.clone();
    // All 1000 classes compete, and the tench wins: wrong, but among the best five.
    for set in [0, 1, 3] {
        assert_eq!(answers(set), (1000, wnid(TENCH).as_str()), "set {set}");
    }
    assert_eq!((result.id.evaluation.top1, result.id.evaluation.top5), (0.0, 1.0));
    // The tench is not among the 200: the stingray wins.
    for set in [2, 5] {
        assert_eq!(answers(set), (200, wnid(STINGRAY).as_str()), "set {set}");
    }
    // A folder scores its best class, not the mean or the first. Tench is not a folder of ObjectNet.
    assert_eq!(answers(4), (113, "alarm_clock"));

    let top1: Vec<(&str, u64, f64)> =
        result.ood.iter().map(|set| (set.name.as_str(), set.evaluation.n, set.evaluation.top1)).collect();
    let expected = [
        ("imagenet-v2", 2, 0.0),
        ("imagenet-r", 1, 1.0),
        ("imagenet-sketch", 1, 0.0),
        ("objectnet", 1, 1.0),
        ("imagenet-a", 1, 1.0),
    ];
    assert_eq!(top1, expected);
    assert_eq!(result.ood_average, 3.0 / 5.0);
    let second = result.second_average.unwrap();
    assert_eq!((second.top1, second.without), (2.0 / 4.0, vec!["objectnet".to_owned()]));
}

#[test]
fn an_incomplete_set_is_refused() {
    let (root, head) = miniature();
    let suite = Suite::imagenet(root.path(), &ImageNetSet::SHIFTED, head.classes()).unwrap();
    let text = suite.check_images("imagenet").unwrap_err().to_string();
    assert!(text.contains("suite imagenet: set `imagenet` has 1 images, expected 50000"), "{text}");
}

#[test]
fn v2s_folders_are_labels_not_positions() {
    let (root, head) = miniature();
    let suite = Suite::imagenet(root.path(), &[ImageNetSet::V2], head.classes()).unwrap();
    let labels: Vec<usize> = suite.ood[0].samples.iter().map(|sample| sample.label).collect();
    assert_eq!(labels, [10, 6]);
}

#[test]
fn objectnets_frame_is_cut_off() {
    let (root, head) = miniature();
    let suite = Suite::imagenet(root.path(), &[ImageNetSet::ObjectNet], head.classes()).unwrap();
    assert_eq!(suite.ood[0].border, 2);
    let options = EmbedOptions::default();
    let outcome = evaluate_suite(&model(5), &head, &suite, &options, &mut |_, _| {}).unwrap();
    // Without its frame the image is the one that the rows were made from, at cosine 1 and weight 0.9.
    let score = outcome.predictions[1].1[0].best[0].score;
    assert!((score - 0.9).abs() < 1e-5, "{score}");
}

#[test]
fn missing_sets_are_all_named_and_others_can_be_chosen() {
    let (root, head) = miniature();
    std::fs::remove_dir_all(root.path().join("sketch")).unwrap();
    std::fs::remove_dir_all(root.path().join("imagenet-a")).unwrap();
    let error = Suite::imagenet(root.path(), &ImageNetSet::SHIFTED, head.classes()).unwrap_err();
    assert!(matches!(error, SuiteError::MissingSets { .. }));
    let text = error.to_string();
    assert!(text.contains("sketch") && text.contains("imagenet-a"), "{text}");
    let there = [ImageNetSet::R];
    assert!(Suite::imagenet(root.path(), &there, head.classes()).is_ok());
}

#[test]
fn a_model_of_other_classes_is_refused() {
    let (root, _) = miniature();
    let error = Suite::imagenet(root.path(), &ImageNetSet::SHIFTED, &classes()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("lacks 1000 of") && text.contains("n01440764"), "{text}");
}
