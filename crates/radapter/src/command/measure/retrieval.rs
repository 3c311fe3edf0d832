//! Retrieval: recall at K, and sweeps over α.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use radapter_clip::model::Encoder;
use radapter_datasets::captions::{self, CaptionsOptions};
use radapter_datasets::on_error::Skipped;
use radapter_datasets::{OnError, SkipReport, Templates};
use radapter_embedding::EmbedOptions;
use radapter_report::{Interval, Table, percent};
use radapter_retrieval::embedded::Embedded;
use radapter_retrieval::gallery::{Gallery, ImageRanks};
use radapter_retrieval::recall::{Evaluation, Recalls};
use radapter_retrieval::task::Retrieval;
use radapter_training::RunDir;
use radapter_training::plan::recorded_if;

use super::Measured;
use super::sweep::{self, Point, Sweep};
use crate::command::args::{
    AlphaArg, ArchArg, CaptionsArgs, DecodeArgs, DecodingArg, DeviceBatchArg, JsonFlag, ModelArgs, ModelRef,
    PrecisionArg, SweepArgs,
};
use crate::command::failure::Usage;
use crate::command::output::Computed;
use crate::command::skipped::{report_left_out, report_skipped};
use crate::command::{Session, choice, model, output};

#[derive(Debug, Args)]
#[command(after_help = "\
Reports recall at 1, 5 and 10 and the median rank in both directions, over the full gallery. A tie with the right \
candidate counts against the model. --embeddings evaluates the embeddings of any model: a safetensors file with \
`image_embeddings`, `text_embeddings` and, in its metadata, `text_image`, a JSON list of the image index of each text.

Examples:
  radapter eval retrieval --model runs/flickr \\
      --captions dataset_flickr30k.json --images flickr30k --split test
  radapter eval retrieval --model runs/flickr --alpha 0.5 \\
      --captions pairs.tsv --json
  radapter eval retrieval --embeddings embeddings.safetensors")]
pub(super) struct EvalArgs {
    /// The model: embedded, a directory, a file with --arch, hf://OWNER/NAME[@REVISION], or a run
    #[arg(long, value_name = "MODEL", required_unless_present = "embeddings", conflicts_with = "embeddings")]
    model: Option<ModelRef>,
    #[command(flatten)]
    arch: ArchArg,
    #[command(flatten)]
    alpha: AlphaArg,
    /// Evaluate these embeddings instead of a model
    #[arg(long, value_name = "FILE.safetensors", conflicts_with_all = ["captions", "images", "captions_format", "split", "image_ids", "csv_img_key", "csv_caption_key", "csv_separator", "max_captions", "alpha", "arch", "precision"])]
    embeddings: Option<PathBuf>,
    #[command(flatten)]
    captions: CaptionsArgs,
    /// Write the ranks of each image: `image, image_to_text, text_to_image`, the last for each of its captions
    #[arg(long, value_name = "FILE.csv", conflicts_with = "embeddings")]
    per_image: Option<PathBuf>,
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
}

impl Measured for EvalArgs {
    type Task = Retrieval;
    const ABOUT: &'static str = "Recall at K of retrieving captions by images and images by captions";

    const DATA: [&'static str; 2] = ["--captions FILE --images DIR"; 2];

    fn eval(&self, session: &Session) -> anyhow::Result<()> {
        evaluate(self, session)
    }

    fn sweep(args: &SweepArgs, session: &Session) -> anyhow::Result<Option<Sweep>> {
        // Label maps have their own images.
        let has_captions = args.captions.captions.is_some() && !args.has_label_maps();
        if has_captions { sweep(args, session).map(Some) } else { Ok(None) }
    }
}

/// Images and captions to evaluate on.
struct Source {
    gallery: Gallery,
    skipped: Vec<Skipped>,
}

impl Source {
    /// Reads the images and captions of `--captions` and related flags; flags not given follow the run's training.
    fn open(args: &CaptionsArgs, on_error: OnError, trained: &Trained) -> anyhow::Result<Self> {
        let Some(path) = &args.captions else {
            return Err(Usage("give --captions: images with their captions".into()).into());
        };
        let options = CaptionsOptions {
            format: args.captions_format,
            images: args.images.clone(),
            splits: args.split.iter().flat_map(|list| list.split(',')).map(|name| name.trim().to_owned()).collect(),
            image_ids: args.image_ids.clone(),
            csv_img_key: args.csv_img_key.clone(),
            csv_caption_key: args.csv_caption_key.clone(),
            csv_separator: args.csv_separator,
            max_captions: args.max_captions.map(std::num::NonZeroUsize::get).or(trained.max_captions),
        };
        let report = SkipReport::default();
        let images = captions::read(path, &options, on_error, &report)?;
        Ok(Self { gallery: Gallery::new(&images, &trained.template), skipped: report.entries() })
    }

