use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::Clip;
use radapter_datasets::Templates;
use radapter_embedding::EmbedOptions;
use radapter_images::DecodeOptions;
use radapter_segmentation::confusion::Confusion;
use radapter_segmentation::crop::{CropSettings, Cropper};
use radapter_segmentation::plan::{Plan, Preparation};
use radapter_segmentation::proposals::Source;
use radapter_segmentation::scores::Scores;
use radapter_segmentation::segmenter::{SegmentSettings, Segmented, Segmenter};
use radapter_segmentation::vocabulary::Vocabulary;
use radapter_training::{Report, RunOptions};

use super::super::comparison::{Compared, Comparison, Figures, SceneBudget};
use super::super::method::{finished, settings};
use super::super::{Ears, LearningRates, Method};
use super::CLAIMED_ALPHA;
use super::data::{Data, TestScenes};

/// Trains into a folder that holds no run.
///
/// # Errors
/// What the plan and the training give, and an interruption.
pub fn train(
    method: Method,
    lr: f64,
    seed: u64,
    base: &Checkpoint,
    data: &Data,
    budget: &SceneBudget,
    options: RunOptions,
) -> anyhow::Result<Report> {
    let settings = settings(method, "image", lr, seed, budget.steps, budget.batch_size)?;
    let mut preparation = Preparation { device: options.device.clone(), progress: &mut |_, _| {} };
    let plan = Plan::new(base.clone(), &settings, Some(data.training.clone()), &mut preparation)?;
    finished(plan.train(options)?.outcome, method, seed)
}

/// Trains and measures both methods for all seeds; runs go into `runs`. The figures are mIoU.
///
/// # Errors
/// What training and measuring give, and an interruption.
pub fn compare(
    base: &Checkpoint,
    data: &Data,
    budget: &SceneBudget,
    rates: &LearningRates,
    runs: &Path,
    device: &Device,
    ears: &Ears,
) -> anyhow::Result<Compared> {
    Comparison { base, rates, budget, claimed: CLAIMED_ALPHA, runs, device, ears }
        .run(&|method, lr, seed, options| train(method, lr, seed, base, data, budget, options), &|model| {
            measure(model, data, device)
        })
}

/// mIoU on each domain, of all classes and of those that were kept apart.
fn measure(model: &Checkpoint, data: &Data, device: &Device) -> anyhow::Result<Figures> {
    let mut found = Vec::with_capacity(data.sets.len());
    for (name, set) in &data.sets {
        let mut confusion = Confusion::new(data.names().len());
        segment(model, data, set, Arc::new(Source::Known(set.segments.clone())), device, &mut |segmented| {
            confusion.add(&segmented.name, &set.truth[segmented.index], &segmented.map)?;
            Ok(())
        })?;
        let scores = Scores::of(&confusion, data.names(), &data.unseen);
        found.push((name.clone(), scores.miou, scores.unseen_miou.unwrap_or(0.0)));
    }
    let (_, id, unseen_id) = found.remove(0);
    let unseen_ood = found.iter().map(|(_, _, unseen)| unseen).sum::<f64>() / found.len().max(1) as f64;
    let ood: std::collections::BTreeMap<_, _> = found.into_iter().map(|(name, miou, _)| (name, miou)).collect();
    Ok(Figures { id, ood, unseen: Some((unseen_id, unseen_ood)) })
}

/// The maps of a model with masks from anywhere, each handed on.
pub(super) fn segment(
    model: &Checkpoint,
    data: &Data,
    set: &TestScenes,
    source: Arc<Source>,
    device: &Device,
    take: &mut dyn FnMut(Segmented) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let clip = Clip::from_state(&model.config, &model.state, device)?;
    let options = EmbedOptions::default();
    let cropper = Cropper::new(&model.config, CropSettings::default())?;
    let vocabulary =
        Vocabulary::new(&clip, data.training.labels.texts(), &Templates::resolve("vild-14")?, options.batch)?;
    // The embedded model's own scale: 0.01 would be sharper than it ever was.
    let settings = SegmentSettings { temperature: model.temperature() as f32, ..SegmentSettings::default() };
    let segmenter =
        Segmenter { model: &clip, vocabulary: &vocabulary, cropper: &cropper, source, settings, options, cache: None };
    segmenter.run(&set.images, &mut |segmented| take(segmented).map_err(Into::into))?;
    Ok(())
}

/// The masks of a set by its images' names, from the built-in generator.
pub(super) fn made(set: &TestScenes) -> anyhow::Result<Source> {
    let source = Source::Builtin(Default::default());
    let mut known = HashMap::with_capacity(set.images.len());
    for image in &set.images {
        let picture = image.source.load(&DecodeOptions::default())?;
        known.insert(image.name.clone(), source.of(image, &picture, None)?);
    }
    Ok(Source::Known(known))
}
