//! Order of an epoch: a pure function of seed and epoch.

use crate::seed::{self, Draw};

/// Returns a permutation of `0..len` for one epoch, all permutations equally likely (Fisher–Yates on the stream `("epoch-order",
/// [seed, epoch])`).
///
/// Because it depends on nothing else, a run can resume in the middle of an epoch: it draws the order again and skips the finished
/// part.
pub fn epoch_order(len: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    seed::rng("epoch-order", &[seed, epoch]).shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_permutation_that_repeats_only_itself(len in 0_usize..400, seed: u64, epoch in 0_u64..1000) {
            let order = epoch_order(len, seed, epoch);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert!(sorted.into_iter().eq(0..len));
            prop_assert_eq!(&order, &epoch_order(len, seed, epoch));
            if len > 20 {
                prop_assert_ne!(&order, &epoch_order(len, seed, epoch + 1));
                prop_assert_ne!(&order, &epoch_order(len, seed.wrapping_add(1), epoch));
            }
        }
    }

    #[test]
    fn every_place_is_reached_about_equally() {
        let mut first = [0_u32; 5];
        for epoch in 0..10_000 {
            first[epoch_order(5, 3, epoch)[0]] += 1;
        }
        assert!(first.iter().all(|count| (1_850..2_150).contains(count)), "{first:?}");
    }

    #[test]
    fn the_order_is_pinned() {
        // Another order would change the continuation of saved runs.
        assert_eq!(epoch_order(8, 0, 0), [7, 1, 0, 6, 5, 3, 2, 4]);
    }
}
