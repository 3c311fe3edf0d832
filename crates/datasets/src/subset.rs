//! Parts of a labelled set by seed: K images per class, and a stratified held-out set.

use radapter_settings::SettingsError;
use serde::{Deserialize, Serialize};

use crate::seed::{self, Draw};

/// Few-shot selection, saved with a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FewShot {
    /// Requested images per class.
    pub per_class: usize,
    /// Random seed of the selection.
    pub seed: u64,
    /// Chosen images, ascending.
    pub indices: Vec<usize>,
    /// Classes with fewer images, all of which are chosen: (class, images).
    pub short: Vec<(usize, usize)>,
}

/// Chooses `per_class` images of each class, or all if there are fewer.
///
/// Each class has its own stream. With the same seed, a smaller selection is part of every larger one.
pub fn few_shot(labels: &[usize], per_class: usize, seed: u64) -> FewShot {
    let mut indices = Vec::new();
    let mut short = Vec::new();
    for (class, mut members) in by_class(labels).into_iter().enumerate() {
        seed::rng("few-shot", &[seed, class as u64]).shuffle(&mut members);
        if members.len() < per_class {
            short.push((class, members.len()));
        }
        indices.extend(members.into_iter().take(per_class));
    }
    indices.sort_unstable();
    FewShot { per_class, seed, indices, short }
}

/// Set in two parts, saved with a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldOut {
    /// Training images, ascending.
    pub train: Vec<usize>,
    /// Held-out images, ascending.
    pub val: Vec<usize>,
}

/// Holds out `fraction` of the images, as evenly from all classes as whole images allow.
///
/// Each class gives the whole part of its share; the images still missing to `fraction` of all come from the classes with the
/// largest remainders, equal remainders in an order drawn from the seed. A class always keeps an image to train on.
///
/// # Errors
/// [`SettingsError`] if `fraction` is not at least 0 and below 1.
pub fn hold_out(labels: &[usize], fraction: f64, seed: u64) -> Result<HoldOut, SettingsError> {
    if !(0.0..1.0).contains(&fraction) {
        let (found, expected) = (fraction.to_string(), "expected a fraction of at least 0 and below 1");
        return Err(SettingsError::Conflict { key: "val_fraction", found, expected });
    }
    let mut classes = by_class(labels);
    let share = |count: usize| count as f64 * fraction;
    let mut counts: Vec<usize> = classes.iter().map(|members| share(members.len()) as usize).collect();
    let wanted = share(labels.len()).round() as usize;
    let missing = wanted.saturating_sub(counts.iter().sum());
    // A stable sort keeps a drawn order among equals.
    let mut order: Vec<usize> = (0..classes.len()).collect();
    let mut rng = seed::rng("hold-out-order", &[seed]);
    rng.shuffle(&mut order);
    let remainder = |class: usize| share(classes[class].len()) - counts[class] as f64;
    order.sort_by(|&a, &b| remainder(b).total_cmp(&remainder(a)));
    let with_one_more: Vec<usize> =
        order.into_iter().filter(|&class| counts[class] + 1 < classes[class].len()).take(missing).collect();
    for class in with_one_more {
        counts[class] += 1;
    }
    let (mut train, mut val) = (Vec::new(), Vec::new());
    for (class, members) in classes.iter_mut().enumerate() {
        seed::rng("hold-out", &[seed, class as u64]).shuffle(members);
        let (held, kept) = members.split_at(counts[class]);
        val.extend_from_slice(held);
        train.extend_from_slice(kept);
    }
    train.sort_unstable();
    val.sort_unstable();
    Ok(HoldOut { train, val })
}

/// Returns the images of each class.
fn by_class(labels: &[usize]) -> Vec<Vec<usize>> {
    let classes = labels.iter().max().map_or(0, |&last| last + 1);
    let mut members = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        members[label].push(index);
    }
    members
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use proptest::prelude::*;

    use super::*;

    fn count(labels: &[usize], indices: &[usize], class: usize) -> usize {
        indices.iter().filter(|&&index| labels[index] == class).count()
    }

    proptest! {
        #[test]
        fn few_shot_takes_k_of_each_class(labels in prop::collection::vec(0_usize..6, 0..120), k in 0_usize..9, seed: u64) {
            let chosen = few_shot(&labels, k, seed);
            prop_assert!(chosen.indices.is_sorted_by(|a, b| a < b));
            let all: Vec<usize> = (0..labels.len()).collect();
            for class in 0..6 {
                let there = count(&labels, &all, class);
                prop_assert_eq!(count(&labels, &chosen.indices, class), there.min(k));
            }
            prop_assert_eq!(&chosen, &few_shot(&labels, k, seed));
            let more = few_shot(&labels, k + 1, seed);
            prop_assert!(chosen.indices.iter().all(|index| more.indices.contains(index)));
        }

        #[test]
        fn hold_out_is_stratified(labels in prop::collection::vec(0_usize..6, 1..200), fraction in 0.0_f64..0.95, seed: u64) {
            let parts = hold_out(&labels, fraction, seed).unwrap();
            let mut all = [parts.train.clone(), parts.val.clone()].concat();
            all.sort_unstable();
            prop_assert!(all.into_iter().eq(0..labels.len()));
            let everything: Vec<usize> = (0..labels.len()).collect();
            for class in 0..6 {
                let there = count(&labels, &everything, class);
                let held = count(&labels, &parts.val, class) as f64;
                prop_assert!((held - there as f64 * fraction).abs() <= 1.0);
                prop_assert!(there == 0 || count(&labels, &parts.train, class) > 0);
            }
            prop_assert_eq!(parts, hold_out(&labels, fraction, seed).unwrap());
        }
    }

    #[test]
    fn a_tenth_of_many_small_classes_is_a_tenth() {
        // Five images each of 40 classes: no class has a tenth to give, all together have 20.
        let labels: Vec<usize> = (0..200).map(|index| index % 40).collect();
        let parts = hold_out(&labels, 0.1, 0).unwrap();
        assert_eq!(parts.val.len(), 20);
        assert!((0..40).all(|class| count(&labels, &parts.val, class) <= 1));
        assert_ne!(parts, hold_out(&labels, 0.1, 1).unwrap());
        assert!(hold_out(&labels, 0.0, 0).unwrap().val.is_empty());
    }

    #[test]
    fn short_classes_are_reported_and_saved() {
        let chosen = few_shot(&[0, 0, 0, 2, 2, 1], 2, 7);
        assert_eq!(chosen.short, [(1, 1)]);
        let saved = serde_json::to_string(&chosen).unwrap();
        assert_eq!(serde_json::from_str::<FewShot>(&saved).unwrap(), chosen);
    }

    #[test]
    fn fractions_are_checked() {
        for found in [-0.1, 1.0, f64::NAN, f64::INFINITY] {
            assert!(hold_out(&[0, 1], found, 0).is_err(), "{found}");
        }
    }
}
