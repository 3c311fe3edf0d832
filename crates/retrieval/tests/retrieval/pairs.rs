use std::collections::BTreeMap;

use radapter_datasets::Templates;
use radapter_retrieval::task::TrainingCaptions;
use radapter_training::{SampleKey, TrainData};

use crate::support::{self, Plan, settings, squares};

fn plan(toml: &str) -> Plan {
    let captions = TrainingCaptions { train: squares(20, 3), val: None };
    support::plan(&settings(toml), Some(captions)).unwrap()
}

fn labels(data: &dyn TrainData, seed: u64, epoch: u64) -> Vec<i64> {
    let indices = data.order(seed, epoch).map(Result::unwrap);
    indices.map(|index| data.load(SampleKey { seed, epoch, index }).unwrap().unwrap().label).collect()
}

#[test]
fn an_epoch_has_all_pairs_and_batches_with_several_captions_of_an_image() {
    let plan = plan("val_fraction = 0\nsteps = 1");
    let data = &plan.task.data;
    assert_eq!(data.len(), 60);
    let first = labels(data, 0, 0);
    let mut counts = BTreeMap::new();
    first.iter().for_each(|label| *counts.entry(label).or_insert(0) += 1);
    assert_eq!(counts.len(), 20);
    assert!(counts.values().all(|&count| count == 3));
    assert_eq!(first, labels(data, 0, 0));
    assert_ne!(first, labels(data, 0, 1));
    // The purpose of MPM-NCE: a batch in which an image has several positives.
    let repeated = |batch: &[i64]| batch.iter().enumerate().any(|(at, label)| batch[..at].contains(label));
    assert!(first.chunks(16).any(repeated), "{first:?}");
    let positives = radapter_losses::Positives::from_labels(&first[..16]);
    assert!((0..16).any(|at| positives.count(at) > 1));
}

#[test]
fn one_caption_per_image_is_redrawn_in_each_epoch() {
    let plan = plan("val_fraction = 0\nsteps = 1\ndata.pairs = \"one\"");
    let data = &plan.task.data;
    assert_eq!(data.len(), 20);
    let tokens = |epoch| -> Vec<Vec<u32>> {
        (0..20).map(|index| data.load(SampleKey { seed: 0, epoch, index }).unwrap().unwrap().tokens).collect()
    };
    assert_eq!(tokens(0), tokens(0));
    assert_ne!(tokens(0), tokens(1));
    let mut labels = labels(data, 0, 0);
    labels.sort_unstable();
    assert_eq!(labels, (0..20).collect::<Vec<i64>>());
}

#[test]
fn images_are_held_out_with_all_their_captions() {
    let plan = plan("steps = 1");
    assert_eq!(plan.task.split.held_out.len(), 2);
    let val = plan.task.val.as_ref().unwrap();
    assert_eq!((val.len(), val.captions()), (2, 6));
    assert_eq!((plan.task.split.train_pairs, plan.task.train_images), (54, Some(18)));
    // The split depends on the seed.
    let other = self::plan("steps = 1\nseed = 5");
    assert_ne!(plan.task.split.held_out, other.task.split.held_out);
}

#[test]
fn settings_are_resolved_and_refused() {
    let plan = plan("steps = 4");
    assert_eq!((plan.train.alpha.get(), plan.train.loss.margin, plan.train.loss.smoothing), (0.8, 0.05, 0.0));
    assert_eq!(plan.train.best, "mean_recall");
    assert_eq!(plan.task.settings.templates, Templates::from_list(vec!["{}".to_owned()]).unwrap());
    for (toml, words) in [
        ("templates = \"openai-80\"", "one template"),
        ("max_captions = 0", "max_captions = 0"),
        ("data.samples = 5", "data.samples is for tar shards"),
        ("data.pears = 5", "data.pears"),
        ("val_fraction = 1.0", "val_fraction"),
        ("shots = 3", "unknown setting `shots`"),
    ] {
        let captions = TrainingCaptions { train: squares(4, 1), val: None };
        let error = support::plan(&settings(toml), Some(captions)).unwrap_err();
        assert!(error.to_string().contains(words), "{toml}: {error}");
    }
    let long = TrainingCaptions {
        train: {
            let mut set = squares(4, 1);
            set.images[2].captions[0] = "word ".repeat(40);
            set
        },
        val: None,
    };
    let plan = support::plan(&settings("val_fraction = 0"), Some(long)).unwrap();
    assert!(plan.warnings.iter().any(|warning| warning.contains("1 of 4")), "{:?}", plan.warnings);
}

#[test]
fn a_single_image_is_refused() {
    let captions = TrainingCaptions { train: squares(1, 3), val: None };
    let error = support::plan(&settings("val_fraction = 0"), Some(captions)).unwrap_err();
    assert!(error.to_string().contains("only one image"), "{error}");
}
