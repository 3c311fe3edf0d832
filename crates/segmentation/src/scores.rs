//! Segmentation measures, as fractions.
//!
//! With `n_ij` the pixels of class `i` that were predicted as class `j`, over the whole set,
//!
//! ```text
//! IoU_i = n_ii / (Σ_j n_ij + Σ_j n_ji − n_ii)       mIoU = mean over the classes that occur in truth or prediction
//! fwIoU = Σ_i (Σ_j n_ij) · IoU_i / Σ_ij n_ij
//! pixel accuracy = Σ_i n_ii / Σ_ij n_ij              mean accuracy = mean of n_ii / Σ_j n_ij over the classes that occur in truth
//! ```
//!
//! (Long, Shelhamer and Darrell, 2015, §5.) Seen and unseen are the mIoU over the classes of each kind, and their harmonic mean is
//! that of generalised zero-shot learning (Xian et al., 2018).

use std::collections::BTreeSet;

use serde::Serialize;

use crate::confusion::Confusion;

/// All measures of a set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// Mean intersection over union.
    pub miou: f64,
    /// Frequency-weighted intersection over union.
    pub fwiou: f64,
    /// Share of pixels that are predicted correctly.
    pub pixel_accuracy: f64,
    /// Mean of that share over classes.
    pub mean_accuracy: f64,
    /// Intersection over union of each class.
    pub per_class: Vec<ClassScore>,
    /// mIoU of the classes trained on; `None` if no classes are marked as unseen.
    pub seen_miou: Option<f64>,
    /// mIoU of the classes marked as unseen.
    pub unseen_miou: Option<f64>,
    /// Harmonic mean of seen and unseen mIoU.
    pub harmonic_miou: Option<f64>,
}

/// IoU of a class.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct ClassScore {
    pub label: usize,
    pub name: String,
    /// `None` for a class that occurs neither in the annotations nor in the predictions.
    pub iou: Option<f64>,
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