    /// Evaluates a model, with progress; `what` labels the bar.
    fn measure(
        &self,
        what: &str,
        clip: &dyn Encoder,
        options: &EmbedOptions,
        session: &Session,
    ) -> anyhow::Result<(Evaluation, Vec<ImageRanks>)> {
        let progress = session.progress.start(what, "images", self.gallery.images() as u64);
        let outcome = self.gallery.evaluate(clip, options, &mut |done| progress.set(done as u64, ""))?;
        progress.finish();
        report_skipped(&outcome.skipped, self.gallery.images());
        Ok((outcome.evaluation, outcome.ranks))
    }
}

fn evaluate(args: &EvalArgs, session: &Session) -> anyhow::Result<()> {
    args.per_image.as_deref().map(|path| output::check_csv("--per-image", path)).transpose()?;
    let mut precision = None;
    let evaluation = match (&args.embeddings, &args.model) {
        (Some(file), _) => {
            let embedded = Embedded::read(file)?;
            let progress = session.progress.start("ranking", "texts", embedded.texts() as u64);
            let evaluation = embedded.evaluate(&mut |done| progress.set(done as u64, ""))?;
            progress.finish();
            evaluation
        }
        (None, Some(reference)) => {
            let source = Source::open(&args.captions, args.decode.on_error, &trained(reference)?)?;
            let model = ModelArgs { model: reference.clone(), arch: args.arch.clone() };
            let resolved = args.precision.resolve(session)?;
            precision = Some(resolved);
            let model = model::open(&model, choice::alphas(&args.alpha, reference, session)?, resolved, session)?;
            report_left_out(&source.skipped);
            let options = args.decoding.over(session.embed_options(&args.decode, args.batch))?;
            let (evaluation, ranks) = source.measure("evaluating", &*model.encoder, &options, session)?;
            if let Some(path) = &args.per_image {
                output::write_file(path, &ranks_csv(&ranks).context("cannot make the CSV")?)?;
            }
            evaluation
        }
        // clap requires one of them.
        (None, None) => return Err(Usage("give --model or --embeddings".into()).into()),
    };
    match args.json.json {
        true => output::print_json(&Computed::new(&evaluation, precision)),
        false => output::print(&table(&evaluation)),
    }
}

fn sweep(args: &SweepArgs, session: &Session) -> anyhow::Result<Sweep> {
    let grid = args.alpha.get()?;
    let run = model::open_run(&args.run)?;
    let source = Source::open(&args.captions, args.decode.on_error, &trained_run(&args.run)?)?;
    sweep::check_out(args)?;
    let base = model::base_of(&run)?;
    report_left_out(&source.skipped);
    let device = session.device()?;
    let precision = args.precision.resolve(session)?;
    let options = args.decoding.over(session.embed_options(&args.decode, args.batch))?;

    let points = sweep::over(&grid, &run.default_alphas(), |(index, count), alpha| {
        let model = run.model(&base, Some(alpha.clone()), &device)?.model.encoder(&device, precision)?;
        let what = format!("alpha {alpha} ({} of {count})", index + 1);
        let (evaluation, _) = source.measure(&what, &*model, &options, session)?;
        tracing::info!("alpha {alpha}: mean recall {}", percent(evaluation.mean_recall));
        Point::new(alpha, values(&evaluation), intervals(&evaluation), &Computed::new(&evaluation, precision))
    })?;
    let columns = COLUMNS.map(str::to_owned).to_vec();
    let captions = args.captions.captions.as_deref().map(|path| path.display().to_string());
    Ok(Sweep {
        what: "Recall over alpha",
        on: captions.unwrap_or_default(),
        measure: "recall",
        main: (0, None),
        errors: "Bars: 95 % intervals (Wilson's score) from the number of images, also for captions, because those of one image \
                 are not independent; for the mean the errors of all recalls add up. In the table as \u{b1} half of the interval.",
        facts: [0, 1, 4].map(|column| (COLUMNS[column], column)).to_vec(),
        series: columns.iter().enumerate().map(|(index, name)| (name.clone(), index == 0)).collect(),
        columns,
        points,
        default: run.default_alphas(),
        selected: Vec::new(),
        more: None,
    })
}

/// `image, image_to_text, text_to_image`, one row per image; the ranks of its captions have spaces between.
fn ranks_csv(all: &[ImageRanks]) -> anyhow::Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["image", "image_to_text", "text_to_image"])?;
    for ImageRanks { image, image_to_text, text_to_image } in all {
        let of_texts: Vec<String> = text_to_image.iter().map(u32::to_string).collect();
        table.write_record([image, &image_to_text.to_string(), &of_texts.join(" ")])?;
    }
    Ok(table.into_inner().map_err(|error| error.into_error())?)
}

