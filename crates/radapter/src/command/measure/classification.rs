//! Classification: accuracy on one set or on a suite, and sweeps over α.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use burn::tensor::Device;
use clap::Args;
use radapter_adapter::{Alpha, Alphas};
use radapter_classification::accuracy::Evaluation;
use radapter_classification::classes::Classes;
use radapter_classification::finetuned::{ClassificationRun, Classifier};
use radapter_classification::head::CLASSES_FILE;
use radapter_classification::read::read_labelled;
use radapter_classification::suite::{NamedEvaluation, Prediction, Suite, SuiteResult, TestSet};
use radapter_classification::task::Classification;
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::{Encoder, Precision};
use radapter_datasets::{ClassNames, LabelledImages, OnError};
use radapter_embedding::EmbedOptions;
use radapter_methods::METHODS;
use radapter_report::{Frontier, FrontierPoint, Interval, percent};
use serde_json::json;

use super::calibration::Calibration;
use super::sweep::{self, Point, Sweep};
use super::{Measured, OpenSuite, RunSuite, SuiteTable, Training};
use crate::command::args::{
    AlphaArg, ClassNamesArg, DecodeArgs, DecodingArg, DeviceBatchArg, JsonFlag, ModelArgs, ModelRef, PrecisionArg,
    SuiteArgs, SweepArgs, TemplatesArg,
};
use crate::command::failure::{Interrupted, Usage};
use crate::command::output::Computed;
use crate::command::prediction_file::Form;
use crate::command::suite::{Source, measure, measure_suite, print_set, suite_table, suites_table};
use crate::command::text_cache::text_cache;
use crate::command::{Session, choice, classes, model, output};

#[derive(Debug, Args)]
#[command(after_help = "\
A suite is a TOML file with paths relative to it. `classes`, the path of a JSON list of folder names, restricts the \
predictions to a subset. A set with another number of images than `images` is refused; shifted sets with \
`second_average = false` are left out of a second average:

  [id]
  name = \"photo\"
  data = \"test/photo\"

  [[ood]]
  name = \"sketch\"
  data = \"test/sketch\"
  images = 3929

Examples:
  radapter eval classification --model runs/pets --data pets/test
  radapter eval classification --model runs/pets --alpha 0.3 \\
      --suite pets/suite.toml --json
  radapter eval classification --model hf://openai/clip-vit-base-patch16 \\
      --suite imagenet --root /data/imagenet")]
pub(super) struct EvalArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    alpha: AlphaArg,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    templates: TemplatesArg,
    #[command(flatten)]
    class_names: ClassNamesArg,
    #[command(flatten)]
    decode: DecodeArgs,
    #[command(flatten)]
    decoding: DecodingArg,
    #[command(flatten)]
    batch: DeviceBatchArg,
    #[command(flatten)]
    precision: PrecisionArg,
    #[command(flatten)]
    json: JsonFlag,
    /// In-distribution images, not evaluated on, to calibrate the temperature of a second ECE on: one folder per class, or a .csv of
    /// path and label; none: calibrate nothing [default: the run's validation images]
    #[arg(long, value_name = "DIR|none")]
    calibrate: Option<PathBuf>,
    /// Write each image's label and prediction to this .csv or .jsonl file
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    /// Write the confusion matrix of the set (for a suite, of its in-distribution set): rows are labels, columns predictions
    #[arg(long, value_name = "FILE.csv")]
    confusion: Option<PathBuf>,
}

