//! Counts right and wrong answers, image by image.

use std::collections::BTreeMap;

use super::{AccuracyError, ClassAccuracy, Confusion, Evaluation, Resamples, rank, top_k};

/// Number of best classes that count for [`Evaluation::top5`]. With as many candidates or fewer, it is 1 by definition.
pub const TOP: usize = 5;

/// Counts right and wrong answers, image by image.
///
/// ```
/// use radapter_classification::accuracy::Tally;
///
/// # fn main() -> Result<(), radapter_classification::accuracy::AccuracyError> {
/// let mut tally = Tally::new(["cat", "dog"]);
/// tally.add(&[0.9, 0.1], 0)?;
/// tally.add(&[0.6, 0.4], 1)?;
/// let evaluation = tally.finish()?;
/// assert_eq!(evaluation.top1, 0.5);
/// assert_eq!(evaluation.confusion.get("dog", "cat"), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Tally {
    names: Vec<String>,
    total: u64,
    top1: u64,
    top5: u64,
    pairs: BTreeMap<(usize, usize), u64>,
}

impl Tally {
    /// Creates an empty tally of these classes, in class order; names must be unique.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { names: names.into_iter().map(Into::into).collect(), total: 0, top1: 0, top5: 0, pairs: BTreeMap::new() }
    }

    /// Counts an image of class `label` with these scores, one per class; returns the predicted class.
    ///
    /// # Errors
    /// [`AccuracyError`] for a NaN, a wrong number of scores, and a label out of range. Nothing is
    /// counted then.
    pub fn add(&mut self, scores: &[f32], label: usize) -> Result<usize, AccuracyError> {
        if scores.len() != self.names.len() {
            return Err(AccuracyError::Scores { expected: self.names.len(), found: scores.len() });
        }
        let rank = rank(scores, label)?;
        let best = top_k(scores, 1)?.first().copied();
        // A label in range implies at least one class.
        let predicted = best.ok_or(AccuracyError::Empty)?;
        self.total += 1;
        self.top1 += u64::from(rank == 0);
        self.top5 += u64::from(rank < TOP);
        *self.pairs.entry((label, predicted)).or_default() += 1;
        Ok(predicted)
    }

    /// Computes the accuracies.
    ///
    /// # Errors
    /// [`AccuracyError::Empty`] if nothing was counted.
    pub fn finish(&self) -> Result<Evaluation, AccuracyError> {
        if self.total == 0 {
            return Err(AccuracyError::Empty);
        }
        let mut confusion = Confusion::default();
        let mut classes: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
        for (&(label, predicted), &count) in &self.pairs {
            confusion.add(&self.names[label], &self.names[predicted], count);
            let (right, n) = classes.entry(label).or_default();
            *n += count;
            if label == predicted {
                *right += count;
            }
        }
        let per_class = classes.into_iter().map(|(label, (right, n))| {
            let accuracy = right as f64 / n as f64;
            (self.names[label].clone(), ClassAccuracy { accuracy, n })
        });
        Ok(Evaluation {
            top1: self.top1 as f64 / self.total as f64,
            top1_interval: Resamples::accuracy(self.top1, self.total, 0).interval(),
            top5: self.top5 as f64 / self.total as f64,
            n: self.total,
            confidence: None,
            per_class: per_class.collect(),
            confusion,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

    fn images() -> impl Strategy<Value = Vec<(Vec<f32>, usize)>> {
        let scores = prop::collection::vec((-2i8..3).prop_map(f32::from), NAMES.len());
        prop::collection::vec((scores, 0..NAMES.len()), 1..40)
    }

    /// Reference implementation of the prediction: the first of the highest scores.
    fn argmax(scores: &[f32]) -> usize {
        let best = scores.iter().copied().fold(f32::MIN, f32::max);
        scores.iter().position(|&score| score == best).unwrap()
    }

    /// Reference implementation of top-5: fewer than five classes score better.
    fn in_top5(scores: &[f32], label: usize) -> bool {
        let better = |class: usize| scores[class] > scores[label] || (scores[class] == scores[label] && class < label);
        (0..scores.len()).filter(|&class| better(class)).count() < 5
    }

    proptest! {
        #[test]
        fn accuracies_are_the_plain_counts(images in images()) {
            let mut tally = Tally::new(NAMES);
            for (scores, label) in &images {
                prop_assert_eq!(tally.add(scores, *label).unwrap(), argmax(scores));
            }
            let evaluation = tally.finish().unwrap();
            let n = images.len() as f64;
            let right = images.iter().filter(|(s, label)| argmax(s) == *label).count() as f64;
            let near = images.iter().filter(|(s, label)| in_top5(s, *label)).count() as f64;
            prop_assert_eq!(evaluation.n, images.len() as u64);
            prop_assert_eq!(evaluation.top1, right / n);
            prop_assert_eq!(evaluation.top5, near / n);
            for (class, name) in NAMES.iter().enumerate() {
                let own: Vec<_> = images.iter().filter(|(_, label)| *label == class).collect();
                let right = own.iter().filter(|(s, _)| argmax(s) == class).count();
                match evaluation.per_class.get(*name) {
                    Some(found) => {
                        prop_assert_eq!(found.n, own.len() as u64);
                        prop_assert_eq!(found.accuracy, right as f64 / own.len() as f64);
                    }
                    None => prop_assert!(own.is_empty()),
                }
                for (predicted, other) in NAMES.iter().enumerate() {
                    let count = own.iter().filter(|(s, _)| argmax(s) == predicted).count() as u64;
                    prop_assert_eq!(evaluation.confusion.get(name, other), count);
                }
            }
        }

        #[test]
        fn results_round_trip_through_json(images in images()) {
            let mut tally = Tally::new(NAMES);
            for (scores, label) in &images {
                tally.add(scores, *label).unwrap();
            }
            let evaluation = tally.finish().unwrap();
            let text = serde_json::to_string(&evaluation).unwrap();
            let read: Evaluation = serde_json::from_str(&text).unwrap();
            prop_assert!((read.top1 - evaluation.top1).abs() < 1e-15);
            prop_assert_eq!(read.confusion, evaluation.confusion);
        }
    }

    #[test]
    fn with_five_classes_or_fewer_every_image_is_in_the_top_five() {
        let mut tally = Tally::new(["a", "b"]);
        tally.add(&[1.0, 0.0], 1).unwrap();
        let evaluation = tally.finish().unwrap();
        assert_eq!((evaluation.top1, evaluation.top5), (0.0, 1.0));
    }

    #[test]
    fn the_json_without_confusion_has_the_documented_keys() {
        let mut tally = Tally::new(["a", "b"]);
        tally.add(&[1.0, 0.0], 0).unwrap();
        let evaluation = tally.finish().unwrap().without_confusion();
        let value = serde_json::to_value(&evaluation).unwrap();
        let keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["top1", "top1_interval", "top5", "n", "per_class"]);
        assert_eq!(value["per_class"]["a"], serde_json::json!({"accuracy": 1.0, "n": 1}));
    }

    #[test]
    fn invalid_input_is_refused_and_not_counted() {
        let mut tally = Tally::new(["a", "b"]);
        assert_eq!(tally.finish(), Err(AccuracyError::Empty));
        let short = AccuracyError::Scores { expected: 2, found: 1 };
        assert_eq!(tally.add(&[1.0], 0), Err(short));
        let nan = AccuracyError::NotANumber { class: 1 };
        assert_eq!(tally.add(&[1.0, f32::NAN], 0), Err(nan));
        assert_eq!(tally.finish(), Err(AccuracyError::Empty));
    }
}