const COLUMNS: [&str; 7] = [
    "mean recall",
    "image to text R@1",
    "image to text R@5",
    "image to text R@10",
    "text to image R@1",
    "text to image R@5",
    "text to image R@10",
];

fn values(evaluation: &Evaluation) -> Vec<f64> {
    let three = |recalls: Recalls| [recalls.r1, recalls.r5, recalls.r10];
    let both = [three(evaluation.image_to_text), three(evaluation.text_to_image)].concat();
    std::iter::once(evaluation.mean_recall).chain(both).collect()
}

/// The sampling errors of [`values`]. Each image counts as one trial: captions of one image are not independent.
fn intervals(evaluation: &Evaluation) -> Vec<Interval> {
    let values = values(evaluation);
    let wilson = |recall: &f64| Interval::wilson(*recall, evaluation.n_images as u64);
    let recalls: Vec<Interval> = values[1..].iter().map(wilson).collect();
    std::iter::once(Interval::mean_of_dependent(&recalls)).chain(recalls).collect()
}

/// How a model saw captions in training.
struct Trained {
    template: Templates,
    /// Captions used per image, the first ones; `None` for all.
    max_captions: Option<usize>,
}

/// The captions of a retrieval run's training; for any other model all captions, without a template.
fn trained(model: &ModelRef) -> anyhow::Result<Trained> {
    match model {
        ModelRef::Path(path) if model::is_run(path) => trained_run(path),
        _ => Ok(Trained { template: bare()?, max_captions: None }),
    }
}

/// [`trained`] for a run directory.
fn trained_run(run: &Path) -> anyhow::Result<Trained> {
    let run = RunDir::open(run)?;
    let Some(task) = recorded_if::<Retrieval>(&run, &run.record()?)? else {
        return Ok(Trained { template: bare()?, max_captions: None });
    };
    let max_captions = task.max_captions.value();
    if let Some(count) = max_captions {
        tracing::info!("using the first {count} captions of each image, as in the run's training (see --max-captions)");
    }
    Ok(Trained { template: task.templates, max_captions })
}

fn bare() -> anyhow::Result<Templates> {
    Ok(Templates::from_list(vec!["{}".to_owned()])?)
}

/// The recalls as a table.
fn table(evaluation: &Evaluation) -> String {
    let Evaluation { n_images, n_texts, image_to_text, text_to_image, mean_recall } = *evaluation;
    let mut table = Table::new(&["direction", "queries>", "R@1>", "R@5>", "R@10>", "median rank>"]);
    for (name, queries, recalls) in
        [("image → text", n_images, image_to_text), ("text → image", n_texts, text_to_image)]
    {
        let Recalls { r1, r5, r10, median_rank } = recalls;
        let recalls = [r1, r5, r10].map(percent);
        table.row([name.to_owned(), queries.to_string()].into_iter().chain(recalls).chain([median_rank.to_string()]));
    }
    format!("{table}\n\nmean recall  {}", percent(mean_recall))
}
