use std::collections::BTreeSet;

use radapter_classification::data::ClassificationData;
use radapter_classification::read::read_labelled;
use radapter_clip::tokenizer::Tokenizer;
use radapter_datasets::augment::Augment;
use radapter_datasets::{OnDamage, OnError, SkipReport, Templates};
use radapter_images::PixelCache;
use radapter_training::{SampleKey, TrainData};

use crate::support::{SIDE, config, squares, write_squares};

fn key(epoch: u64, index: usize) -> SampleKey {
    SampleKey { seed: 3, epoch, index }
}

fn data(templates: Option<&Templates>) -> ClassificationData {
    let augment = Augment { scale: [0.5, 1.0], flip: 0.5 };
    ClassificationData::new(squares(2), &config(), templates, augment, OnError::Fail)
}

#[test]
fn a_sample_is_a_function_of_its_key() {
    let templates = Templates::built_in("openai-80").unwrap();
    let (one, other) = (data(Some(&templates)), data(Some(&templates)));
    assert_eq!(one.len(), 8);
    for index in [0, 7] {
        let sample = one.load(key(1, index)).unwrap().unwrap();
        assert_eq!(Some(&sample), other.load(key(1, index)).unwrap().as_ref());
        assert_eq!(sample.pixels.len() as u32, 3 * SIDE * SIDE);
        let next = one.load(key(2, index)).unwrap().unwrap();
        assert_ne!(sample.pixels, next.pixels, "another epoch is another crop");
    }
    assert_eq!(one.load(key(0, 7)).unwrap().unwrap().label, 3);
}

#[test]
fn captions_name_the_class_and_use_all_templates() {
    let list = ["a {}.", "the {}", "my {}!"].map(str::to_owned).to_vec();
    let templates = Templates::from_list(list).unwrap();
    let data = data(Some(&templates));
    let tokenizer = Tokenizer::clip();
    let mut seen = BTreeSet::new();
    for epoch in 0..30 {
        let tokens = data.load(key(epoch, 0)).unwrap().unwrap().tokens;
        seen.insert(tokenizer.decode(&tokens));
    }
    let expected = ["a blue sky .", "the blue sky", "my blue sky !"].map(str::to_owned);
    assert_eq!(seen, BTreeSet::from(expected));
}

#[test]
fn without_templates_there_is_no_text() {
    let sample = data(None).load(key(0, 0)).unwrap().unwrap();
    assert!(sample.tokens.is_empty());
}

#[test]
fn the_fingerprint_depends_on_the_files() {
    let dir = tempfile::tempdir().unwrap();
    write_squares(dir.path(), &[0, 1], 0, 2);
    let fingerprint = || {
        let images = read_labelled(dir.path(), None, OnError::Fail).unwrap();
        let augment = Augment::default();
        ClassificationData::new(images, &config(), None, augment, OnError::Fail).fingerprint()
    };
    let first = fingerprint();
    assert_eq!(first, fingerprint());
    assert!(first.starts_with("4 images"), "{first}");

    let grass = dir.path().join("grass");
    std::fs::rename(grass.join("0.png"), grass.join("5.png")).unwrap();
    let renamed = fingerprint();
    assert_ne!(renamed, first);

    let mut bytes = std::fs::read(grass.join("1.png")).unwrap();
    bytes.push(0);
    std::fs::write(grass.join("1.png"), bytes).unwrap();
    assert_ne!(fingerprint(), renamed);
}

#[test]
fn broken_images_stop_the_run_or_are_skipped_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    write_squares(dir.path(), &[0, 1], 0, 1);
    std::fs::write(dir.path().join("grass/0.png"), "broken").unwrap();
    let data = |on_error| {
        let images = read_labelled(dir.path(), None, OnError::Fail).unwrap();
        ClassificationData::new(images, &config(), None, Augment::default(), on_error)
    };
    let error = data(OnError::Fail).load(key(0, 1)).unwrap_err().to_string();
    assert!(error.contains("0.png"), "{error}");
    let lenient = data(OnError::Skip);
    assert!(lenient.load(key(0, 0)).unwrap().is_some());
    assert_eq!(lenient.load(key(0, 1)).unwrap(), None);
    assert_eq!(lenient.skipped()[0].name, "grass/0.png");
}

#[test]
fn damaged_jpegs_stop_the_run_or_are_decoded_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    write_squares(dir.path(), &[0, 1], 0, 1);
    let whole = concat!(env!("CARGO_MANIFEST_DIR"), "/../images/tests/fixtures/images/ycc-420.jpg");
    let whole = std::fs::read(whole).unwrap();
    std::fs::remove_file(dir.path().join("grass/0.png")).unwrap();
    std::fs::write(dir.path().join("grass/0.jpg"), [&whole[..whole.len() - 60], &[0xff, 0xd9]].concat()).unwrap();
    let data = |on_damage| {
        let images = read_labelled(dir.path(), None, OnError::Fail).unwrap();
        ClassificationData::new(images, &config(), None, Augment::default(), OnError::Fail).with_damage(on_damage)
    };
    let error = data(OnDamage::Refuse).load(key(0, 1)).unwrap_err().to_string();
    assert!(error.contains("0.jpg") && error.contains("on_damage=decode"), "{error}");
    let report = SkipReport::default();
    let lenient = data(OnDamage::Decode).with_skip_report(report.clone());
    assert!(lenient.load(key(0, 1)).unwrap().is_some());
    assert_eq!((report.damaged(), report.entries().len()), (vec!["grass/0.jpg".to_owned()], 0));
}

#[test]
fn the_pixel_cache_does_not_change_samples() {
    let dir = tempfile::tempdir().unwrap();
    write_squares(dir.path(), &[0, 1], 0, 2);
    let data = |cache: Option<PixelCache>| {
        let images = read_labelled(dir.path(), None, OnError::Fail).unwrap();
        let augment = Augment { scale: [0.5, 1.0], flip: 0.5 };
        ClassificationData::new(images, &config(), None, augment, OnError::Fail).cached(cache)
    };
    let cache = PixelCache::open(&dir.path().join("pixels")).unwrap();
    let (plain, kept) = (data(None), data(Some(cache.clone())));
    for epoch in 0..3 {
        for index in 0..4 {
            assert_eq!(plain.load(key(epoch, index)).unwrap(), kept.load(key(epoch, index)).unwrap());
        }
    }
    assert_eq!(cache.len(), 4, "each image once, for all crops");
}
