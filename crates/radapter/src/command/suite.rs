//! Evaluation of classification on a set or a suite, with progress and tables.

use std::path::{Path, PathBuf};

use radapter_classification::accuracy::{Evaluation, TOP};
use radapter_classification::calibration::Confidence;
use radapter_classification::classes::Classes;
use radapter_classification::head::Head;
use radapter_classification::imagenet;
use radapter_classification::read::read_labelled;
use radapter_classification::suite::{
    SecondAverage, SetOutcome, Suite, SuiteFile, SuiteOutcome, SuiteResult, TestSet, evaluate, evaluate_suite,
};
use radapter_clip::model::{Encoder, Precision};
use radapter_datasets::imagenet::ImageNetSet;
use radapter_datasets::{ClassNames, OnError};
use radapter_embedding::EmbedOptions;

use super::args::JsonFlag;
use super::failure::Usage;
use super::output::{Computed, aligned};
use super::skipped::report_skipped;
use super::{Session, output};
use radapter_report::{Table, percent};

/// The name of the built-in suite.
const IMAGENET: &str = "imagenet";

/// Where a suite's sets come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    File(SuiteFile),
    /// The ImageNet family below a directory.
    ImageNet(PathBuf),
}

impl Source {
    /// What `--suite` and `--root` name.
    pub(crate) fn new(suite: &str, root: Option<&Path>) -> anyhow::Result<Self> {
        match (suite, root) {
            (IMAGENET, Some(root)) => Ok(Self::ImageNet(root.to_owned())),
            (IMAGENET, None) => {
                let message = "--suite imagenet needs --root DIR, the folder of ImageNet and its variants";
                Err(Usage(message.into()).into())
            }
            (_, Some(_)) => {
                let message =
                    "--root applies only to --suite imagenet; the paths of a suite file are relative to the file";
                Err(Usage(message.into()).into())
            }
            (file, None) => Ok(Self::File(SuiteFile::read(Path::new(file))?)),
        }
    }

    /// The classes of the in-distribution set, for a model without its own.
    pub(crate) fn classes(&self, names: Option<&ClassNames>) -> anyhow::Result<Classes> {
        Ok(match self {
            Self::File(file) => Classes::new(read_labelled(&file.id.data, names, OnError::Skip)?.classes)?,
            Self::ImageNet(_) => imagenet::classes(names)?,
        })
    }

    /// The paths of the sets.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        match self {
            Self::File(file) => file.sets().map(|set| set.data.clone()).collect(),
            Self::ImageNet(root) => {
                let sets = std::iter::once(&ImageNetSet::Val).chain(&ImageNetSet::SHIFTED);
                sets.map(|set| root.join(set.folder())).collect()
            }
        }
    }

    /// Checks the sets' numbers of images before a model is loaded. Opening the sets logs what is suspicious about them.
    pub(crate) fn check_images(&self, on_error: OnError) -> anyhow::Result<()> {
        tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), || match self {
            Self::File(file) => Ok(file.check_images(on_error)?),
            Self::ImageNet(_) => self.open(&imagenet::classes(None)?, on_error).map(drop),
        })
    }

    /// The sets, for a model of these classes.
    pub(crate) fn open(&self, classes: &Classes, on_error: OnError) -> anyhow::Result<Suite> {
        Ok(match self {
            Self::File(file) => Suite::from_file(file, classes, on_error)?,
            Self::ImageNet(root) => {
                let suite = Suite::imagenet(root, &ImageNetSet::SHIFTED, classes)?;
                suite.check_images(IMAGENET)?;
                suite
            }
        })
    }
}

/// Evaluates a model on one set, with progress.
pub(crate) fn measure(
    clip: &dyn Encoder,
    head: &Head,
    set: &TestSet,
    options: &EmbedOptions,
    session: &Session,
) -> anyhow::Result<SetOutcome> {
    let total = set.samples.len();
    let progress = session.progress.start("evaluating", "images", total as u64);
    let outcome = evaluate(clip, head, set, options, &mut |done| progress.set(done as u64, ""))?;
    progress.finish();
    report_skipped(&outcome.skipped, total);
    Ok(outcome)
}

