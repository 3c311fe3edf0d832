use std::collections::BTreeMap;

use radapter_retrieval::task::RetrievalError;
use radapter_training::{SampleKey, TrainData};

use crate::support::{self, Plan, captions, settings, write_shard, write_shards};

fn plan(folder: &std::path::Path, extra: &str) -> Result<Plan, RetrievalError> {
    let toml = format!("captions = '{}'\nsteps = 1\n{extra}", folder.join("{000..003}.tar").display());
    support::plan(&settings(&toml), None)
}

fn order(data: &dyn TrainData, epoch: u64) -> Vec<usize> {
    data.order(3, epoch).map(Result::unwrap).collect()
}

#[test]
fn shards_yield_every_pair_once_per_epoch() {
    let folder = tempfile::tempdir().unwrap();
    write_shards(folder.path(), 4, 6);
    let plan = plan(folder.path(), "val_fraction = 0.25\ndata.shuffle_buffer = 10").unwrap();
    // A quarter of 24 images is held out with both captions of each.
    assert_eq!(
        (plan.task.split.held_out.len(), plan.task.split.train_pairs, plan.task.train_images),
        (6, 36, Some(18))
    );
    assert_eq!(plan.task.val.as_ref().unwrap().len(), 6);
    let data = &plan.task.data;
    let first = order(data, 0);
    let mut sorted = first.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), 36);
    assert_eq!(first, order(data, 0));
    assert_ne!(first, order(data, 1));
    // The captions of an image share a label, which no other image has.
    let mut labels = BTreeMap::new();
    for index in first {
        let sample = data.load(SampleKey { seed: 3, epoch: 0, index }).unwrap().unwrap();
        *labels.entry(sample.label).or_insert(0) += 1;
    }
    assert_eq!(labels.len(), 18);
    assert!(labels.values().all(|&count| count == 2));
}

#[test]
fn an_epoch_of_given_length_repeats_the_shards_as_needed() {
    let folder = tempfile::tempdir().unwrap();
    write_shards(folder.path(), 4, 2);
    for samples in [5, 16, 50] {
        let plan = plan(folder.path(), &format!("val_fraction = 0\ndata.samples = {samples}")).unwrap();
        assert_eq!(plan.task.train_images, None);
        let order = order(&plan.task.data, 0);
        assert_eq!(order.len(), samples);
        let mut times = BTreeMap::new();
        order.iter().for_each(|index| *times.entry(index).or_insert(0) += 1);
        // All 16 pairs appear equally often, except for the last pass.
        assert!(times.values().all(|&times| times <= samples.div_ceil(16) + 1), "{times:?}");
    }
    let error = plan(folder.path(), "data.samples = 5").unwrap_err();
    assert!(error.to_string().contains("val_fraction"), "{error}");
}

#[test]
fn a_truncated_shard_is_an_error_or_loses_its_rest() {
    let folder = tempfile::tempdir().unwrap();
    write_shards(folder.path(), 4, 6);
    let broken = folder.path().join("002.tar");
    let bytes = std::fs::read(&broken).unwrap();
    std::fs::write(&broken, &bytes[..bytes.len() / 2]).unwrap();
    let error = plan(folder.path(), "").unwrap_err();
    assert!(error.to_string().contains("002.tar"), "{error}");
    let plan = plan(folder.path(), "on_error = \"skip\"\nval_fraction = 0").unwrap();
    let images = plan.task.train_images.unwrap();
    assert!((19..24).contains(&images), "{images}");
}

