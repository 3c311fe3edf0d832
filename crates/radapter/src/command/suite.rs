//! Evaluation of classification on a set or a suite, with progress and tables.

use std::path::{Path, PathBuf};

use radapter_classification::accuracy::{Evaluation, TOP};
use radapter_classification::classes::Classes;
use radapter_classification::head::Head;
use radapter_classification::imagenet;
use radapter_classification::read::read_labelled;
use radapter_classification::suite::{
    SetOutcome, Suite, SuiteFile, SuiteOutcome, SuiteResult, TestSet, evaluate, evaluate_suite,
};
use radapter_clip::model::Encoder;
use radapter_datasets::imagenet::ImageNetSet;
use radapter_datasets::{ClassNames, OnError};
use radapter_embedding::EmbedOptions;

use super::args::JsonFlag;
use super::failure::Usage;
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

    /// The sets, for a model of these classes.
    pub(crate) fn open(&self, classes: &Classes, on_error: OnError) -> anyhow::Result<Suite> {
        Ok(match self {
            Self::File(file) => Suite::from_file(file, classes, on_error)?,
            Self::ImageNet(root) => Suite::imagenet(root, &ImageNetSet::SHIFTED, classes)?,
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
pub(crate) fn print_set(evaluation: &Evaluation, set: &TestSet, json: JsonFlag) -> anyhow::Result<()> {
    if json.json {
        output::print_json(&evaluation.clone().without_confusion())
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
    match top5(evaluation, set) {
        Some(top5) => format!("{table}\n\ntop-5  {top5}"),
        None => table.to_string(),
    }
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
    let columns = if top5s.iter().any(Option::is_some) { 5 } else { 4 };
    let mut table = Table::new(&["set", "", "images>", "top-1>", "top-5>"][..columns]);
    for ((set, kind), top5) in measured.zip(top5s) {
        let Evaluation { top1, n, .. } = &set.evaluation;
        let row = [set.name.clone(), kind.to_owned(), n.to_string(), percent(*top1), top5.unwrap_or_default()];
        table.row(row.into_iter().take(columns));
    }
    let average = percent(result.ood_average);
    let row = ["average".to_owned(), "OOD".to_owned(), String::new(), average, String::new()];
    table.row(row.into_iter().take(columns));
    table.to_string()
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
    table.to_string()
}
