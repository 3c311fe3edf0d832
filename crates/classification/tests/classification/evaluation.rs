use std::path::Path;

use radapter_classification::calibration::Temperatures;
use radapter_classification::classes::Classes;
use radapter_classification::head::Head;
use radapter_classification::predict::{PredictError, predict};
use radapter_classification::read::read_labelled;
use radapter_classification::suite::{
    EvaluateError, Suite, SuiteError, SuiteFile, TestSet, evaluate, evaluate_suite, labelled_logits,
};
use radapter_datasets::{LabelledImages, OnError};
use radapter_embedding::{EmbedOptions, Embeddings, Image, embed_images};

use crate::support::{classes, model, squares, write_squares};

/// Returns a classifier that recognises the squares: each row is the mean embedding of its class's images.
fn knowing() -> Head {
    let model = model(3);
    let images = squares(4);
    let list: Vec<Image> = images.samples.iter().map(Image::from).collect();
    let found = embed_images(&model, &list, &EmbedOptions::default(), &mut |_| {}).unwrap();
    let dim = found.embeddings.dim();
    let mut rows = vec![0.0; 4 * dim];
    for (sample, row) in images.samples.iter().zip(found.embeddings.rows()) {
        for (sum, value) in rows[sample.label * dim..].iter_mut().zip(row) {
            *sum += value / 4.0;
        }
    }
    // Centred, so that the common part of all images has no effect.
    for at in 0..dim {
        let mean: f32 = (0..4).map(|class| rows[class * dim + at]).sum::<f32>() / 4.0;
        (0..4).for_each(|class| rows[class * dim + at] -= mean);
    }
    Head::new(classes(), Vec::new(), Embeddings::new(dim, rows)).unwrap()
}