impl Scores {
    /// Computes the measures of a confusion matrix; 0 if there are no pixels.
    ///
    /// # Panics
    /// If the number of names differs from the number of classes.
    pub fn of(confusion: &Confusion, names: &[String], unseen: &[usize]) -> Self {
        let classes = confusion.classes();
        assert_eq!(names.len(), classes, "a name for each class");
        let truth: Vec<u64> = (0..classes).map(|class| confusion.of_truth(class)).collect();
        let all: u64 = truth.iter().sum();
        let iou = |class: usize| {
            let both = confusion.at(class, class);
            let union = truth[class] + confusion.of_prediction(class) - both;
            (union > 0).then(|| both as f64 / union as f64)
        };
        let ious: Vec<Option<f64>> = (0..classes).map(iou).collect();
        let unseen: BTreeSet<usize> = unseen.iter().copied().collect();
        let part = |is_unseen: bool| {
            let of =
                |(class, iou): (usize, &Option<f64>)| (unseen.contains(&class) == is_unseen).then_some(*iou).flatten();
            if unseen.is_empty() { None } else { mean(ious.iter().enumerate().filter_map(of)) }
        };
        let (seen_miou, unseen_miou) = (part(false), part(true));
        let harmonic = |(seen, unseen): (f64, f64)| {
            if seen + unseen > 0.0 { 2.0 * seen * unseen / (seen + unseen) } else { 0.0 }
        };
        let share = |part: f64| if all == 0 { 0.0 } else { part / all as f64 };
        let accuracy =
            |class: usize| (truth[class] > 0).then(|| confusion.at(class, class) as f64 / truth[class] as f64);
        let weighted = |class: usize| ious[class].map_or(0.0, |iou| iou * truth[class] as f64);
        Self {
            miou: mean(ious.iter().flatten().copied()).unwrap_or(0.0),
            fwiou: share((0..classes).map(weighted).sum()),
            pixel_accuracy: share((0..classes).map(|class| confusion.at(class, class) as f64).sum()),
            mean_accuracy: mean((0..classes).filter_map(accuracy)).unwrap_or(0.0),
            per_class: names
                .iter()
                .zip(&ious)
                .enumerate()
                .map(|(label, (name, iou))| ClassScore { label, name: name.clone(), iou: *iou })
                .collect(),
            seen_miou,
            unseen_miou,
            harmonic_miou: seen_miou.zip(unseen_miou).map(harmonic),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use proptest::prelude::*;
    use radapter_datasets::label_map::{IGNORED, LabelMap};

    use super::*;

    const CLASSES: u16 = 5;

    prop_compose! {
        /// Draws maps of 7 × 3 pixels with some classes missing, and some pixels ignored or without a class.
        fn maps()(count in 1_usize..4, most in 1_u16..=CLASSES)(
            labels in prop::collection::vec(prop::collection::vec((0..=most, 0..=most), 21), count), most in Just(most),
        ) -> Vec<(LabelMap, LabelMap)> {
            let map = |labels: Vec<u16>| {
                let label = |label: u16| if label == most { IGNORED } else { label };
                LabelMap::new(7, 3, labels.into_iter().map(label).collect()).unwrap()
            };
            let pair = |pairs: Vec<(u16, u16)>| {
                let (truth, prediction) = pairs.into_iter().unzip();
                (map(truth), map(prediction))
            };
            labels.into_iter().map(pair).collect()
        }
    }

    fn scores(maps: &[(LabelMap, LabelMap)], unseen: &[usize]) -> Scores {
        let mut confusion = Confusion::new(usize::from(CLASSES));
        maps.iter().for_each(|(truth, prediction)| confusion.add("a", truth, prediction).unwrap());
        let names: Vec<String> = (0..CLASSES).map(|class| class.to_string()).collect();
        Scores::of(&confusion, &names, unseen)
    }

    proptest! {
        /// Compares with sets of pixels, without a matrix.
        #[test]
        fn scores_match_those_of_sets_of_pixels(maps in maps()) {
            let found = scores(&maps, &[1, 3]);
            let pixels: Vec<(u16, u16)> = maps
                .iter()
                .flat_map(|(truth, prediction)| truth.labels().iter().copied().zip(prediction.labels().iter().copied()))
                .filter(|(truth, _)| *truth != IGNORED)
                .collect();
            let count = |is: &dyn Fn(u16, u16) -> bool| pixels.iter().filter(|(t, p)| is(*t, *p)).count() as f64;
            let iou = |class: u16| {
                let union = count(&|t, p| t == class || p == class);
                (union > 0.0).then(|| count(&|t, p| t == class && p == class) / union)
            };
            let average = |values: Vec<f64>| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
            let of = |classes: &[u16]| average(classes.iter().filter_map(|&class| iou(class)).collect());
            let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
            prop_assert!(close(found.miou, of(&[0, 1, 2, 3, 4]).unwrap_or(0.0)));
            prop_assert_eq!(found.seen_miou.is_some(), of(&[0, 2, 4]).is_some());
            prop_assert!(close(found.seen_miou.unwrap_or(0.0), of(&[0, 2, 4]).unwrap_or(0.0)));
            prop_assert!(close(found.unseen_miou.unwrap_or(0.0), of(&[1, 3]).unwrap_or(0.0)));
            if let (Some(seen), Some(unseen), Some(harmonic)) = (found.seen_miou, found.unseen_miou, found.harmonic_miou) {
                prop_assert!(close(harmonic * (seen + unseen), 2.0 * seen * unseen));
            }
            let all = pixels.len().max(1) as f64;
            prop_assert!(close(found.pixel_accuracy, count(&|t, p| t == p) / all));
            let weighted: f64 =
                (0..CLASSES).map(|class| count(&|t, _| t == class) * iou(class).unwrap_or(0.0)).sum();
            prop_assert!(close(found.fwiou, weighted / all));
            let accuracies = (0..CLASSES).filter(|&class| count(&|t, _| t == class) > 0.0);
            let accuracies = accuracies.map(|class| count(&|t, p| t == class && p == class) / count(&|t, _| t == class));
            prop_assert!(close(found.mean_accuracy, average(accuracies.collect()).unwrap_or(0.0)));
        }
    }

    #[test]
    fn without_unseen_classes_their_scores_are_none() {
        let map = LabelMap::new(1, 1, vec![0]).unwrap();
        let found = scores(&[(map.clone(), map)], &[]);
        assert_eq!((found.seen_miou, found.unseen_miou, found.harmonic_miou), (None, None, None));
        assert_eq!((found.miou, found.per_class[1].iou), (1.0, None));
    }

    #[test]
    fn maps_of_other_sizes_or_labels_are_refused() {
        let mut confusion = Confusion::new(2);
        let map = |width, labels: Vec<u16>| LabelMap::new(width, labels.len() / width, labels).unwrap();
        let message = |confusion: &mut Confusion, truth: &LabelMap, prediction: &LabelMap| {
            confusion.add("street", truth, prediction).unwrap_err().to_string()
        };
        let two = map(2, vec![0, 1]);
        assert!(message(&mut confusion, &two, &map(1, vec![0, 1])).contains("1 × 2 pixels, its annotation 2 × 1"));
        let text = message(&mut confusion, &two, &map(2, vec![0, 2]));
        assert!(text.contains("street") && text.contains("label 2 at the pixel (1, 0)"), "{text}");
        assert_eq!(confusion, Confusion::new(2));
    }
}
