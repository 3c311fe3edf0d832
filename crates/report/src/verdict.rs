//! Verdicts on a tuned model in a sentence, and the terms that they use.

use crate::Interval;

/// A term that pages explain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the definitions explain them")]
pub enum Term {
    Id,
    Ood,
    Alpha,
}

impl Term {
    /// The term and its definition.
    pub(crate) fn definition(self) -> (&'static str, &'static str) {
        match self {
            Self::Id => ("ID", "in distribution: test data of the same kind as the training data"),
            Self::Ood => {
                ("OOD", "out of distribution: the same task on data of another style or source, none of it trained on")
            }
            Self::Alpha => (
                "\u{3b1}",
                "how much of the tuning is applied, from 0 (the base model) to 1 (all of it); chosen after training",
            ),
        }
    }
}

/// A result of a tuned model beside that of the base model, as fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    by: f64,
    /// Differences up to this may be chance; `None` if that is not known.
    noise: Option<f64>,
}

/// What a change amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sense {
    Better,
    Same,
    Worse,
}

impl Change {
    /// The change between two results whose sampling errors are not known.
    pub fn new(base: f64, tuned: f64) -> Self {
        Self { by: tuned - base, noise: None }
    }

    /// The change between two measured results. They are taken for independent, which errs on the side of caution for two models
    /// on the same images.
    pub fn between(base: Interval, tuned: Interval) -> Self {
        Self { by: tuned.value - base.value, noise: Some(base.margin().hypot(tuned.margin())) }
    }

    fn sense(self) -> Sense {
        // Without known errors, what rounds to no change.
        match self.noise.unwrap_or(0.0005) {
            noise if self.by > noise => Sense::Better,
            noise if self.by < -noise => Sense::Worse,
            _ => Sense::Same,
        }
    }
}

/// A difference of fractions in percentage points: `+8.1 points`.
pub fn points(difference: f64) -> String {
    let rounded = (1000.0 * difference).round() / 10.0;
    let sign = if rounded < 0.0 { '\u{2212}' } else { '+' };
    format!("{sign}{:.1} points", rounded.abs())
}

/// What tuning did to a model on the task's data, and on other data if that was measured.
pub fn verdict(id: Change, ood: Option<Change>) -> String {
    let headline = match (id.sense(), ood.map(Change::sense)) {
        (Sense::Better, Some(Sense::Worse)) => "Better on the task's data, at the cost of other data",
        (Sense::Better, Some(_)) => "Robust",
        (Sense::Better, None) => "Better on the task's data",
        (Sense::Same, Some(Sense::Better)) => "Better on other data only",
        (Sense::Same, Some(Sense::Same) | None) => "No clear change",
        (Sense::Same, Some(Sense::Worse)) => "Worse on other data, and not clearly better on the task's",
        (Sense::Worse, Some(Sense::Better)) => "Better on other data, but worse on the task's",
        (Sense::Worse, _) => "Worse than the base model",
    };
    let part = |change: Change, on: &str| {
        let by = points(change.by);
        match change.noise {
            Some(noise) if change.sense() == Sense::Same => {
                format!("{by} {on} (within the noise of \u{b1}{:.1})", 100.0 * noise)
            }
            _ => format!("{by} {on}"),
        }
    };
    let id = part(id, "on the task's data (ID)");
    let ood = ood.map_or(String::new(), |change| format!(", {}", part(change, "on other distributions (OOD)")));
    format!("{headline}: {id}{ood}, against the base model.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(base: f64, tuned: f64, count: u64) -> Change {
        Change::between(Interval::wilson(base, count), Interval::wilson(tuned, count))
    }

    #[test]
    fn a_verdict_follows_from_the_figures() {
        let robust = verdict(Change::new(0.6, 0.681), Some(Change { by: -0.004, noise: Some(0.02) }));
        let expected = "Robust: +8.1 points on the task's data (ID), \u{2212}0.4 points on other distributions (OOD) (within \
                        the noise of \u{b1}2.0), against the base model.";
        assert_eq!(robust, expected);
        let of = |id, ood| verdict(id, Some(ood)).split(':').next().map(str::to_owned).unwrap_or_default();
        let (up, down, same) = (change(0.5, 0.7, 1000), change(0.7, 0.5, 1000), change(0.5, 0.51, 100));
        assert_eq!(of(up, up), "Robust");
        assert_eq!(of(up, down), "Better on the task's data, at the cost of other data");
        assert_eq!(of(same, same), "No clear change");
        assert_eq!(of(same, down), "Worse on other data, and not clearly better on the task's");
        assert_eq!(of(down, same), "Worse than the base model");
        assert_eq!(of(down, up), "Better on other data, but worse on the task's");
        assert!(verdict(same, None).starts_with("No clear change: +1.0 points"), "{}", verdict(same, None));
    }

    #[test]
    fn a_difference_counts_from_enough_images_on() {
        assert_eq!(change(0.5, 0.6, 50).sense(), Sense::Same);
        assert_eq!(change(0.5, 0.6, 5000).sense(), Sense::Better);
        assert_eq!(points(-0.0001), "+0.0 points");
    }
}
