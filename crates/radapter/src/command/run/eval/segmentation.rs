//! `eval segmentation`: mIoU.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use radapter_clip::checkpoint::Checkpoint;
use radapter_datasets::label_map::write_grey;
use radapter_datasets::label_map::{self, Labelling};
use radapter_datasets::pairs::{AnnotatedImage, maps, pairs};
use radapter_embedding::{EmbedOptions, Image};
use radapter_images::ImageSource;
use radapter_report::{Table, percent};
use radapter_segmentation::class_list::{ClassList, Synonyms};
use radapter_segmentation::confusion::Confusion;
use radapter_segmentation::proposals::Source;
use radapter_segmentation::scores::Scores;
use serde::Serialize;

use crate::command::args::{AnnotatedArgs, DatasetArgs, EvalSegmentation, FusionArgs, LabelMapArgs, ModelArgs};
use crate::command::failure::Usage;
use crate::command::run::segment::{Parts, Shown, annotated, run_of, unseen};
use crate::command::skipped::report_skipped;
use crate::command::{Session, model, output};

/// Pixels of the smallest segment that ground-truth proposals have.
const MIN_AREA: usize = 64;

/// Annotated images to be measured on.
pub(in crate::command::run) struct Scene {
    pairs: Vec<AnnotatedImage>,
    pub(in crate::command::run) classes: ClassList,
    synonyms: Option<Synonyms>,
    labelling: Labelling,
    /// How label maps are read that somebody has made.
    made: Labelling,
    unseen: Vec<usize>,
    pub(in crate::command::run) lambda: Option<f32>,
}

/// What `--json` prints.
#[derive(Clone, Debug, Serialize)]
pub(in crate::command::run) struct Measured {
    pub(in crate::command::run) n_images: usize,
    #[serde(flatten)]
    pub(in crate::command::run) scores: Scores,
    /// Share of the pixels under no mask; none for maps that somebody else has made.
    pub(in crate::command::run) uncovered: Option<f64>,
}

impl Scene {
    /// What `--images`, `--annotations` and `--classes`, or `--dataset`, name; `maps` stands in the place of the images.
    pub(in crate::command::run) fn open(
        images: Option<&Path>,
        args: &LabelMapArgs,
        dataset: &DatasetArgs,
        maps_folder: Option<&Path>,
        unseen_file: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let given = annotated(images, args, dataset)?;
        let Some(annotations) = &given.annotations else {
            return Err(Usage("give --annotations, or --dataset and --root".into()).into());
        };
        let lines = given.classes.ok_or_else(|| Usage("give --classes: the name of each label, one a line".into()))?;
        let classes = ClassList::from_lines(&lines)?;
        let unseen =
            unseen_file.map(|file| unseen(&classes, file).context("--unseen")).transpose()?.unwrap_or_default();
        let labelling = Labelling::new(classes.len(), given.ignore, given.label_offset.unwrap_or(0))?;
        let mut found = match (maps_folder, &given.images) {
            (Some(folder), _) => maps(folder, annotations)?,
            (None, Some(images)) => pairs(images, annotations)?,
            (None, None) => {
                return Err(Usage("give --images, or --maps with label maps that were made before".into()).into());
            }
        };
        if let Some(list) = &given.list {
            found.keep_listed(list)?;
        }
        if found.without_annotation > 0 {
            let what = if maps_folder.is_some() { "label maps" } else { "images" };
            tracing::info!("{} {what} have no annotation and are not measured", found.without_annotation);
        }
        let made = Labelling::new(classes.len(), args.ignore, 0)?;
        let (synonyms, lambda) = (given.synonyms, given.lambda);
        Ok(Self { pairs: found.images, classes, synonyms, labelling, made, unseen, lambda })
    }

    pub(in crate::command::run) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Where `--proposals` has its masks.
    pub(in crate::command::run) fn parts(
        &self,
        fusion: &FusionArgs,
        proposals: &str,
        run: Option<&Path>,
    ) -> anyhow::Result<Parts> {
        if proposals != "ground-truth" {
            return Parts::open(fusion, proposals, run, self.lambda);
        }
        let annotations: HashMap<_, _> =
            self.pairs.iter().map(|pair| (pair.name.clone(), pair.annotation.clone())).collect();
        let source = Source::GroundTruth { annotations, labelling: self.labelling, min_area: MIN_AREA };
        Parts::with(fusion, Arc::new(source), run, self.lambda)
    }