/// The data to evaluate on: a suite or one set.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = true)]
struct What {
    /// A suite file, or `imagenet` for the ImageNet family in its usual layout (needs --root)
    #[arg(long, value_name = "FILE.toml|imagenet", conflicts_with = "data")]
    suite: Option<String>,
    /// The folder of the built-in suite's data sets
    #[arg(long, value_name = "DIR", requires = "suite", conflicts_with = "data")]
    root: Option<PathBuf>,
    /// Labelled images: one folder per class, or a .csv of path and label
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Measured for EvalArgs {
    type Task = Classification;
    const ABOUT: &'static str =
        "Accuracy on a folder of labelled images, or on a suite of one in-distribution set and shifted ones";

    const DATA: [&'static str; 2] = ["--data DIR", "--suite FILE.toml"];

    const SUITE: Option<OpenSuite> = Some(TrainSuite::open);

    fn eval(&self, session: &Session) -> anyhow::Result<()> {
        evaluate(self, session)
    }

    fn sweep(args: &SweepArgs, session: &Session) -> anyhow::Result<Option<Sweep>> {
        args.suite.as_deref().map(|suite| sweep(args, suite, session)).transpose()
    }
}

/// The opened data.
enum Data {
    Set(PathBuf, LabelledImages),
    Suite(Source),
}

impl Data {
    fn open(what: &What, names: Option<&ClassNames>, on_error: OnError) -> anyhow::Result<Self> {
        match (&what.suite, &what.data) {
            (Some(suite), _) => {
                let source = Source::new(suite, what.root.as_deref())?;
                source.check_images(on_error)?;
                Ok(Self::Suite(source))
            }
            (None, Some(data)) => Ok(Self::Set(data.clone(), read_labelled(data, names, on_error)?)),
            // clap requires one of them.
            (None, None) => anyhow::bail!("give --suite or --data"),
        }
    }

    /// The data's paths.
    fn paths(&self) -> Vec<PathBuf> {
        match self {
            Self::Set(path, _) => vec![path.clone()],
            Self::Suite(source) => source.paths(),
        }
    }

    /// The classes of the data, for a model without its own.
    fn classes(&self, names: Option<&ClassNames>) -> anyhow::Result<Classes> {
        match self {
            Self::Set(_, images) => Ok(Classes::new(images.classes.clone())?),
            Self::Suite(source) => source.classes(names),
        }
    }
}

fn evaluate(args: &EvalArgs, session: &Session) -> anyhow::Result<()> {
    let form = args.predictions.as_deref().map(Form::of).transpose()?;
    args.predictions.as_deref().map(output::check_writable).transpose()?;
    if let Some(path) = &args.confusion {
        output::check_csv("--confusion", path)?;
        if args.predictions.as_ref() == Some(path) {
            return Err(Usage("--predictions and --confusion name the same file".to_owned()).into());
        }
    }
    let names = classes::names(&args.class_names)?;
    let templates = classes::templates(&args.templates)?;
    let data = Data::open(&args.what, names.as_ref(), args.decode.on_error)?;
    let precision = args.precision.resolve(session)?;
    let alphas = choice::alphas(&args.alpha, &args.model.model, session)?;
    let model = model::open(&args.model, alphas, precision, session)?;
    let listed = || data.classes(names.as_ref());
    let batch = args.batch.batch_size;
    let head = classes::head(&model, listed, names.as_ref(), templates.as_ref(), batch)?;

    let run = match &args.model.model {
        ModelRef::Path(path) if path.join(CLASSES_FILE).is_file() && model::is_run(path) => {
            Some(ClassificationRun::open(METHODS, path)?)
        }
        _ => None,
    };
    let on_error = args.decode.on_error;
    let calibrate = args.calibrate.as_deref();
    let calibration = Calibration::open(calibrate, run.as_ref(), head.classes(), &data.paths(), on_error)?;

    let options = args.decoding.over(session.embed_options(&args.decode, args.batch))?;
    let calibrated = |head| calibration.calibrated(head, model.temperature, &*model.encoder, &options, session);
    let (evaluation, predictions) = match data {
        Data::Set(path, images) => {
            let set = TestSet::new(path.display().to_string(), images, head.classes())?;
            let head = calibrated(head)?;
            let outcome = measure(&*model.encoder, &head, &set, &options, session)?;
            print_set(&outcome.evaluation, &set, precision, args.json)?;
            (outcome.evaluation, vec![(set.name, outcome.predictions)])
        }
        Data::Suite(source) => {
            let suite = source.open(head.classes(), on_error)?;
            let head = calibrated(head)?;
            let outcome = measure_suite("evaluating", &*model.encoder, &head, &suite, &options, session)?;
            print_suite(&outcome.result, &suite, precision, args.json)?;
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

/// The suite of `train --suite`.
struct TrainSuite {
    sets: Suite,
    paths: Vec<PathBuf>,
    options: EmbedOptions,
}

impl TrainSuite {
    fn open(args: &SuiteArgs, training: Training<'_>) -> anyhow::Result<Box<dyn RunSuite>> {
        let source = Source::new(args.suite.as_deref().context("--suite names no file")?, args.root.as_deref())?;
        let run;
        let (classes, settings) = match training {
            Training::New(plan) => {
                let task: &Classification = plan.task().downcast_ref().context("the plan is of another task")?;
                (&task.classes, &task.settings)
            }
            Training::Run(path) => {
                run = ClassificationRun::open(METHODS, path)?;
                (run.classes(), run.task())
            }
        };
        let options = EmbedOptions {
            on_error: settings.on_error,
            on_damage: settings.on_damage,
            decoding: settings.decode,
            ..EmbedOptions::default()
        };
        let paths = source.paths();
        Ok(Box::new(Self { sets: source.open(classes, settings.on_error)?, paths, options }))
    }
}

impl RunSuite for TrainSuite {
    fn measure(&self, run: &Path, interrupt: &AtomicBool, session: &Session) -> anyhow::Result<SuiteTable> {
        let run = ClassificationRun::open(METHODS, run)?.with_text_cache(text_cache());
        let mut alphas = vec![Alpha::ZERO.into(), run.run().default_alphas(), Alpha::ONE.into()];
        alphas.dedup();
        let device = session.first_device()?.device.clone();
        let base = model::base_of(run.run())?;
        let calibration = Calibration::open(None, Some(&run), run.classes(), &self.paths, self.options.on_error)?;
        let (sets, options, precision) = (&self.sets, &self.options, Precision::F32);
        let scene = OverAlpha { run: &run, base, sets, calibration, options, device, precision, session };
        let mut results = Vec::with_capacity(alphas.len());
        for (index, alpha) in alphas.iter().enumerate() {
            if interrupt.load(Ordering::Relaxed) {
                return Err(Interrupted::measurement(index, alphas.len()).into());
            }
            results.push(scene.measure(alpha.clone(), (index, alphas.len()))?);
        }
        let name = |alphas: &Alphas| match alphas.single() {
            Some(Alpha::ZERO) => "base".to_owned(),
            _ => format!("alpha = {alphas}"),
        };
        let named: Vec<(String, &SuiteResult)> =
            results.iter().map(|(alphas, result)| (name(alphas), result)).collect();
        let objects =
            results.iter().map(|(alphas, result)| sweep::object(alphas, &Computed::new(result, scene.precision)));
        Ok(SuiteTable { text: suites_table(&named), objects: objects.collect::<anyhow::Result<_>>()? })
    }
}

/// A run to be evaluated on a suite at several α.
struct OverAlpha<'a> {
    run: &'a ClassificationRun,
    base: Checkpoint,
    sets: &'a Suite,
    calibration: Calibration,
    options: &'a EmbedOptions,
    device: Device,
    precision: Precision,
    session: &'a Session,
}

impl OverAlpha<'_> {
    /// Measures the model of one α, the place of which among all is for the progress bar.
    fn measure(&self, alpha: Alphas, (index, all): (usize, usize)) -> anyhow::Result<(Alphas, SuiteResult)> {
        let what = format!("alpha {alpha} ({} of {all})", index + 1);
        let Classifier { model, head, .. } = self.run.model(&self.base, Some(alpha.clone()), &self.device)?;
        let temperature = self.base.temperature();
        let measure = |encoder: &dyn Encoder| {
            let head = self.calibration.calibrated(head, temperature, encoder, self.options, self.session)?;
            measure_suite(&what, encoder, &head, self.sets, self.options, self.session)
        };
        let result = model.with_encoder(&self.device, self.precision, measure)??.result.without_confusion();
        tracing::info!("alpha {alpha}: {} ID, {} OOD", percent(result.id.evaluation.top1), percent(result.ood_average));
        Ok((alpha, result))
    }
}

fn sweep(args: &SweepArgs, suite: &str, session: &Session) -> anyhow::Result<Sweep> {
    let grid = args.alpha.get()?;
    let source = Source::new(suite, args.dataset.root.as_deref())?;
    let precision = args.precision.resolve(session)?;
    let run = ClassificationRun::open(METHODS, &args.run)?.with_text_cache(text_cache()).with_precision(precision);
    model::warn_of_state(run.run())?;
    let sets = source.open(run.classes(), args.decode.on_error)?;
    sweep::check_out(args)?;
    let device = session.device()?;
    let options = args.decoding.over(session.embed_options(&args.decode, args.batch))?;

    let mut points = Vec::with_capacity(grid.len());
    let (mut places, mut bars) = (Vec::with_capacity(grid.len()), Vec::with_capacity(grid.len()));
    let mut columns = Vec::new();
    let base = model::base_of(run.run())?;
    let (calibrate, paths) = (args.calibrate.as_deref(), source.paths());
    let calibration = Calibration::open(calibrate, Some(&run), run.classes(), &paths, args.decode.on_error)?;
    let scene = OverAlpha { run: &run, base, sets: &sets, calibration, options: &options, device, precision, session };
    let default = run.run().default_alphas();
    let measure = |place, alphas: Alphas| Ok((alphas.clone(), scene.measure(alphas, place)?.1));
    let mut own = Vec::new();
    for (alphas, result) in sweep::over(&grid, &default, measure)? {
        columns = each(&result).map(|set| set.name.clone()).chain(averages(&result).map(|(name, _)| name)).collect();
        let (id, ood) = (result.id.evaluation.top1, result.ood_average);
        let place = FrontierPoint { alpha: alphas.single().map(Alpha::get), id, ood };
        let values =
            each(&result).map(|set| set.evaluation.top1).chain(averages(&result).map(|(_, value)| value)).collect();
        let wilson = |set: &NamedEvaluation| Interval::wilson(set.evaluation.top1, set.evaluation.n);
        let mut intervals: Vec<Interval> = each(&result).map(wilson).collect();
        let average = Interval::mean_of_independent(&intervals[1..]);
        match place.alpha {
            Some(_) => {
                places.push(place);
                bars.push((average.low, average.high));
            }
            None => own.push(place),
        }
        let second = result.second_average.iter().map(|second| {
            let kept = result.ood.iter().filter(|set| !second.without.contains(&set.name)).map(wilson);
            Interval::mean_of_independent(&kept.collect::<Vec<_>>())
        });
        let second: Vec<Interval> = second.collect();
        intervals.push(average);
        intervals.extend(second);
        points.push(Point::new(alphas, values, intervals, &Computed::new(&result, precision))?);
    }
    let id = columns.first().cloned().unwrap_or_default();
    let mut frontier = Frontier::new().method("this run", &places, default.single().map(Alpha::get)).with_bars(bars);
    if !own.is_empty() {
        frontier = frontier.method("its alpha by place", &own, None);
    }
    let frontier = frontier.chart("Up and to the right is better", &id);
    let last = sets.ood.len() + 1;
    // The average of a single set would hide its curve.
    let (drawn, emphasized) = if last == 2 { (2, 1) } else { (last + 1, last) };
    let shown = columns.iter().take(drawn).enumerate().map(|(index, name)| match index {
        0 => (format!("{name} (ID)"), true),
        _ => (name.clone(), index == emphasized),
    });
    Ok(Sweep {
        what: "Top-1 accuracy over alpha",
        on: suite.to_owned(),
        measure: "top-1 accuracy",
        main: (0, Some(last)),
        errors: "Bars: 95 % intervals from the number of images (Wilson's score; for the OOD average the sets are taken for \
                 independent). In the table as \u{b1} half of the interval.",
        facts: vec![("in distribution", 0), ("out of distribution", last)],
        series: shown.collect(),
        columns,
        points,
        default,
        selected: Vec::new(),
        more: Some((
            "In distribution against out of distribution",
            frontier,
            "Bars: 95 % intervals of the OOD average, as above.",
        )),
    })
}

fn each(result: &SuiteResult) -> impl Iterator<Item = &NamedEvaluation> {
    std::iter::once(&result.id).chain(&result.ood)
}

/// Names and values of the averages under shift.
fn averages(result: &SuiteResult) -> impl Iterator<Item = (String, f64)> {
    let second = result.second_average.as_ref();
    let second = second.map(|second| (format!("OOD average without {}", second.without.join(", ")), second.top1));
    std::iter::once(("OOD average".to_owned(), result.ood_average)).chain(second)
}

fn print_suite(result: &SuiteResult, suite: &Suite, precision: Precision, json: JsonFlag) -> anyhow::Result<()> {
    if json.json {
        output::print_json(&Computed::new(result.clone().without_confusion(), precision))
    } else {
        output::print(&suite_table(result, suite))
    }
}

/// `set, image, label, prediction, correct, score`, one row per image.
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
