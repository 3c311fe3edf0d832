//! Segmentation: mIoU, and sweeps over α.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use radapter_datasets::OnError;
use radapter_datasets::SkipReport;
use radapter_datasets::label_map::{self, LabelMap, Labelling, write_grey};
use radapter_datasets::pairs::{AnnotatedImage, maps, pairs};
use radapter_embedding::{EmbedOptions, Image};
use radapter_images::{DecodeOptions, ImageSource};
use radapter_report::{Table, percent};
use radapter_segmentation::class_list::{ClassList, Synonyms};
use radapter_segmentation::confusion::Confusion;
use radapter_segmentation::proposals::Source;
use radapter_segmentation::scores::Scores;
use radapter_segmentation::task::Segmentation;
use radapter_training::finetuned::TunedModel;
use serde::Serialize;

use super::sweep::{self, Point, Sweep};
use crate::command::args::{
    AlphaArg, AnnotatedArgs, ArchArg, DamageArg, DatasetArgs, DecodeArgs, DeviceBatchArg, FusionArgs, JsonFlag,
    LabelMapArgs, ModelArgs, ModelRef, PrecisionArg, SweepArgs,
};
use crate::command::failure::{Usage, of_option};
use crate::command::output::Computed;
use crate::command::segment::{Parts, Shown, annotated, run_of, unseen};
use crate::command::skipped::report_skipped;
use crate::command::{Session, choice, model, output};

/// `eval segmentation`.
#[derive(Debug, Args)]
#[command(after_help = "\
Uses one confusion matrix over the whole set; mIoU is the mean over the classes that occur in annotations or \
predictions. --maps scores the label maps of any model: <stem>.png (or .tif) with class indices.

