//! From a folder to augmented batches, with good and damaged files: integration test of the crate.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::path::Path;

use image::RgbImage;
use radapter_datasets::augment::Augment;
use radapter_datasets::prefetch::{Ahead, Prefetch};
use radapter_datasets::shapes::{self, Domain, Split, World};
use radapter_datasets::{LabelledImages, OnError, SkipReport, folder, order};
use radapter_images::DecodeOptions;

const BATCH: usize = 10;

type Batch = Vec<(usize, RgbImage)>;

/// Returns three batches of ten from an epoch; a damaged file is an error or leaves its batch smaller.
fn batches(set: &LabelledImages, on_error: OnError, report: &SkipReport, threads: usize) -> Result<Vec<Batch>, String> {
    let order = order::epoch_order(set.samples.len(), 5, 0);
    let jobs: Vec<Vec<usize>> = order.chunks(BATCH).map(<[usize]>::to_vec).collect();
    let augment = Augment { scale: [0.5, 1.0], flip: 0.5 };
    let (set, report) = (set.clone(), report.clone());
    let work = move |job: Vec<usize>| {
        let mut batch = Vec::with_capacity(job.len());
        for index in job {
            let sample = &set.samples[index];
            let image = sample.source.load(&DecodeOptions::default());
            if let Some(image) = on_error.settle(&sample.name, image, &report)? {
                batch.push((index, augment.apply(&image, 32, 5, 0, index as u64)));
            }
        }
        Ok::<_, radapter_images::ImageError>(batch)
    };
    Prefetch::new(jobs, Ahead { threads, jobs: 2 }, work)
        .map(|batch| batch.map_err(|error| error.to_string()))
        .collect()
}

fn world(at: &Path) -> LabelledImages {
    shapes::write(&World::new(0), at, Split::Train, &[Domain::Cartoon], 48, false).unwrap();
    folder::read(&at.join("train/cartoon"), None).unwrap()
}

#[test]
fn an_epoch_is_the_same_for_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    let set = world(dir.path());
    assert_eq!((set.classes.len(), set.samples.len()), (24, 48));
    let report = SkipReport::default();
    let alone = batches(&set, OnError::Fail, &report, 0).unwrap();
    assert_eq!(alone.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 10, 10, 8]);
    for threads in [1, 3] {
        assert_eq!(alone, batches(&set, OnError::Fail, &report, threads).unwrap());
    }
}

#[test]
fn damaged_files_stop_the_run_or_are_skipped_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    let set = world(dir.path());
    let report = SkipReport::default();
    let whole = batches(&set, OnError::Fail, &report, 2).unwrap();

    let cartoon = dir.path().join("train/cartoon");
    let png = std::fs::read(cartoon.join("heart/000011.png")).unwrap();
    std::fs::write(cartoon.join("heart/000011.png"), &png[..png.len() / 2]).unwrap();
    std::fs::write(cartoon.join("star/000022.png"), b"these are words, not pixels").unwrap();

    let error = batches(&set, OnError::Fail, &report, 2).unwrap_err();
    assert!(error.contains("000011.png") || error.contains("000022.png"), "{error}");
    assert!(report.is_empty());

    let rest = batches(&set, OnError::Skip, &report, 2).unwrap();
    let entries = report.entries();
    let names: Vec<&str> = entries.iter().map(|skipped| &skipped.name[..]).collect();
    assert_eq!(names, ["heart/000011.png", "star/000022.png"]);
    // Every batch is unchanged, except for the two.
    let damaged: Vec<usize> = (0..48).filter(|&index| names.contains(&&set.samples[index].name[..])).collect();
    assert_eq!(damaged.len(), 2);
    for (before, after) in whole.into_iter().zip(rest) {
        let expected: Batch = before.into_iter().filter(|(index, _)| !damaged.contains(index)).collect();
        assert_eq!(after, expected);
    }
}