/// Evaluates a model on a suite, with progress over all sets; `what` labels the bar.
pub(crate) fn measure_suite(
    what: &str,
    clip: &dyn Encoder,
    head: &Head,
    suite: &Suite,
    options: &EmbedOptions,
    session: &Session,
) -> anyhow::Result<SuiteOutcome> {
    let progress = session.progress.start(what, "images", suite.images() as u64);
    let mut before = 0;
    let mut current = (String::new(), 0);
    let outcome = evaluate_suite(clip, head, suite, options, &mut |set, done| {
        if set != current.0 {
            before += current.1;
            set.clone_into(&mut current.0);
        }
        current.1 = done;
        progress.set((before + done) as u64, set);
    })?;
    progress.finish();
    for (set, skipped) in &outcome.skipped {
        let total = suite.sets().find(|one| one.name == *set).map_or(0, |one| one.samples.len());
        report_skipped(skipped, total);
    }
    Ok(outcome)
}

/// Prints one set's result, without the confusion matrix, which has a file of its own.
pub(crate) fn print_set(
    evaluation: &Evaluation,
    set: &TestSet,
    precision: Precision,
    json: JsonFlag,
) -> anyhow::Result<()> {
    if json.json {
        output::print_json(&Computed::new(evaluation.clone().without_confusion(), precision))
    } else {
        output::print(&set_table(evaluation, set))
    }
}

/// One set's result as a table.
fn set_table(evaluation: &Evaluation, set: &TestSet) -> String {
    let mut table = Table::new(&["class", "images>", "top-1>"]);
    for (class, accuracy) in &evaluation.per_class {
        table.row([class.clone(), accuracy.n.to_string(), percent(accuracy.accuracy)]);
    }
    table.row(["all".to_owned(), evaluation.n.to_string(), percent(evaluation.top1)]);
    let mut lines =
        vec![("top-1", format!("{}, 95 % interval {}", percent(evaluation.top1), range(evaluation.top1_interval)))];
    lines.extend(top5(evaluation, set).map(|top5| ("top-5", top5)));
    if let Some(confidence) = &evaluation.confidence {
        lines.push(("ECE", format!("{} at {}", percent(confidence.ece), models(confidence))));
        if let (Some(ece), Some(temperature)) = (confidence.ece_calibrated, confidence.temperature_calibrated) {
            lines.push(("", format!("{} at temperature {temperature:.4}, calibrated", percent(ece))));
        }
    }
    format!("{table}\n\n{}", aligned(&lines))
}

/// The model's temperature in words.
fn models(confidence: &Confidence) -> String {
    format!("temperature {:.4}, the model's", confidence.temperature)
}

/// An interval in percent: `67.5–77.0 %`.
fn range([low, high]: [f64; 2]) -> String {
    format!("{:.1}\u{2013}{:.1} %", 100.0 * low, 100.0 * high)
}

/// Top-5 accuracy; `None` where every answer is among the best five.
fn top5(evaluation: &Evaluation, set: &TestSet) -> Option<String> {
    (set.candidates.len() > TOP).then(|| percent(evaluation.top5))
}