--proposals: `builtin` (graph-based, no weights), `ground-truth` (the annotations' own segments: the upper bound), or \
a path: COCO results JSON, or a folder of JSON files (as SAM writes them), of id maps (.png), or of .npz or \
.safetensors files with `masks [Q,h,w]` logits and optional `scores [Q,K+1]` logits (as MaskFormer gives them).

Examples:
  radapter eval segmentation --model runs/street --images images/val \\
      --annotations annotations/val --classes classes.txt
  radapter eval segmentation --model runs/street --alpha 0 \\
      --images images/val --annotations annotations/val \\
      --classes classes.txt --unseen unseen.txt --proposals ground-truth \\
      --json
  radapter eval segmentation --model clip-b16 --dataset ade20k-150 \\
      --root /data --proposals maskformer
  radapter eval segmentation --maps predictions \\
      --annotations annotations/val --classes classes.txt")]
pub(super) struct EvalArgs {
    /// The model: embedded, a directory, a file with --arch, hf://OWNER/NAME[@REVISION], or a run
    #[arg(long, value_name = "MODEL", required_unless_present = "maps", conflicts_with = "maps")]
    model: Option<ModelRef>,
    #[command(flatten)]
    arch: ArchArg,
    #[command(flatten)]
    alpha: AlphaArg,
    /// Score these label maps instead of a model's
    #[arg(long, value_name = "DIR", conflicts_with_all = ["images", "save_maps", "alpha", "arch", "precision", "proposals", "synonyms", "templates", "threshold", "temperature", "lambda", "margin", "resize", "cache"])]
    maps: Option<PathBuf>,
    #[command(flatten)]
    annotated: AnnotatedArgs,
    #[command(flatten)]
    dataset: DatasetArgs,
    /// Classes that were not trained on, whose mIoU is reported separately: a file with one per line or a JSON list, or names with
    /// commas between
    #[arg(long, value_name = "FILE|LIST")]
    unseen: Option<PathBuf>,
    /// The source of masks (see below)
    #[arg(long, value_name = "builtin|ground-truth|PATH", default_value = "builtin")]
    proposals: String,
    #[command(flatten)]
    fusion: FusionArgs,
    /// Write the predicted label maps: PNG of class indices, 8 bits up to 254 classes, else 16
    #[arg(long, value_name = "DIR")]
    save_maps: Option<PathBuf>,
    /// Write the pixels of each class in each image: `image, class, intersection, truth, predicted`
    #[arg(long, value_name = "FILE.csv")]
    per_image: Option<PathBuf>,
    #[command(flatten)]
    decode: DecodeArgs,
    #[command(flatten)]
    batch: DeviceBatchArg,
    #[command(flatten)]
    precision: PrecisionArg,
    #[command(flatten)]
    json: JsonFlag,
}

impl super::Measured for EvalArgs {
    type Task = Segmentation;
    const ABOUT: &'static str = "mIoU of open-vocabulary segmentation, or of any label maps";

    const DATA: [&'static str; 2] = ["--images DIR --annotations DIR --classes FILE"; 2];

    fn eval(&self, session: &Session) -> anyhow::Result<()> {
        evaluate(self, session)
    }

    fn sweep(args: &SweepArgs, session: &Session) -> anyhow::Result<Option<Sweep>> {
        if args.has_label_maps() { sweep(args, session).map(Some) } else { Ok(None) }
    }
}

/// Minimum area of a ground-truth proposal, in pixels.
const MIN_AREA: usize = 64;

/// Annotated images to evaluate on.
struct Scene {
    pairs: Vec<AnnotatedImage>,
    on_error: OnError,
    classes: ClassList,
    synonyms: Option<Synonyms>,
    labelling: Labelling,
    /// How the label maps of `--maps` are read.
    made: Labelling,
    unseen: Vec<usize>,
    lambda: Option<f32>,
}

/// What `--json` prints.
#[derive(Clone, Debug, Serialize)]
struct Measured {
    n_images: usize,
    #[serde(flatten)]
    scores: Scores,
    /// Share of the pixels under no mask; `None` for `--maps`.
    uncovered: Option<f64>,
    /// The pixels of each image.
    #[serde(skip)]
    images: Vec<(String, Vec<ClassPixels>)>,
}

impl Scene {
    /// Opens `--images`, `--annotations` and `--classes`, or `--dataset`. `maps_folder` replaces the images.
    fn open(
        images: Option<&Path>,
        args: &LabelMapArgs,
        dataset: &DatasetArgs,
        maps_folder: Option<&Path>,
        unseen_file: Option<&Path>,
        on_error: OnError,
    ) -> anyhow::Result<Self> {
        let given = annotated(images, args, dataset)?;
        let Some(annotations) = &given.annotations else {
            return Err(Usage("give --annotations, or --dataset and --root".into()).into());
        };
        let lines =
            given.classes.ok_or_else(|| Usage("give --classes: the name of each label, one per line".into()))?;
        let classes = ClassList::from_lines(&lines)?;
        let unseen = unseen_file
            .map(|file| of_option("--unseen", file, unseen(&classes, file)))
            .transpose()?
            .unwrap_or_default();
        let labelling = Labelling::new(classes.len(), given.ignore, given.label_offset.unwrap_or(0))?;
        let mut found = match (maps_folder, &given.images) {
            (Some(folder), _) => maps(folder, annotations, on_error)?,
            (None, Some(images)) => pairs(images, annotations, on_error)?,
            (None, None) => {
                return Err(Usage("give --images, or --maps with existing label maps".into()).into());
            }
        };
        if let Some(list) = &given.list {
            found.keep_listed(list)?;
        }
        if found.without_annotation > 0 {
            let what = if maps_folder.is_some() { "label maps" } else { "images" };
            tracing::info!("{} {what} have no annotation and are left out", found.without_annotation);
        }
        let made = Labelling::new(classes.len(), args.ignore, 0)?;
        let (synonyms, lambda) = (given.synonyms, given.lambda);
        let pairs = found.images;
        Ok(Self { pairs, on_error, classes, synonyms, labelling, made, unseen, lambda })
    }

    fn len(&self) -> usize {
        self.pairs.len()
    }

    /// The settings of segmentation, with the masks of `--proposals`.
    fn parts(&self, fusion: &FusionArgs, proposals: &str, run: Option<&Path>) -> anyhow::Result<Parts> {
        if proposals != "ground-truth" {
            return Parts::open(fusion, proposals, run, self.lambda);
        }
        let annotations: HashMap<_, _> =
            self.pairs.iter().map(|pair| (pair.name.clone(), pair.annotation.clone())).collect();
        let source = Source::GroundTruth { annotations, labelling: self.labelling, min_area: MIN_AREA };
        Parts::with(fusion, Arc::new(source), run, self.lambda)
    }

    /// The annotated images.
    fn images(&self) -> Vec<Image> {
        let image =
            |pair: &AnnotatedImage| Image { name: pair.name.clone(), source: ImageSource::File(pair.image.clone()) };
        self.pairs.iter().map(image).collect()
    }

    /// Evaluates a model, and writes its label maps into `save` if given.
    fn measure(
        &self,
        what: &str,
        model: &TunedModel,
        parts: &Parts,
        options: &EmbedOptions,
        save: Option<&Path>,
        session: &Session,
    ) -> anyhow::Result<Measured> {
        let synonyms = self.synonyms.or(parts.synonyms).unwrap_or_default();
        let shown = Shown { model, classes: &self.classes, synonyms, session };
        let mut tally = Tally::new(self.classes.len());
        let (mut uncovered, mut pixels) = (0, 0);
        let found = self.images();
        let report = SkipReport::default();
        let mut skipped = parts.segment(&shown, &found, options, what, &mut |segmented| {
            let pair = &self.pairs[segmented.index];
            let truth = label_map::read(&pair.annotation, &self.labelling);
            let Some(truth) = self.on_error.settle(&pair.name, truth, &report)? else { return Ok(()) };
            tally.add(&pair.name, &truth, &segmented.map)?;
            uncovered += segmented.uncovered;
            pixels += segmented.map.labels().len();
            if let Some(folder) = save {
                let path = folder.join(format!("{}.png", pair.name));
                output::make_dir(radapter_files::folder_of(&path))?;
                write_grey(&path, &segmented.map, self.classes.len())?;
            }
            Ok(())
        })?;
        skipped.extend(report.entries());
        report_skipped(&skipped, found.len());
        anyhow::ensure!(!tally.images.is_empty(), "none of the {} images could be read", found.len());
        self.measured(tally, Some(uncovered as f64 / pixels.max(1) as f64))
    }

    /// Scores the label maps of `--maps`.
    fn score_maps(&self, session: &Session) -> anyhow::Result<Measured> {
        let mut tally = Tally::new(self.classes.len());
        let progress = session.progress.start("scoring", "maps", self.len() as u64);
        let report = SkipReport::default();
        for (done, pair) in self.pairs.iter().enumerate() {
            let truth = label_map::read(&pair.annotation, &self.labelling);
            let both = truth.and_then(|truth| Ok((truth, label_map::read(&pair.image, &self.made)?)));
            if let Some((truth, prediction)) = self.on_error.settle(&pair.name, both, &report)? {
                tally.add(&pair.name, &truth, &prediction)?;
            }
            progress.set(done as u64 + 1, "");
        }
        progress.finish();
        report_skipped(&report.entries(), self.len());
        self.measured(tally, None)
    }

    fn measured(&self, tally: Tally, uncovered: Option<f64>) -> anyhow::Result<Measured> {
        let Tally { confusion, images } = tally;
        anyhow::ensure!(
            confusion.pixels() > 0,
            "all annotated pixels are ignored, by the stored value {}{}; check --ignore and --label-offset",
            self.labelling.ignore(),
            if self.labelling.offset() > 0 { " or 0" } else { "" }
        );
        let scores = Scores::of(&confusion, &self.classes.names(), &self.unseen);
        Ok(Measured { n_images: images.len(), scores, uncovered, images })
    }
}

/// The pixels of a class in an image.
#[derive(Clone, Copy, Debug)]
struct ClassPixels {
    class: usize,
    intersection: u64,
    truth: u64,
    predicted: u64,
}

/// The pixels of all images, and of each.
struct Tally {
    confusion: Confusion,
    images: Vec<(String, Vec<ClassPixels>)>,
}

impl Tally {
    fn new(classes: usize) -> Self {
        Self { confusion: Confusion::new(classes), images: Vec::new() }
    }

    fn add(&mut self, name: &str, truth: &LabelMap, prediction: &LabelMap) -> anyhow::Result<()> {
        let mut own = Confusion::new(self.confusion.classes());
        own.add(name, truth, prediction)?;
        let classes = (0..own.classes()).map(|class| ClassPixels {
            class,
            intersection: own.at(class, class),
            truth: own.of_truth(class),
            predicted: own.of_prediction(class),
        });
        self.images.push((name.to_owned(), classes.filter(|of| of.truth + of.predicted > 0).collect()));
        self.confusion.merge(&own);
        Ok(())
    }
}

/// `image, class, intersection, truth, predicted`, in pixels; a row for each class that occurs in an image.
fn pixels_csv(images: &[(String, Vec<ClassPixels>)]) -> anyhow::Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["image", "class", "intersection", "truth", "predicted"])?;
    for (name, classes) in images {
        for &ClassPixels { class, intersection, truth, predicted } in classes {
            let counts = [class as u64, intersection, truth, predicted].map(|count| count.to_string());
            table.write_record(std::iter::once(name).chain(&counts))?;
        }
    }
    Ok(table.into_inner().map_err(|error| error.into_error())?)
}