/// Computes the expected top-1 accuracy with plain loops.
fn plain_top1(head: &Head, images: &LabelledImages) -> f64 {
    let list: Vec<Image> = images.samples.iter().map(Image::from).collect();
    let found = embed_images(&model(3), &list, &EmbedOptions::default(), &mut |_| {}).unwrap();
    let right = images.samples.iter().zip(found.embeddings.rows()).filter(|(sample, image)| {
        let dot = |row: &[f32]| image.iter().zip(row).map(|(a, b)| a * b).sum::<f32>();
        let scores: Vec<f32> = head.weights().rows().map(dot).collect();
        let best = scores.iter().copied().fold(f32::MIN, f32::max);
        scores.iter().position(|&score| score == best) == Some(sample.label)
    });
    right.count() as f64 / images.samples.len() as f64
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[test]
fn accuracy_matches_plain_loops() {
    let images = squares(4);
    let expected = plain_top1(&knowing(), &images);
    assert!(expected > 0.5, "the test's classifier should know something, {expected}");
    let set = TestSet::new("squares", images, &classes()).unwrap();
    let mut done = 0;
    let outcome = evaluate(&model(3), &knowing(), &set, &EmbedOptions::default(), &mut |n| done = n).unwrap();
    assert_eq!(outcome.evaluation.top1, expected);
    assert_eq!((outcome.evaluation.n, done), (16, 16));
    assert_eq!(outcome.predictions.len(), 16);
    let right = outcome.predictions.iter().filter(|p| p.label == p.best[0].class).count();
    assert_eq!(right as f64 / 16.0, expected);
    assert_eq!(outcome.predictions[0].name, "blue_sky/0.png");
    assert!(outcome.predictions[0].best[0].score >= outcome.predictions[0].best[1].score);
}

#[test]
fn the_calibration_error_is_that_of_the_logits_at_each_temperature() {
    let set = TestSet::new("squares", squares(4), &classes()).unwrap();
    let (model, options) = (model(3), EmbedOptions::default());
    let logits = labelled_logits(&model, &knowing(), &set, &options, &mut |_| {}).unwrap();
    let evaluate = |head: &Head| evaluate(&model, head, &set, &options, &mut |_| {}).unwrap().evaluation;
    assert_eq!(evaluate(&knowing()).confidence, None);
    let head = knowing().with_temperatures(Temperatures { model: 0.01, calibrated: Some(0.002) });
    let evaluation = evaluate(&head);
    let found = evaluation.confidence.unwrap();
    assert_eq!((found.temperature, found.temperature_calibrated), (0.01, Some(0.002)));
    assert_eq!(found.ece, logits.calibration_error(100.0));
    assert_eq!(found.ece_calibrated, Some(logits.calibration_error(500.0)));
    let [low, high] = evaluation.top1_interval;
    assert!(low <= evaluation.top1 && evaluation.top1 <= high);
}

#[test]
fn a_suite_of_folders_gives_the_row() {
    let dir = tempfile::tempdir().unwrap();
    write_squares(&dir.path().join("photo"), &[0, 1, 2, 3], 0, 3);
    write_squares(&dir.path().join("far"), &[1, 3], 10, 2);
    write(&dir.path().join("subset.json"), "[\"sand\", \"grass\"]");
    let suite = "[id]\nname = \"photo\"\ndata = \"photo\"\n\
        [[ood]]\nname = \"open\"\ndata = \"far\"\nimages = 4\nsecond_average = false\n\
        [[ood]]\nname = \"closed\"\ndata = \"far\"\nclasses = \"subset.json\"";
    write(&dir.path().join("suite.toml"), suite);

    let file = SuiteFile::read(&dir.path().join("suite.toml")).unwrap();
    assert_eq!(file.classes(None).unwrap(), classes());
    let suite = Suite::from_file(&file, &classes(), OnError::Fail).unwrap();
    assert_eq!(suite.images(), 12 + 4 + 4);
    let mut seen = Vec::new();
    let outcome = evaluate_suite(&model(3), &knowing(), &suite, &EmbedOptions::default(), &mut |set, done| {
        seen.push((set.to_owned(), done))
    })
    .unwrap();
    let result = outcome.result;
    assert_eq!(result.id.name, "photo");
    let names: Vec<_> = result.ood.iter().map(|set| set.name.as_str()).collect();
    assert_eq!(names, ["open", "closed"]);
    let far = read_labelled(&dir.path().join("far"), None, OnError::Fail).unwrap();
    let far = far.onto(classes().as_slice()).unwrap();
    assert_eq!(result.ood[0].evaluation.top1, plain_top1(&knowing(), &far));
    // Two candidates are never harder than four.
    assert!(result.ood[1].evaluation.top1 >= result.ood[0].evaluation.top1);
    assert_eq!(outcome.predictions[2].1[0].best.len(), 2);
    let mean = (result.ood[0].evaluation.top1 + result.ood[1].evaluation.top1) / 2.0;
    assert_eq!(result.ood_average, mean);
    let second = result.second_average.unwrap();
    assert_eq!((second.top1, second.without), (result.ood[1].evaluation.top1, vec!["open".to_owned()]));
    assert_eq!(seen.last(), Some(&("closed".to_owned(), 4)));
}

#[test]
fn a_set_with_a_class_the_model_lacks_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    write_squares(&dir.path().join("photo"), &[0, 1], 0, 1);
    let suite = "[id]\nname = \"photo\"\ndata = \"photo\"\n[[ood]]\nname = \"far\"\ndata = \"photo\"";
    write(&dir.path().join("suite.toml"), suite);
    let few = Classes::from_names(["grass", "tree"]).unwrap();
    let error = Suite::open(&dir.path().join("suite.toml"), &few, OnError::Fail).unwrap_err();
    assert!(matches!(error, SuiteError::UnknownClasses { .. }));
    let text = error.to_string();
    assert!(text.contains("`photo`") && text.contains("blue_sky") && text.contains("tree"), "{text}");

    let absent = suite.replace("data = \"photo\"\n[[", "data = \"absent\"\n[[");
    write(&dir.path().join("suite.toml"), &absent);
    let text = Suite::open(&dir.path().join("suite.toml"), &classes(), OnError::Fail).unwrap_err().to_string();
    assert!(text.contains("`photo`") && text.contains("absent"), "{text}");
}