/// A suite's result as a table, one row per set.
pub(crate) fn suite_table(result: &SuiteResult, suite: &Suite) -> String {
    let measured = std::iter::once((&result.id, "ID")).chain(result.ood.iter().map(|set| (set, "OOD")));
    let top5s: Vec<Option<String>> =
        measured.clone().zip(suite.sets()).map(|((measured, _), set)| top5(&measured.evaluation, set)).collect();
    let confidences: Vec<Option<&Confidence>> =
        measured.clone().map(|(set, _)| set.evaluation.confidence.as_ref()).collect();
    let eces = |of: fn(&Confidence) -> Option<f64>| -> Option<Vec<f64>> {
        confidences.iter().map(|confidence| of((*confidence)?)).collect()
    };
    // Optional columns, with the values of the sets.
    let optional = [
        ("ECE>", eces(|confidence| Some(confidence.ece))),
        ("calibrated>", eces(|confidence| confidence.ece_calibrated)),
    ];
    let has_top5 = top5s.iter().any(Option::is_some);
    let mut columns = vec!["set", "", "images>", "top-1>", "95 % interval>"];
    columns.extend(has_top5.then_some("top-5>"));
    columns.extend(optional.iter().filter(|(_, values)| values.is_some()).map(|(name, _)| *name));
    let mut table = Table::new(&columns);
    let optional: Vec<Vec<f64>> = optional.into_iter().filter_map(|(_, values)| values).collect();
    for (index, ((set, kind), top5)) in measured.zip(top5s).enumerate() {
        let Evaluation { top1, top1_interval, n, .. } = &set.evaluation;
        let row = [set.name.clone(), kind.to_owned(), n.to_string(), percent(*top1), range(*top1_interval)];
        let top5 = has_top5.then(|| top5.unwrap_or_default());
        table.row(row.into_iter().chain(top5).chain(optional.iter().map(|values| percent(values[index]))));
    }
    let mut average = |name: String, top1: f64, interval: [f64; 2], without: &[String]| {
        let row = [name, "OOD".to_owned(), String::new(), percent(top1), range(interval)];
        let kept = |values: &Vec<f64>| {
            let kept = result.ood.iter().zip(&values[1..]).filter(|(set, _)| !without.contains(&set.name));
            let kept: Vec<f64> = kept.map(|(_, value)| *value).collect();
            percent(kept.iter().sum::<f64>() / kept.len() as f64)
        };
        table.row(row.into_iter().chain(has_top5.then(String::new)).chain(optional.iter().map(kept)));
    };
    average("average".to_owned(), result.ood_average, result.ood_average_interval, &[]);
    if let Some(SecondAverage { without, top1, top1_interval }) = &result.second_average {
        average(without_sets(without), *top1, *top1_interval, without);
    }
    match confidences[0] {
        None => table.to_string(),
        Some(confidence) => {
            let calibrated = confidence.temperature_calibrated;
            let calibrated = calibrated.map_or_else(String::new, |found| format!("; calibrated: at {found:.4}"));
            format!("{table}\n\nECE: expected calibration error at {}{calibrated}", models(confidence))
        }
    }
}

fn without_sets(sets: &[String]) -> String {
    format!("average without {}", sets.join(", "))
}

/// The top-1 accuracies of several models as a table, one column for each model.
pub(crate) fn suites_table(models: &[(String, &SuiteResult)]) -> String {
    let columns: Vec<String> = models.iter().map(|(name, _)| format!("{name}>")).collect();
    let mut names = vec!["set", "", "images>"];
    names.extend(columns.iter().map(String::as_str));
    let mut table = Table::new(&names);
    let Some((_, first)) = models.first() else { return table.to_string() };
    let mut row = |name: &str, kind: &str, images: String, value: &dyn Fn(&SuiteResult) -> Option<f64>| {
        let values = models.iter().map(|(_, result)| value(result).map_or_else(String::new, percent));
        table.row([name.to_owned(), kind.to_owned(), images].into_iter().chain(values));
    };
    row(&first.id.name, "ID", first.id.evaluation.n.to_string(), &|result| Some(result.id.evaluation.top1));
    for (index, set) in first.ood.iter().enumerate() {
        let value = |result: &SuiteResult| Some(result.ood.get(index)?.evaluation.top1);
        row(&set.name, "OOD", set.evaluation.n.to_string(), &value);
    }
    row("average", "OOD", String::new(), &|result| Some(result.ood_average));
    if let Some(second) = &first.second_average {
        let value = |result: &SuiteResult| Some(result.second_average.as_ref()?.top1);
        row(&without_sets(&second.without), "OOD", String::new(), &value);
    }
    table.to_string()
}