fn evaluate(args: &EvalArgs, session: &Session) -> anyhow::Result<()> {
    args.per_image.as_deref().map(|path| output::check_csv("--per-image", path)).transpose()?;
    let AnnotatedArgs { images, label_maps } = &args.annotated;
    let scene = Scene::open(
        images.as_deref(),
        label_maps,
        &args.dataset,
        args.maps.as_deref(),
        args.unseen.as_deref(),
        args.decode.on_error,
    )?;
    let mut precision = None;
    let measured = match &args.model {
        None => scene.score_maps(session)?,
        Some(reference) => {
            if let Some(folder) = &args.save_maps {
                output::check_empty_dir(folder)?;
            }
            let resolved = args.precision.resolve(session)?;
            precision = Some(resolved);
            let parts = scene.parts(&args.fusion, &args.proposals, run_of(reference))?.with_precision(resolved);
            let model = ModelArgs { model: reference.clone(), arch: args.arch.clone() };
            let model = model::load(&model, choice::alphas(&args.alpha, reference, session)?, resolved, session)?.model;
            let options = session.embed_options(&args.decode, args.batch);
            let measure = |save: Option<&Path>| scene.measure("segmenting", &model, &parts, &options, save, session);
            let measured = match &args.save_maps {
                None => measure(None)?,
                Some(folder) => {
                    let mut measured = None;
                    output::write_dir(folder, |dir| {
                        measured = Some(measure(Some(dir))?);
                        Ok(())
                    })?;
                    measured.context("nothing was measured")?
                }
            };
            parts.warn_of_notes();
            measured
        }
    };
    if let Some(path) = &args.per_image {
        output::write_file(path, &pixels_csv(&measured.images).context("cannot make the CSV")?)?;
    }
    match args.json.json {
        true => output::print_json(&Computed::new(&measured, precision)),
        false => output::print(&table(&measured)),
    }
}

