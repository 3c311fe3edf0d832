//! Results of a model on a suite.

use serde::{Deserialize, Serialize};

use super::SuiteError;
use crate::accuracy::{Evaluation, Resamples};

/// Result row of one model: its accuracy in distribution, on each shifted set, and their unweighted mean.
///
/// Serialized as `{"id": {"name": …, "top1": …, …}, "ood": {name: {"top1": …, …}}, "ood_average": …,
/// "ood_average_interval": [low, high]}`; the shifted sets keep the suite's order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuiteResult {
    /// The in-distribution set.
    pub id: NamedEvaluation,
    /// The shifted sets.
    #[serde(with = "by_name")]
    pub ood: Vec<NamedEvaluation>,
    /// Unweighted mean of the shifted sets' top-1 accuracies.
    pub ood_average: f64,
    /// 95 % bootstrap interval of `ood_average`, low and high: each set is resampled independently.
    #[serde(default)]
    pub ood_average_interval: [f64; 2],
    /// The mean without some of the shifted sets, if the suite asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_average: Option<SecondAverage>,
}

/// Unweighted mean of top-1 accuracies without some of the shifted sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecondAverage {
    /// Names of the sets that are left out.
    pub without: Vec<String>,
    /// Mean over the other sets.
    pub top1: f64,
    /// 95 % bootstrap interval of `top1`, low and high.
    pub top1_interval: [f64; 2],
}

/// Evaluation with the name of its set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct NamedEvaluation {
    pub name: String,
    #[serde(flatten)]
    pub evaluation: Evaluation,
}

impl SuiteResult {
    /// Creates a row from these results.
    ///
    /// # Errors
    /// [`SuiteError::NoShiftedSet`] if there is no shifted set, whose mean would be 0/0.
    pub fn new(id: NamedEvaluation, ood: Vec<NamedEvaluation>) -> Result<Self, SuiteError> {
        if ood.is_empty() {
            return Err(SuiteError::NoShiftedSet);
        }
        let (ood_average, ood_average_interval) = average(ood.iter().enumerate());
        Ok(Self { id, ood, ood_average, ood_average_interval, second_average: None })
    }

    /// Adds the mean without these sets; none if no set is left out, or every one.
    #[must_use]
    pub fn with_second_average(self, without: Vec<String>) -> Self {
        let kept = || self.ood.iter().enumerate().filter(|(_, set)| !without.contains(&set.name));
        if kept().count() == self.ood.len() || kept().next().is_none() {
            return self;
        }
        let (top1, top1_interval) = average(kept());
        Self { second_average: Some(SecondAverage { without, top1, top1_interval }), ..self }
    }

    /// Returns a copy without the confusion matrices.
    pub fn without_confusion(self) -> Self {
        let strip =
            |set: NamedEvaluation| NamedEvaluation { name: set.name, evaluation: set.evaluation.without_confusion() };
        Self { id: strip(self.id), ood: self.ood.into_iter().map(strip).collect(), ..self }
    }
}

/// Mean accuracy over at least one set, and its interval; the position of a set is its stream of draws.
fn average<'a>(sets: impl Iterator<Item = (usize, &'a NamedEvaluation)>) -> (f64, [f64; 2]) {
    let (values, resampled): (Vec<f64>, Vec<Resamples>) = sets
        .map(|(stream, set)| {
            let Evaluation { top1, n, .. } = set.evaluation;
            (top1, Resamples::accuracy((top1 * n as f64).round() as u64, n, stream as u64))
        })
        .unzip();
    (values.iter().sum::<f64>() / values.len() as f64, Resamples::mean(&resampled).interval())
}

/// A list of named evaluations as a map that keeps its order.
mod by_name {
    use serde::de::{MapAccess, Visitor};
    use serde::{Deserializer, Serializer};

    use super::NamedEvaluation;

    pub(super) fn serialize<S: Serializer>(sets: &[NamedEvaluation], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(sets.iter().map(|set| (&set.name, &set.evaluation)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<NamedEvaluation>, D::Error> {
        struct Sets;
        impl<'de> Visitor<'de> for Sets {
            type Value = Vec<NamedEvaluation>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map from names to evaluations")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut sets = Vec::new();
                while let Some((name, evaluation)) = map.next_entry()? {
                    sets.push(NamedEvaluation { name, evaluation });
                }
                Ok(sets)
            }
        }
        deserializer.deserialize_map(Sets)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::accuracy::Tally;

    /// A set of `n` images of which the first `right` are recognised.
    fn set(name: &str, right: usize, n: usize) -> NamedEvaluation {
        let mut tally = Tally::new(["a", "b"]);
        for image in 0..n {
            let scores = if image < right { [1.0, 0.0] } else { [0.0, 1.0] };
            tally.add(&scores, 0).unwrap();
        }
        let evaluation = tally.finish().unwrap();
        let name = name.to_owned();
        NamedEvaluation { name, evaluation }
    }

    #[test]
    fn the_average_is_over_sets_not_over_images() {
        let ood = vec![set("sketch", 1, 1), set("cartoon", 25, 100)];
        let result = SuiteResult::new(set("photo", 3, 4), ood).unwrap();
        assert_eq!(result.ood_average, (1.0 + 0.25) / 2.0);
    }

    #[test]
    fn a_second_average_leaves_sets_out() {
        let ood = vec![set("sketch", 10, 20), set("objects", 1, 20), set("cartoon", 16, 20)];
        let result = SuiteResult::new(set("photo", 3, 4), ood).unwrap();
        let [low, high] = result.ood_average_interval;
        assert!(low < result.ood_average && result.ood_average < high);
        let second = result.clone().with_second_average(vec!["objects".to_owned()]).second_average.unwrap();
        assert_eq!((second.top1, second.without), ((0.5 + 0.8) / 2.0, vec!["objects".to_owned()]));
        assert!(second.top1_interval[0] > low);
        assert_eq!(result.clone().with_second_average(Vec::new()), result);
    }

    #[test]
    fn json_has_the_documented_keys_in_the_suites_order_and_is_read_back() {
        let ood = vec![set("sketch", 1, 2), set("cartoon", 1, 4)];
        let result = SuiteResult::new(set("photo", 3, 4), ood).unwrap();
        let text = serde_json::to_string(&result).unwrap();
        assert_eq!(serde_json::from_str::<SuiteResult>(&text).unwrap(), result);
        assert!(text.find("\"sketch\"") < text.find("\"cartoon\""), "{text}");

        let value = serde_json::to_value(result.without_confusion()).unwrap();
        let keys = |value: &serde_json::Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
        assert_eq!(keys(&value), ["id", "ood", "ood_average", "ood_average_interval"]);
        assert_eq!(keys(&value["id"]), ["name", "top1", "top1_interval", "top5", "n", "per_class"]);
        assert_eq!(keys(&value["ood"]["sketch"]), ["top1", "top1_interval", "top5", "n", "per_class"]);
        assert_eq!(value["ood"]["sketch"]["top1"], 0.5);
    }

    #[test]
    fn a_row_without_shifted_sets_is_refused() {
        let error = SuiteResult::new(set("photo", 1, 1), vec![]);
        assert!(matches!(error, Err(SuiteError::NoShiftedSet)));
    }
}
