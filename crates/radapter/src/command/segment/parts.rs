//! What segmentation needs besides a model and images: masks, crops, vocabulary, fusion.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use radapter_clip::model::Precision;
use radapter_datasets::Templates;
use radapter_datasets::on_error::Skipped;
use radapter_embedding::{EmbedOptions, Image};
use radapter_segmentation::class_list::{ClassList, Synonyms};
use radapter_segmentation::config::SegmentationSettings;
use radapter_segmentation::crop::{CropSettings, Cropper};
use radapter_segmentation::proposals::Source;
use radapter_segmentation::regions::Cache;
use radapter_segmentation::segmenter::{SegmentError, SegmentSettings, Segmented, Segmenter};
use radapter_segmentation::task::Segmentation;
use radapter_segmentation::vocabulary::Vocabulary;
use radapter_training::RunDir;
use radapter_training::finetuned::TunedModel;
use radapter_training::plan::recorded_if;

use crate::command::Session;
use crate::command::args::FusionArgs;
use crate::command::failure::{Usage, of_option};
use crate::command::text_cache::text_cache;

/// Everything but the model and the images: the source of masks, and how they become maps.
pub(in crate::command) struct Parts {
    settings: SegmentSettings,
    crop: CropSettings,
    templates: Templates,
    /// The setting of a segmentation run; `None` without one.
    pub(in crate::command) synonyms: Option<Synonyms>,
    pub(in crate::command) source: Arc<Source>,
    cache: Option<PathBuf>,
    precision: Precision,
}

/// A model and its classes.
pub(in crate::command) struct Shown<'a> {
    pub(in crate::command) model: &'a TunedModel,
    pub(in crate::command) classes: &'a ClassList,
    pub(in crate::command) synonyms: Synonyms,
    pub(in crate::command) session: &'a Session,
}

impl Parts {
    /// Resolves the flags; those not given follow a segmentation run, else the defaults.
    pub(in crate::command) fn open(
        args: &FusionArgs,
        proposals: &str,
        run: Option<&Path>,
        lambda: Option<f32>,
    ) -> anyhow::Result<Self> {
        let source = of_option("--proposals", proposals, Source::open(proposals))?;
        Self::with(args, Arc::new(source), run, lambda)
    }

    /// [`open`](Self::open) with masks from `source`.
    pub(in crate::command) fn with(
        args: &FusionArgs,
        source: Arc<Source>,
        run: Option<&Path>,
        lambda: Option<f32>,
    ) -> anyhow::Result<Self> {
        let recorded = run.map(recorded).transpose()?.flatten();
        let default = SegmentSettings::default();
        let settings = SegmentSettings {
            threshold: args.threshold,
            temperature: args.temperature,
            lambda: args.lambda.or(lambda).unwrap_or(default.lambda),
        };
        let synonyms = recorded.as_ref().map(|recorded| recorded.synonyms);
        let own = recorded.as_ref().map(|recorded| recorded.crop).unwrap_or_default();
        let crop =
            CropSettings { margin: args.margin.unwrap_or(own.margin), resize: args.resize.unwrap_or(own.resize) };
        let templates = match (&args.templates, recorded) {
            (Some(name), _) => of_option("--templates", name, Templates::resolve(name))?,
            (None, Some(recorded)) => recorded.templates,
            (None, None) => Templates::resolve("vild-14")?,
        };
        let settings = settings.validate().map_err(|error| Usage(error.to_string()))?;
        Ok(Self { settings, crop, templates, synonyms, source, cache: args.cache.clone(), precision: Precision::F32 })
    }

    /// Segments in a precision other than f32.
    pub(in crate::command) fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// Warns of ignored proposals. Called at the end, because the files of a folder are read along the way.
    pub(in crate::command) fn warn_of_notes(&self) {
        self.source.notes().iter().for_each(|note| tracing::warn!("--proposals: {note}"));
    }

    /// Segments images, with progress.
    pub(in crate::command) fn segment(
        &self,
        shown: &Shown<'_>,
        images: &[Image],
        options: &EmbedOptions,
        what: &str,
        take: &mut dyn FnMut(Segmented) -> anyhow::Result<()>,
    ) -> anyhow::Result<Vec<Skipped>> {
        let Shown { model, classes, synonyms, session } = *shown;
        let hash = match &self.cache {
            // Embeddings of another precision are others.
            Some(_) => Some(match (model.hash().context("--cache")?, self.precision) {
                (hash, Precision::F32) => hash,
                (hash, precision) => format!("{hash} {precision}"),
            }),
            None => None,
        };
        model.with_encoder(&session.device()?, self.precision, |clip| {
            let cropper = Cropper::new(clip.config(), self.crop)?;
            let texts = classes.texts(synonyms);
            let vocabulary = match text_cache() {
                Some(kept) => Vocabulary::cached(clip, &texts, &self.templates, options.batch, &kept)?,
                None => Vocabulary::new(clip, &texts, &self.templates, options.batch)?,
            };
            let cache = match (&self.cache, &hash) {
                (Some(folder), Some(hash)) => Some(Cache::open(folder, hash, clip.config().embed_dim, self.crop)?),
                _ => None,
            };
            let segmenter = Segmenter {
                model: clip,
                vocabulary: &vocabulary,
                cropper: &cropper,
                source: self.source.clone(),
                settings: self.settings,
                options: options.clone(),
                cache: cache.as_ref(),
            };
            run(&segmenter, images, session, what, take)
        })?
    }
}

/// Runs a segmenter with progress.
fn run(
    segmenter: &Segmenter<'_>,
    images: &[Image],
    session: &Session,
    what: &str,
    take: &mut dyn FnMut(Segmented) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Skipped>> {
    let progress = session.progress.start(what, "images", images.len() as u64);
    // The library passes on only the message of an error, so the error itself is kept here.
    let mut failed = None;
    let skipped = segmenter.run(images, &mut |segmented| {
        let done = segmented.index + 1;
        take(segmented).map_err(|error| {
            let message = error.to_string();
            failed = Some(error);
            message
        })?;
        progress.set(done as u64, "");
        Ok(())
    });
    match (skipped, failed) {
        (Err(SegmentError::Take(_)), Some(error)) => Err(error),
        (skipped, _) => {
            progress.finish();
            Ok(skipped?)
        }
    }
}

/// The recorded settings of a segmentation run; `None` for a run of another task.
fn recorded(run: &Path) -> anyhow::Result<Option<SegmentationSettings>> {
    let run = RunDir::open(run)?;
    Ok(recorded_if::<Segmentation>(&run, &run.record()?)?)
}