    /// The images that are annotated.
    pub(in crate::command::run) fn images(&self) -> Vec<Image> {
        let image =
            |pair: &AnnotatedImage| Image { name: pair.name.clone(), source: ImageSource::File(pair.image.clone()) };
        self.pairs.iter().map(image).collect()
    }

    /// Measures a model; its maps are written where there is a folder for them.
    pub(in crate::command::run) fn measure(
        &self,
        what: &str,
        model: &Checkpoint,
        parts: &Parts,
        options: &EmbedOptions,
        save: Option<&Path>,
        session: &Session,
    ) -> anyhow::Result<Measured> {
        let synonyms = self.synonyms.or(parts.synonyms).unwrap_or_default();
        let shown = Shown { model, classes: &self.classes, synonyms, session };
        let mut confusion = Confusion::new(self.classes.len());
        let (mut images, mut uncovered, mut pixels) = (0, 0, 0);
        let found = self.images();
        let skipped = parts.segment(&shown, &found, options, what, &mut |segmented| {
            let pair = &self.pairs[segmented.index];
            let truth = label_map::read(&pair.annotation, &self.labelling)?;
            confusion.add(&pair.name, &truth, &segmented.map)?;
            images += 1;
            uncovered += segmented.uncovered;
            pixels += segmented.map.labels().len();
            if let Some(folder) = save {
                let path = folder.join(format!("{}.png", pair.name));
                output::make_dir(radapter_files::folder_of(&path))?;
                write_grey(&path, &segmented.map, self.classes.len())?;
            }
            Ok(())
        })?;
        report_skipped(&skipped, found.len());
        anyhow::ensure!(images > 0, "none of the {} images could be read", found.len());
        let uncovered = Some(uncovered as f64 / pixels.max(1) as f64);
        Ok(Measured { n_images: images, scores: self.scores(&confusion)?, uncovered })
    }

    /// Scores the maps that stand in the place of the images.
    fn score_maps(&self, session: &Session) -> anyhow::Result<Measured> {
        let mut confusion = Confusion::new(self.classes.len());
        let progress = session.progress.start("scoring", "maps", self.len() as u64);
        for (done, pair) in self.pairs.iter().enumerate() {
            let truth = label_map::read(&pair.annotation, &self.labelling)?;
            let prediction = label_map::read(&pair.image, &self.made)?;
            confusion.add(&pair.name, &truth, &prediction)?;
            progress.set(done as u64 + 1, "");
        }
        progress.finish();
        Ok(Measured { n_images: self.len(), scores: self.scores(&confusion)?, uncovered: None })
    }

    fn scores(&self, confusion: &Confusion) -> anyhow::Result<Scores> {
        anyhow::ensure!(
            confusion.pixels() > 0,
            "no annotated pixel is of a class: all of them are ignored, by the stored value {}{}; see --ignore and --label-offset",
            self.labelling.ignore(),
            if self.labelling.offset() > 0 { " or 0" } else { "" }
        );
        Ok(Scores::of(confusion, &self.classes.names(), &self.unseen))
    }
}

pub(super) fn run(args: &EvalSegmentation, session: &Session) -> anyhow::Result<()> {
    let AnnotatedArgs { images, label_maps } = &args.annotated;
    let scene =
        Scene::open(images.as_deref(), label_maps, &args.dataset, args.maps.as_deref(), args.unseen.as_deref())?;
    let measured = match &args.model {
        None => scene.score_maps(session)?,
        Some(reference) => {
            if let Some(folder) = &args.save_maps {
                output::check_empty_dir(folder)?;
            }
            let parts = scene.parts(&args.fusion, &args.proposals, run_of(reference))?;
            let model = ModelArgs { model: reference.clone(), arch: args.arch.clone() };
            let model = model::load(&model, args.alpha.get()?, session)?.checkpoint()?;
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
            parts.tell_notes();
            measured
        }
    };
    if args.json.json { output::print_json(&measured) } else { output::print(&table(&measured)) }
}

/// The scores for people.
fn table(measured: &Measured) -> String {
    let Measured { n_images, scores, uncovered } = measured;
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
    format!("{classes}\n\n{}", crate::command::run::aligned(&lines))
}
