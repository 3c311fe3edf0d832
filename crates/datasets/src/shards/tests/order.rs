//! Order of an epoch through shards.

use proptest::prelude::*;

use super::*;

fn order(shards: &Shards, seed: u64, epoch: u64, buffer: usize) -> Vec<(usize, usize)> {
    shards.order(seed, epoch, buffer).map(Result::unwrap).collect()
}

fn shards(counts: &[usize]) -> (Folder, Shards) {
    let folder = Folder::new();
    for (at, &count) in counts.iter().enumerate() {
        folder.plain(&format!("{at:02}"), count);
    }
    let shards = folder.open("").unwrap();
    (folder, shards)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn each_sample_once_as_seed_and_epoch_say(
        counts in prop::collection::vec(0_usize..12, 1..6),
        seed: u64,
        epoch in 0_u64..1000,
        buffer in 0_usize..30,
    ) {
        let (_folder, shards) = shards(&counts);
        let taken = order(&shards, seed, epoch, buffer);
        let mut sorted = taken.clone();
        sorted.sort_unstable();
        let all = counts.iter().enumerate().flat_map(|(shard, &count)| (0..count).map(move |at| (shard, at)));
        prop_assert!(sorted.into_iter().eq(all));

        // A fresh set, whose shards were read in another order, gives the same order; so does resuming in the middle.
        let fresh = Shards::open(shards.files()[0].parent().unwrap(), OnError::Fail, &SkipReport::default(), None).unwrap();
        if !taken.is_empty() {
            fresh.count().unwrap();
        }
        prop_assert_eq!(&taken, &order(&fresh, seed, epoch, buffer));
        let rest: Vec<_> = fresh.order(seed, epoch, buffer).skip(taken.len() / 2).map(Result::unwrap).collect();
        prop_assert_eq!(&taken[taken.len() / 2..], &rest[..]);

        // A sample that comes out was among the first that went in: the buffer and as many as came out before.
        let stream = order(&shards, seed, epoch, 1);
        for (out, sample) in taken.iter().enumerate() {
            let position = stream.iter().position(|other| other == sample).unwrap();
            prop_assert!(position < out + buffer.max(1), "{} came out as {}", position, out);
        }
    }
}

#[test]
fn epochs_and_seeds_differ() {
    let (_folder, shards) = shards(&[9, 9, 9, 9]);
    let reference = order(&shards, 7, 3, 16);
    for (seed, epoch) in [(7, 4), (8, 3), (3, 7)] {
        assert_ne!(reference, order(&shards, seed, epoch, 16));
    }
    assert_ne!(reference, order(&shards, 7, 3, 1));
    let firsts: std::collections::HashSet<usize> = (0..20).map(|epoch| order(&shards, 7, epoch, 1)[0].0).collect();
    assert_eq!(firsts.len(), 4, "each shard is the first one at times");
}

#[test]
fn shards_are_read_on_demand() {
    let (folder, shards) = shards(&[5, 5, 5]);
    let mut order = shards.order(0, 0, 4);
    let first = order.next().unwrap().unwrap().0;
    for (at, file) in shards.files().iter().enumerate().filter(|&(at, _)| at != first) {
        std::fs::remove_file(file).unwrap();
        assert!(shards.shard(at).is_err());
    }
    // The buffer holds 4 of 5, so that one more comes out before the next shard is read.
    assert_eq!(order.next().unwrap().unwrap().0, first);
    assert!(matches!(order.next(), Some(Err(DatasetError::Io(_)))));
    assert!(order.next().is_none());
    drop(folder);
}

#[test]
fn the_order_is_pinned() {
    // Another order would change the continuation of saved runs.
    let (_folder, shards) = shards(&[3, 2, 3]);
    assert_eq!(order(&shards, 0, 0, 3), [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (0, 2), (2, 1), (2, 2)]);
}
