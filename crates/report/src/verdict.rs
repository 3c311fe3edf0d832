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
    /// `None` if it is not known how much may be chance; then a verdict makes no claim.
    noise: Option<Noise>,
}

/// How far chance may move a difference.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Noise {
    margin: f64,
    /// What the margin is, for readers.
    name: &'static str,
}

/// What a change amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sense {
    Better,
    /// No clear change, but certainly none below `-TOLERANCE`.
    Kept,
    /// No clear change.
    Open,
    Worse,
}

/// A robust model may lose this much on other data: one point.
const TOLERANCE: f64 = 0.01;

impl Change {
    /// The change between two results whose sampling errors are not known.
    pub fn new(base: f64, tuned: f64) -> Self {
        Self { by: tuned - base, noise: None }
    }

    /// The change between two results with their 95 % intervals of sampling. They are taken for independent, which errs on the side
    /// of caution for two models on the same images.
    pub fn between(base: Interval, tuned: Interval) -> Self {
        let margin = base.margin().hypot(tuned.margin());
        Self { by: tuned.value - base.value, noise: Some(Noise { margin, name: "the 95 % interval of sampling" }) }
    }

    /// Adds the spread of a tuned model's results over seeds, half of their range. Without one, as of a single seed, the noise is
    /// not known.
    #[must_use]
    pub fn with_seeds(self, half_range: Option<f64>) -> Self {
        let name = "the 95 % interval of sampling combined with half of the seeds' range";
        let both = |(sampling, seeds): (Noise, f64)| Noise { margin: sampling.margin.hypot(seeds), name };
        Self { by: self.by, noise: self.noise.zip(half_range).map(both) }
    }

    fn sense(self) -> Option<Sense> {
        let margin = self.noise?.margin;
        Some(match self.by {
            by if by > margin => Sense::Better,
            by if by < -margin => Sense::Worse,
            by if by - margin >= -TOLERANCE => Sense::Kept,
            _ => Sense::Open,
        })
    }

    /// The figure in words.
    fn on(self, data: &str) -> String {
        let by = points(self.by);
        match self.noise {
            Some(Noise { margin, name }) if self.by.abs() <= margin => {
                format!("{by} on {data} (within \u{b1}{:.1}, {name})", 100.0 * margin)
            }
            _ => format!("{by} on {data}"),
        }
    }
}

/// A difference of fractions in percentage points: `+8.1 points`.
pub fn points(difference: f64) -> String {
    let rounded = (1000.0 * difference).round() / 10.0;
    let sign = if rounded < 0.0 { '\u{2212}' } else { '+' };
    format!("{sign}{:.1} points", rounded.abs())
}

/// What tuning did to a model on the task's data and on other data.
pub fn verdict(id: Change, ood: Change) -> String {
    use Sense::{Better, Kept, Open, Worse};
    let headline = id.sense().zip(ood.sense()).map(|senses| match senses {
        (Better, Better) => "Robust",
        (Better, Kept) => "Robust (at most 1 point worse on other data)",
        (Better, Open) => "Better on the task's data; no clear change on other data",
        (Better, Worse) => "Better on the task's data, at the cost of other data",
        (Kept | Open, Better) => "Better on other data only",
        (Kept | Open, Kept | Open) => "No clear change",
        (Kept | Open, Worse) => "Worse on other data, and not clearly better on the task's",
        (Worse, Better) => "Better on other data, but worse on the task's",
        (Worse, Kept | Open) => "Worse on the task's data; no clear change on other data",
        (Worse, Worse) => "Worse than the base model",
    });
    let figures = format!("{}, {}", id.on("the task's data (ID)"), ood.on("other distributions (OOD)"));
    sentence(headline, &figures)
}