/// Six images, each in two samples with one and two captions, in different shards.
#[test]
fn equal_images_under_one_key_are_one_image() {
    let folder = tempfile::tempdir().unwrap();
    for shard in 0..4 {
        let samples = (0..3).map(|at| {
            let index = shard / 2 * 3 + at;
            let of = captions(index, 3);
            (format!("{index:06}"), index, if shard % 2 == 0 { of[..1].to_vec() } else { of[1..].to_vec() })
        });
        write_shard(&folder.path().join(format!("{shard:03}.tar")), samples);
    }
    for (more, pairs, each) in [("", 18, 3), ("max_captions = 2", 12, 2), ("data.pairs = \"one\"", 6, 1)] {
        let plan = plan(folder.path(), &format!("val_fraction = 0\n{more}")).unwrap();
        assert_eq!((plan.task.split.train_pairs, plan.task.train_images), (pairs, Some(6)), "{more}");
        let mut labels = BTreeMap::new();
        for index in order(&plan.task.data, 0) {
            let sample = plan.task.data.load(SampleKey { seed: 3, epoch: 0, index }).unwrap().unwrap();
            *labels.entry(sample.label).or_insert(0) += 1;
        }
        assert!(labels.len() == 6 && labels.values().all(|&count| count == each), "{more}: {labels:?}");
    }
    // Over the epochs each caption of an image is used.
    let one = plan(folder.path(), "val_fraction = 0\ndata.pairs = \"one\"").unwrap();
    let mut texts = std::collections::BTreeSet::new();
    for epoch in 0..40 {
        let index = order(&one.task.data, epoch)[0];
        texts.insert(one.task.data.load(SampleKey { seed: 3, epoch, index }).unwrap().unwrap().tokens);
    }
    assert!(texts.len() > 6, "{}", texts.len());
}

/// Shards that all count from zero: each has other images under the same keys, except that the last repeats the first.
#[test]
fn keys_that_restart_in_each_shard_are_other_images() {
    let folder = tempfile::tempdir().unwrap();
    for shard in 0..4 {
        let samples = (0..3).map(|at| (format!("{at:06}"), shard % 3 * 3 + at, captions(shard * 3 + at, 1)));
        write_shard(&folder.path().join(format!("{shard:03}.tar")), samples);
    }
    // With a scan of the shards, and without.
    for more in ["", "data.samples = 12"] {
        let plan = plan(folder.path(), &format!("val_fraction = 0\n{more}")).unwrap();
        let mut of_label: BTreeMap<i64, Vec<Vec<f32>>> = BTreeMap::new();
        let mut order = order(&plan.task.data, 0);
        order.sort_unstable();
        assert_eq!(order.len(), 12);
        for index in order {
            let sample = plan.task.data.load(SampleKey { seed: 3, epoch: 0, index }).unwrap().unwrap();
            of_label.entry(sample.label).or_default().push(sample.pixels);
        }
        let counts: Vec<usize> = of_label.values().map(Vec::len).collect();
        assert_eq!((counts.len(), counts.iter().filter(|&&count| count == 2).count()), (9, 3), "{more}: {counts:?}");
    }
}

#[test]
fn a_shard_with_two_images_of_a_key_is_refused_or_loses_the_second() {
    let folder = tempfile::tempdir().unwrap();
    for shard in 0..4 {
        let index = |at: usize| shard * 3 + at;
        let keys = [("a", 0), ("b", 1), ("a", 2)];
        let samples = keys.map(|(key, at)| (format!("{shard}{key}"), index(at), captions(index(at), 2)));
        write_shard(&folder.path().join(format!("{shard:03}.tar")), samples.into_iter());
    }
    let error = plan(folder.path(), "val_fraction = 0").unwrap_err().to_string();
    assert!(error.contains("a key must name one image"), "{error}");
    let skipping = plan(folder.path(), "val_fraction = 0\non_error = \"skip\"").unwrap();
    assert_eq!((skipping.task.split.train_pairs, skipping.task.train_images), (16, Some(8)));

    // The same without a scan: detected when the sample is read.
    let unscanned = plan(folder.path(), "val_fraction = 0\ndata.samples = 16").unwrap();
    let found: Result<Vec<usize>, _> = unscanned.task.data.order(3, 0).collect();
    assert!(found.unwrap_err().to_string().contains("a key must name one image"));
    let skipping = plan(folder.path(), "val_fraction = 0\ndata.samples = 16\non_error = \"skip\"").unwrap();
    let found = order(&skipping.task.data, 0);
    assert_eq!((found.len(), &found), (16, &order(&skipping.task.data, 0)));
}