#[test]
fn a_set_with_another_number_of_images_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write_squares(&dir.path().join("photo"), &[0, 1], 0, 2);
    // An image that cannot be decoded is still one of the set's.
    write(&dir.path().join("photo/grass/9.png"), "broken");
    let path = dir.path().join("suite.toml");
    let open = |images: u64| {
        let data = "data = \"photo\"\n";
        write(&path, &format!("[id]\nname = \"photo\"\n{data}[[ood]]\nname = \"far\"\n{data}images = {images}"));
        let file = SuiteFile::read(&path).unwrap();
        let early = file.check_images(OnError::Skip).map_err(|error| error.to_string());
        let opened = Suite::from_file(&file, &classes(), OnError::Skip).map(drop).map_err(|error| error.to_string());
        assert_eq!(early, opened);
        opened
    };
    open(5).unwrap();
    let (few, many) = (open(6).unwrap_err(), open(4).unwrap_err());
    assert!(few.contains("suite.toml: set `far` has 5 images, expected 6; it is incomplete: download"), "{few}");
    assert!(many.contains("expected 4; remove what does not belong to it"), "{many}");
}

#[test]
fn a_set_for_other_classes_than_the_classifiers_is_refused() {
    let more = Classes::from_names(["blue_sky", "grass", "rose", "sand", "snow"]).unwrap();
    let set = TestSet::new("squares", squares(1), &more).unwrap();
    let result = evaluate(&model(3), &knowing(), &set, &EmbedOptions::default(), &mut |_| {});
    assert!(matches!(result, Err(EvaluateError::Classes { expected: 5, found: 4, .. })));
}

#[test]
fn skipped_images_do_not_count() {
    let dir = tempfile::tempdir().unwrap();
    write_squares(dir.path(), &[0, 1, 2, 3], 0, 2);
    write(&dir.path().join("rose/9.png"), "broken");
    let images = read_labelled(dir.path(), None, OnError::Fail).unwrap();
    let set = TestSet::new("squares", images, &classes()).unwrap();
    let options = |on_error| EmbedOptions { on_error, ..EmbedOptions::default() };
    let outcome = evaluate(&model(3), &knowing(), &set, &options(OnError::Skip), &mut |_| {}).unwrap();
    assert_eq!(outcome.evaluation.n, 8);
    assert_eq!(outcome.skipped[0].name, "rose/9.png");
    let error = evaluate(&model(3), &knowing(), &set, &options(OnError::Fail), &mut |_| {});
    let text = error.unwrap_err().to_string();
    assert!(text.contains("9.png"), "{text}");
}

#[test]
fn predictions_are_ranked_with_probabilities() {
    let images: Vec<Image> = squares(1).samples.iter().map(Image::from).collect();
    let options = EmbedOptions::default();
    let found = predict(&model(3), &knowing(), &images, 0.01, 3, &options, &mut |_| {}).unwrap();
    assert_eq!(found.rankings.len(), 4);
    for ranking in &found.rankings {
        assert_eq!(ranking.best.len(), 3);
        assert!(ranking.best.is_sorted_by(|a, b| a.probability >= b.probability));
        assert!(ranking.best.iter().map(|ranked| ranked.probability).sum::<f64>() <= 1.0 + 1e-9);
    }
    let sky = found.rankings.iter().flat_map(|r| &r.best).find(|r| r.class == "blue_sky");
    assert_eq!(sky.map(|ranked| ranked.text.as_str()), Some("blue sky"));
    for bad in [0.0, -1.0, f64::NAN] {
        let result = predict(&model(3), &knowing(), &images, bad, 3, &options, &mut |_| {});
        assert!(matches!(result, Err(PredictError::Temperature { .. })));
    }
}