/// What tuning did to a model on `data`, of which is not known whether they are of the training data's kind.
pub fn verdict_on(data: &str, change: Change) -> String {
    let headline = change.sense().map(|sense| match sense {
        Sense::Better => "Better",
        Sense::Kept | Sense::Open => "No clear change",
        Sense::Worse => "Worse",
    });
    sentence(headline, &change.on(data))
}

fn sentence(headline: Option<&str>, figures: &str) -> String {
    match headline {
        Some(headline) => format!("{headline}: {figures}, against the base model."),
        None => format!("{figures}, against the base model; how much of it may be chance is not known."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(base: f64, tuned: f64, count: u64) -> Change {
        Change::between(Interval::wilson(base, count), Interval::wilson(tuned, count))
    }

    #[test]
    fn a_verdict_follows_from_the_figures() {
        let of = |id, ood| verdict(id, ood).split(':').next().map(str::to_owned).unwrap_or_default();
        let (up, down, same) = (change(0.5, 0.7, 1000), change(0.7, 0.5, 1000), change(0.5, 0.51, 100));
        assert_eq!(of(up, up), "Robust");
        assert_eq!(of(up, down), "Better on the task's data, at the cost of other data");
        assert_eq!(of(up, same), "Better on the task's data; no clear change on other data");
        assert_eq!(of(same, same), "No clear change");
        assert_eq!(of(same, down), "Worse on other data, and not clearly better on the task's");
        assert_eq!(of(down, down), "Worse than the base model");
        assert_eq!(of(down, same), "Worse on the task's data; no clear change on other data");
        assert_eq!(of(down, up), "Better on other data, but worse on the task's");
    }

    #[test]
    fn a_model_is_robust_only_if_a_loss_of_more_than_a_point_is_excluded() {
        let noise = |margin| Some(Noise { margin, name: "the noise" });
        let id = Change { by: 0.081, noise: noise(0.02) };
        let sure = verdict(id, Change { by: -0.004, noise: noise(0.005) });
        let expected = "Robust (at most 1 point worse on other data): +8.1 points on the task's data (ID), \u{2212}0.4 points on \
                        other distributions (OOD) (within \u{b1}0.5, the noise), against the base model.";
        assert_eq!(sure, expected);
        let open = verdict(id, Change { by: -0.004, noise: noise(0.02) });
        assert!(open.starts_with("Better on the task's data; no clear change on other data: +8.1 points"), "{open}");
    }

    #[test]
    fn nothing_is_claimed_without_the_noise() {
        let up = change(0.5, 0.7, 1000);
        let expected = "+20.0 points on val.json, against the base model; how much of it may be chance is not known.";
        for unknown in [Change::new(0.5, 0.7), up.with_seeds(None), Change::new(0.5, 0.7).with_seeds(Some(0.0))] {
            assert_eq!(verdict_on("val.json", unknown), expected);
            assert!(verdict(up, unknown).starts_with("+20.0 points"), "{}", verdict(up, unknown));
        }
    }

    #[test]
    fn the_spread_of_seeds_adds_to_the_sampling_error() {
        let (alone, seeded) = (change(0.5, 0.6, 500), change(0.5, 0.6, 500).with_seeds(Some(0.1)));
        assert!(verdict_on("pets", alone).starts_with("Better: +10.0 points on pets, against"));
        let verdict = verdict_on("pets", seeded);
        assert!(verdict.starts_with("No clear change: +10.0 points on pets (within \u{b1}11."), "{verdict}");
        assert!(verdict.contains("sampling combined with half of the seeds' range"), "{verdict}");
        assert_eq!(alone.with_seeds(Some(0.0)).sense(), alone.sense(), "equal seeds leave the sampling error");
    }

    #[test]
    fn a_difference_counts_from_enough_images_on() {
        assert_eq!(change(0.5, 0.6, 50).sense(), Some(Sense::Open));
        assert_eq!(change(0.5, 0.6, 5000).sense(), Some(Sense::Better));
        assert_eq!(points(-0.0001), "+0.0 points");
    }
}
