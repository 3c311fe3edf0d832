//! The figures of a comparison: `results.json`.

use std::path::PathBuf;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A value of a named test set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) value: f64,
}

/// What a model reaches, as fractions: top-1 accuracy, mean recall or mIoU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Figures {
    /// On the task's own test data, in distribution.
    pub(super) id: f64,
    /// On each shifted set; empty without a suite.
    pub(super) ood: Vec<Named>,
    pub(super) ood_average: Option<f64>,
    /// The mean without the sets that the suite leaves out of a second one, named after them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) second_average: Option<Named>,
    /// Expected calibration error in distribution, if `eval` reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id_ece: Option<f64>,
    /// The mean over the shifted sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ood_ece: Option<f64>,
}

impl Figures {
    /// Reads what `eval --json` prints.
    pub(super) fn of_eval(printed: &Value) -> anyhow::Result<(String, Self)> {
        let single = |name: &str, value: &Value, ece: &Value| {
            let id = value.as_f64().context("`eval --json` printed a figure that is not a number")?;
            let id_ece = ece.as_f64();
            let figures = Self { id, ood: Vec::new(), ood_average: None, second_average: None, id_ece, ood_ece: None };
            Ok((name.to_owned(), figures))
        };
        match printed {
            Value::Object(fields) if fields.contains_key("ood") => of_suite(printed),
            Value::Object(fields) => match ["top1", "mean_recall", "miou"].iter().find_map(|key| fields.get(*key)) {
                Some(value) => single("test data", value, &printed["ece"]),
                None => anyhow::bail!("`eval --json` printed none of top1, mean_recall and miou"),
            },
            _ => anyhow::bail!("`eval --json` printed no object"),
        }
    }
}

fn of_suite(printed: &Value) -> anyhow::Result<(String, Figures)> {
    let number = |value: &Value| value.as_f64().context("`eval --json` printed a suite without its figures");
    let sets = printed["ood"].as_object().context("`eval --json` printed a suite without its sets")?;
    let set = |(name, set): (&String, &Value)| Ok(Named { name: name.clone(), value: number(&set["top1"])? });
    let eces: Vec<f64> = sets.values().filter_map(|set| set["ece"].as_f64()).collect();
    let figures = Figures {
        id: number(&printed["id"]["top1"])?,
        ood: sets.iter().map(set).collect::<anyhow::Result<_>>()?,
        ood_average: Some(number(&printed["ood_average"])?),
        second_average: match printed.get("second_average") {
            Some(second) => Some(Named { name: without(second), value: number(&second["top1"])? }),
            None => None,
        },
        id_ece: printed["id"]["ece"].as_f64(),
        ood_ece: (!eces.is_empty() && eces.len() == sets.len()).then(|| eces.iter().sum::<f64>() / eces.len() as f64),
    };
    Ok((printed["id"]["name"].as_str().unwrap_or("ID").to_owned(), figures))
}

/// Names the sets that a second average leaves out.
fn without(second: &Value) -> String {
    let sets = second["without"].as_array().into_iter().flatten().filter_map(Value::as_str);
    format!("without {}", sets.collect::<Vec<_>>().join(", "))
}

/// A point of a curve over alpha.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct CurvePoint {
    pub(super) alpha: f64,
    pub(super) figures: Figures,
}

/// What the models of a row cost, all their parents together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cost {
    pub(super) tuned_parameters: usize,
    /// Of training and mixing.
    pub(super) seconds: f64,
    /// Peak resident memory of the training process, where the system reports it.
    pub(super) peak_memory_bytes: Option<u64>,
    /// Size of what is stored beside the base model.
    pub(super) bytes: u64,
}

/// The result of a method with one seed, or with all where it mixes them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) method: &'static str,
    /// `None` for zero-shot and for a mix of seeds.
    pub(super) seed: Option<u64>,
    /// As a number or as a range over the blocks; `None` for a method without.
    pub(super) alpha: Option<String>,
    /// The chosen combination of `--grid`.
    pub(super) settings: Vec<String>,
    /// The run's measure on its validation data.
    pub(super) validation: Option<f64>,
    /// `None` if the row failed.
    pub(super) figures: Option<Figures>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) curve: Vec<CurvePoint>,
    pub(super) cost: Cost,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// The file of what each image adds to the figures.
    #[serde(skip)]
    pub(super) predictions: Option<PathBuf>,
}

impl Row {
    /// A row without its figures.
    pub(super) fn new(method: &'static str, seed: Option<u64>) -> Self {
        Self {
            method,
            seed,
            alpha: None,
            settings: Vec::new(),
            validation: None,
            figures: None,
            curve: Vec::new(),
            cost: Cost::default(),
            error: None,
            predictions: None,
        }
    }
}

/// A run that was trained, also of a combination that was not chosen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Tried {
    pub(super) method: &'static str,
    pub(super) settings: Vec<String>,
    pub(super) seed: u64,
    pub(super) validation: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// A mean difference between two methods with its 95 % interval, over the same images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Difference {
    pub(super) method: &'static str,
    pub(super) against: &'static str,
    /// Of in-distribution accuracy.
    pub(super) id: Estimate,
    /// Of the mean accuracy over the shifted sets.
    pub(super) ood_average: Option<Estimate>,
}

/// A value with the bounds of its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Estimate {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// `results.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Results {
    pub(super) task: &'static str,
    /// What the figures are.
    pub(super) measure: &'static str,
    /// The base model.
    pub(super) model: String,
    /// The name of the in-distribution set.
    pub(super) id: String,
    /// The method that is full fine-tuning for the task.
    pub(super) full_fine_tuning: &'static str,
    pub(super) seeds: Vec<u64>,
    pub(super) rows: Vec<Row>,
    pub(super) tried: Vec<Tried>,
    /// Empty where the methods were not measured on the same images.
    pub(super) differences: Vec<Difference>,
}

impl Results {
    /// How many runs and rows failed.
    pub(super) fn failures(&self) -> usize {
        let rows = self.rows.iter().filter(|row| row.error.is_some()).count();
        // A run that was chosen has a row of its own.
        let tried = self.tried.iter().filter(|one| {
            let has_row = self.rows.iter().any(|row| {
                row.error.is_some()
                    && row.method == one.method
                    && row.seed == Some(one.seed)
                    && row.settings == one.settings
            });
            one.error.is_some() && !has_row
        });
        rows + tried.count()
    }

    /// Whether there are test data of other distributions.
    pub(super) fn has_ood(&self) -> bool {
        self.rows.iter().any(|row| row.figures.as_ref().is_some_and(|figures| figures.ood_average.is_some()))
    }

    /// The methods in the order of the rows.
    pub(super) fn methods(&self) -> Vec<&'static str> {
        let mut methods: Vec<&'static str> = self.rows.iter().map(|row| row.method).collect();
        methods.dedup();
        methods
    }

    /// The rows of a method.
    pub(super) fn of(&self, method: &str) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.method == method)
    }
}