fn sweep(args: &SweepArgs, session: &Session) -> anyhow::Result<Sweep> {
    if args.decoding.is_given() {
        return Err(Usage(
            "--decode and --pixel-cache do not apply to segmentation, whose masks cover whole images; omit them".into(),
        )
        .into());
    }
    let grid = args.alpha.get()?;
    let run = model::open_run(&args.run)?;
    let images = args.captions.images.as_deref();
    let scene =
        Scene::open(images, &args.label_maps, &args.dataset, None, args.unseen.as_deref(), args.decode.on_error)?;
    let precision = args.precision.resolve(session)?;
    let parts = scene.parts(&args.fusion, &args.proposals, Some(&args.run))?;
    sweep::check_out(args)?;
    let base = model::base_of(&run)?;
    let device = session.device()?;
    let options = session.embed_options(&args.decode, args.batch);
    // Masks do not depend on α, so slow ones are computed once.
    let parts = match &*parts.source {
        Source::Builtin(_) => Parts::with(
            &args.fusion,
            Arc::new(made_once(&scene, &parts, args, session)?),
            Some(&args.run),
            scene.lambda,
        )?,
        _ => parts,
    }
    .with_precision(precision);

    let has_unseen = args.unseen.is_some();
    let points = sweep::over(&grid, &run.default_alphas(), |(index, count), alpha| {
        let model = run.model(&base, Some(alpha.clone()), &device)?.model;
        let what = format!("alpha {alpha} ({} of {count})", index + 1);
        let measured = scene.measure(&what, &model, &parts, &options, None, session)?;
        tracing::info!("alpha {alpha}: mIoU {}", percent(measured.scores.miou));
        Point::new(alpha, values(&measured, has_unseen), Vec::new(), &Computed::new(&measured, precision))
    })?;
    parts.warn_of_notes();
    let columns: Vec<String> = COLUMNS[..if has_unseen { 5 } else { 2 }].iter().map(|&name| name.to_owned()).collect();
    Ok(Sweep {
        what: "Segmentation over alpha",
        on: on(args),
        measure: "mIoU or accuracy",
        main: (0, None),
        errors: "No error bars: IoU is no share of independent trials, and pixels of one image are not independent.",
        facts: vec![("mIoU", 0), ("pixel accuracy", 1)],
        series: columns.iter().enumerate().map(|(index, name)| (name.clone(), index == 0)).collect(),
        columns,
        points,
        default: run.default_alphas(),
        selected: Vec::new(),
        more: None,
    })
}

