//! The results of `train --suite` on the page of a run.

use std::path::Path;

use radapter_adapter::{Alpha, Alphas};
use radapter_training::{RunDir, TrainError};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::{Change, Interval, Page, percent, verdict};

/// Results of the base model and of the run at several α.
pub(super) struct Suite(Vec<Model>);

/// Results of a model, an object of `suite.json`.
#[derive(Deserialize)]
struct Model {
    alpha: Alphas,
    id: Set,
    /// The shifted sets, in the suite's order.
    #[serde(deserialize_with = "by_name")]
    ood: Vec<Set>,
    ood_average: f64,
    #[serde(default)]
    second_average: Option<SecondAverage>,
}

#[derive(Deserialize)]
struct SecondAverage {
    without: Vec<String>,
    top1: f64,
}

#[derive(Deserialize)]
struct Set {
    #[serde(default)]
    name: String,
    top1: f64,
    n: u64,
}

impl Set {
    fn interval(&self) -> Interval {
        Interval::wilson(self.top1, self.n)
    }
}

fn by_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Set>, D::Error> {
    let named = |(name, value)| Ok(Set { name, ..Set::deserialize::<Value>(value).map_err(D::Error::custom)? });
    Map::<String, Value>::deserialize(deserializer)?.into_iter().map(named).collect()
}

impl Model {
    /// Name, kind and number of images of each set and of the average, with the accuracy.
    fn rows(&self) -> Vec<([String; 3], Interval)> {
        let row = |set: &Set, kind: &str| ([set.name.clone(), kind.to_owned(), set.n.to_string()], set.interval());
        let mut rows = vec![row(&self.id, "ID")];
        rows.extend(self.ood.iter().map(|set| row(set, "OOD")));
        rows.push((["average", "OOD", ""].map(str::to_owned), self.average()));
        if let Some(SecondAverage { without, top1 }) = &self.second_average {
            let name = format!("average without {}", without.join(", "));
            rows.push(([name, "OOD".to_owned(), String::new()], self.average_without(*top1, without)));
        }
        rows
    }

    fn average(&self) -> Interval {
        self.average_without(self.ood_average, &[])
    }

    fn average_without(&self, value: f64, without: &[String]) -> Interval {
        let sets = self.ood.iter().filter(|set| !without.contains(&set.name));
        Interval { value, ..Interval::mean_of_independent(&sets.map(Set::interval).collect::<Vec<_>>()) }
    }
}

impl Suite {
    /// Reads the results in a run's folder; `None` if it has none.
    pub(super) fn read(run: &Path) -> Result<Option<Self>, TrainError> {
        let path = run.join(RunDir::SUITE);
        let unreadable = |reason: String| TrainError::Unreadable { path: path.clone(), reason };
        match std::fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text).map(|models| Some(Self(models))).map_err(|e| unreadable(e.to_string()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(error.to_string())),
        }
    }

    /// What tuning did at the run's `alpha`; `None` if that or the base model was not measured.
    pub(super) fn verdict(&self, alpha: &Alphas) -> Option<String> {
        let at = |alpha: &Alphas| self.0.iter().find(|model| model.alpha == *alpha);
        let (base, own) = (at(&Alpha::ZERO.into())?, at(alpha)?);
        let text = verdict(
            Change::between(base.id.interval(), own.id.interval()),
            Change::between(base.average(), own.average()),
        );
        Some(format!("The suite at alpha = {alpha}: {text}"))
    }

    /// Adds a table with a row for each set and a column for each model.
    pub(super) fn show(&self, page: &mut Page) {
        let models: Vec<_> = self.0.iter().map(Model::rows).collect();
        let name = |model: &Model| match model.alpha.single() {
            Some(Alpha::ZERO) => "base>".to_owned(),
            _ => format!("alpha = {}>", model.alpha),
        };
        let columns: Vec<String> =
            ["set", "", "images>"].map(str::to_owned).into_iter().chain(self.0.iter().map(name)).collect();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let cell = |interval: Interval| format!("{} \u{b1} {:.1}", percent(interval.value), 100.0 * interval.margin());
        // Every model is measured on the same sets.
        let sets = models.first().into_iter().flatten().enumerate();
        let row = |(index, (heads, _)): (usize, &([String; 3], Interval))| {
            let cells = models.iter().filter_map(|rows| Some(cell(rows.get(index)?.1)));
            heads.iter().cloned().chain(cells).collect()
        };
        page.section("Suite");
        page.table(&columns, &sets.map(row).collect::<Vec<_>>(), &[]);
        page.caption("Top-1 accuracy after the last step, \u{b1} half of the 95 % interval of sampling.");
    }
}
