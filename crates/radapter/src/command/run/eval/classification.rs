//! `eval classification`: accuracy on one set or on a suite.

use std::path::PathBuf;

use anyhow::Context;
use radapter_classification::accuracy::Evaluation;
use radapter_classification::classes::Classes;
use radapter_classification::read::read_labelled;
use radapter_classification::suite::{Prediction, SuiteResult, TestSet};
use radapter_datasets::{ClassNames, LabelledImages};
use serde_json::json;

use crate::command::args::{EvalClassification, EvalWhat, JsonFlag};
use crate::command::failure::Usage;
use crate::command::run::predict::Form;
use crate::command::suite::{Source, measure, measure_suite, set_table, suite_table};
use crate::command::{Session, classes, model, output};

/// What is measured.
enum Data {
    Set(PathBuf, LabelledImages),
    Suite(Source),
}

impl Data {
    fn open(what: &EvalWhat, names: Option<&ClassNames>) -> anyhow::Result<Self> {
        match (&what.suite, &what.data) {
            (Some(suite), _) => Ok(Self::Suite(Source::new(suite, what.root.as_deref())?)),
            (None, Some(data)) => Ok(Self::Set(data.clone(), read_labelled(data, names)?)),
            // clap asks for one of them.
            (None, None) => anyhow::bail!("give --suite or --data"),
        }
    }

    /// The classes of a model that has none of its own.
    fn classes(&self, names: Option<&ClassNames>) -> anyhow::Result<Classes> {
        match self {
            Self::Set(_, images) => Ok(Classes::new(images.classes.clone())?),
            Self::Suite(source) => source.classes(names),
        }
    }
}

pub(super) fn run(args: &EvalClassification, session: &Session) -> anyhow::Result<()> {
    let form = args.predictions.as_deref().map(Form::of).transpose()?;
    for file in [&args.predictions, &args.confusion].into_iter().flatten() {
        output::check_writable(file)?;
    }
    if let Some(path) = &args.confusion {
        let named_csv = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        if !named_csv && !output::is_special(path) {
            return Err(Usage(format!("--confusion {}: the file's name has to end in .csv", path.display())).into());
        }
        if args.predictions.as_ref() == Some(path) {
            return Err(Usage("--predictions and --confusion name the same file".to_owned()).into());
        }
    }
    let names = classes::names(&args.class_names)?;
    let templates = classes::templates(&args.templates)?;
    let data = Data::open(&args.what, names.as_ref())?;
    let model = model::open(&args.model, args.alpha.get()?, session)?;
    let listed = || data.classes(names.as_ref());
    let batch = args.batch.batch_size;
    let head = classes::head(&model, listed, names.as_ref(), templates.as_ref(), batch)?;

    let options = args.decoding.over(session.embed_options(&args.decode, args.batch))?;
    let (evaluation, predictions) = match data {
        Data::Set(path, images) => {
            let set = TestSet::new(path.display().to_string(), images, head.classes())?;
            let outcome = measure(&*model.encoder, &head, &set, &options, session)?;
            print_set(&outcome.evaluation, args.json)?;
            (outcome.evaluation, vec![(set.name, outcome.predictions)])
        }
        Data::Suite(source) => {
            let suite = source.open(head.classes())?;
            let outcome = measure_suite("evaluating", &*model.encoder, &head, &suite, &options, session)?;
            print_suite(&outcome.result, args.json)?;
            (outcome.result.id.evaluation, outcome.predictions)
        }
    };
    if let (Some(path), Some(form)) = (&args.predictions, form) {
        let content = match form {
            Form::Csv => predictions_csv(&predictions).context("cannot make the CSV")?,
            Form::JsonLines => predictions_json_lines(&predictions),
        };
        output::write_file(path, &content)?;
    }
    if let Some(path) = &args.confusion {
        let content = confusion_csv(&evaluation).context("cannot make the CSV")?;
        output::write_file(path, &content)?;
    }
    Ok(())
}

/// One set's result; the confusion matrix has a file of its own.
pub(in crate::command::run) fn print_set(evaluation: &Evaluation, json: JsonFlag) -> anyhow::Result<()> {
    if json.json {
        output::print_json(&evaluation.clone().without_confusion())
    } else {
        output::print(&set_table(evaluation))
    }
}

fn print_suite(result: &SuiteResult, json: JsonFlag) -> anyhow::Result<()> {
    if json.json {
        output::print_json(&result.clone().without_confusion())
    } else {
        output::print(&suite_table(result))
    }
}

/// `set, image, label, prediction, correct, score`, one row an image.
fn predictions_csv(sets: &[(String, Vec<Prediction>)]) -> anyhow::Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["set", "image", "label", "prediction", "correct", "score"])?;
    for (set, predictions) in sets {
        for prediction in predictions {
            let Some(best) = prediction.best.first() else { continue };
            let correct = if best.class == prediction.label { "1" } else { "0" };
            let score = best.score.to_string();
            let Prediction { name, label, .. } = prediction;
            table.write_record([set, name, label, &best.class, correct, &score])?;
        }
    }
    Ok(table.into_inner().map_err(|error| error.into_error())?)
}

fn predictions_json_lines(sets: &[(String, Vec<Prediction>)]) -> Vec<u8> {
    let mut lines = String::new();
    for (set, predictions) in sets {
        for Prediction { name, label, best } in predictions {
            let line = json!({ "set": set, "image": name, "label": label, "predictions": best });
            lines.push_str(&line.to_string());
            lines.push('\n');
        }
    }
    lines.into_bytes()
}

/// The confusion matrix: a row for each class of the images, a column for each class that occurs.
fn confusion_csv(evaluation: &Evaluation) -> anyhow::Result<Vec<u8>> {
    let mut classes: Vec<&str> = evaluation.per_class.keys().map(String::as_str).collect();
    for (_, predicted, _) in evaluation.confusion.iter() {
        if !classes.contains(&predicted) {
            classes.push(predicted);
        }
    }
    classes.sort_unstable();
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(std::iter::once(&"label").chain(&classes))?;
    for truth in evaluation.per_class.keys() {
        let counts = classes.iter().map(|predicted| evaluation.confusion.get(truth, predicted).to_string());
        table.write_record(std::iter::once(truth.clone()).chain(counts))?;
    }
    Ok(table.into_inner().map_err(|error| error.into_error())?)
}