const COLUMNS: [&str; 5] = ["mIoU", "pixel accuracy", "mIoU seen", "mIoU unseen", "harmonic mean"];

fn values(measured: &Measured, has_unseen: bool) -> Vec<f64> {
    let scores = &measured.scores;
    let mut values = vec![scores.miou, scores.pixel_accuracy];
    if has_unseen {
        let parts = [scores.seen_miou, scores.unseen_miou, scores.harmonic_miou];
        values.extend(parts.map(|value| value.unwrap_or(0.0)));
    }
    values
}

/// The name of the evaluated data.
fn on(args: &SweepArgs) -> String {
    let folder = args.label_maps.annotations.as_deref().map(|path| path.display().to_string());
    folder.or(args.dataset.dataset.clone()).unwrap_or_default()
}

/// Computes the masks of all images.
fn made_once(scene: &Scene, parts: &Parts, args: &SweepArgs, session: &Session) -> anyhow::Result<Source> {
    use rayon::prelude::*;

    let images = scene.images();
    let progress = session.progress.start("making masks", "images", images.len() as u64);
    let report = SkipReport::default();
    let mut known = HashMap::with_capacity(images.len());
    for some in images.chunks(64) {
        let of = |image: &radapter_embedding::Image| {
            let DecodeArgs { on_error, damage: DamageArg { on_damage } } = args.decode;
            let picture = image.source.load(&DecodeOptions::default());
            let picture = on_error.settle_image(on_damage, &image.name, picture, &report)?;
            let Some(picture) = picture else { return Ok(None) };
            Ok::<_, anyhow::Error>(Some((image.name.clone(), parts.source.of(image, &picture, None)?)))
        };
        let made = some.par_iter().map(of).collect::<Result<Vec<_>, _>>()?;
        known.extend(made.into_iter().flatten());
        progress.set(known.len() as u64, "");
    }
    progress.finish();
    Ok(Source::Known(known))
}

/// The scores as a table.
fn table(measured: &Measured) -> String {
    let Measured { n_images, scores, uncovered, .. } = measured;
    let mut classes = Table::new(&["label>", "class", "IoU>"]);
    for class in &scores.per_class {
        let iou = class.iou.map_or("does not occur".to_owned(), percent);
        classes.row([class.label.to_string(), class.name.clone(), iou]);
    }
    let mut lines = vec![
        ("images", n_images.to_string()),
        ("mIoU", percent(scores.miou)),
        ("frequency-weighted IoU", percent(scores.fwiou)),
        ("pixel accuracy", percent(scores.pixel_accuracy)),
        ("mean accuracy", percent(scores.mean_accuracy)),
    ];
    let parts = [
        ("mIoU seen", scores.seen_miou),
        ("mIoU unseen", scores.unseen_miou),
        ("harmonic mean", scores.harmonic_miou),
        ("pixels under no mask", *uncovered),
    ];
    lines.extend(parts.into_iter().filter_map(|(name, value)| Some((name, percent(value?)))));
    format!("{classes}\n\n{}", output::aligned(&lines))
}
