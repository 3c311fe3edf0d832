use std::collections::HashSet;

use radapter_datasets::SkipReport;
use radapter_datasets::captions::{self, CaptionedImages, CaptionsFormat};
use radapter_datasets::shards::Shards;
use radapter_datasets::subset::hold_out;
use serde::{Deserialize, Serialize};

use super::PlanError;
use crate::config::{ResolvedRetrieval, SettingsError};
use crate::data::{PairSet, ShardPairs};

/// Which images a run validates on, by name: `split.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitRecord {
    /// The seed of the split.
    pub seed: u64,
    /// Number of training pairs in an epoch.
    pub train_pairs: usize,
    /// Number of images validated on.
    pub val_images: usize,
    /// The images held out from the training images for validation.
    pub held_out: Vec<String>,
}

/// Captions in memory.
#[derive(Clone, Debug, Default)]
pub struct TrainingCaptions {
    /// To train on.
    pub train: CaptionedImages,
    /// To validate on, if they are given apart.
    pub val: Option<CaptionedImages>,
}

/// The training pairs.
#[derive(Debug)]
pub(super) enum Pairs {
    Listed(PairSet),
    Streamed(ShardPairs),
}

/// What is trained and validated on.
pub(super) struct Sets {
    pub(super) pairs: Pairs,
    pub(super) val: Option<CaptionedImages>,
    pub(super) split: SplitRecord,
    /// Captions of the training set, to count those that are too long; none of shards that are not scanned.
    pub(super) captions: Vec<String>,
    pub(super) train_images: Option<usize>,
}

/// What is read before it is split.
enum Train {
    Listed(CaptionedImages),
    Shards(Shards),
}

/// Reads the captions, or takes those given, and holds out images where validation has none of its own.
pub(super) fn read(
    task: &ResolvedRetrieval,
    given: Option<TrainingCaptions>,
    seed: u64,
    report: &SkipReport,
) -> Result<Sets, PlanError> {
    let (train, val) = match given {
        Some(TrainingCaptions { train, val }) => (Train::Listed(train), val),
        None => (open(task, report)?, validation(task, report)?),
    };
    match train {
        Train::Listed(images) => listed(task, images, val, seed),
        Train::Shards(shards) => streamed(task, shards, val, seed),
    }
}

fn open(task: &ResolvedRetrieval, report: &SkipReport) -> Result<Train, PlanError> {
    let path = task.captions.as_deref().ok_or(PlanError::NoCaptions)?;
    let failed = |error| PlanError::Train(Box::new(error));
    let options = task.options();
    let format = match options.format {
        Some(format) => format,
        None => captions::detect(path).map_err(failed)?,
    };
    if format == CaptionsFormat::Shards {
        options.check(format).map_err(failed)?;
        let shards = Shards::open(path, task.on_error, report, options.max_captions);
        return Ok(Train::Shards(shards.map_err(|error| PlanError::Shards(Box::new(error)))?));
    }
    Ok(Train::Listed(captions::read(path, &options, task.on_error, report).map_err(failed)?))
}

fn validation(task: &ResolvedRetrieval, report: &SkipReport) -> Result<Option<CaptionedImages>, PlanError> {
    let Some((path, options)) = task.validation() else { return Ok(None) };
    let read = captions::read(path, &options, task.on_error, report);
    Ok(Some(read.map_err(|error| PlanError::Val(Box::new(error)))?))
}

fn listed(
    task: &ResolvedRetrieval,
    images: CaptionedImages,
    val: Option<CaptionedImages>,
    seed: u64,
) -> Result<Sets, PlanError> {
    if task.data.samples.value().is_some() {
        return Err(PlanError::SamplesOfAList);
    }
    let mut split = SplitRecord { seed, ..SplitRecord::default() };
    let (train, val) = match val {
        Some(val) => (images, Some(val)),
        None => {
            // All images are of one class: the split is by image, and all captions go with theirs.
            let parts = hold_out(&vec![0; images.len()], task.val_fraction, seed).map_err(SettingsError::Fraction)?;
            let val = images.subset(&parts.val);
            split.held_out = val.images.iter().map(|image| image.name.clone()).collect();
            (images.subset(&parts.train), Some(val).filter(|val| !val.is_empty()))
        }
    };
    if let [image] = train.images.as_slice() {
        let image = image.name.clone();
        return Err(PlanError::OneImage { image });
    }
    let captions = train.images.iter().flat_map(|image| image.captions.iter().cloned()).collect();
    let train_images = Some(train.len());
    let pairs = PairSet::new(train, task.data.pairs);
    Ok(Sets { pairs: Pairs::Listed(pairs), val, split, captions, train_images })
}

fn streamed(
    task: &ResolvedRetrieval,
    shards: Shards,
    val: Option<CaptionedImages>,
    seed: u64,
) -> Result<Sets, PlanError> {
    let failed = |error| PlanError::Shards(Box::new(error));
    let (which, buffer) = (task.data.pairs, task.data.shuffle_buffer);
    let mut split = SplitRecord { seed, ..SplitRecord::default() };
    if let Some(samples) = task.data.samples.value() {
        if val.is_none() && task.val_fraction > 0.0 {
            return Err(PlanError::HeldOutOfShards { fraction: task.val_fraction });
        }
        let pairs = ShardPairs::of_len(shards, which, buffer, samples);
        return Ok(Sets { pairs: Pairs::Streamed(pairs), val, split, captions: Vec::new(), train_images: None });
    }
    let images = shards.images().map_err(failed)?;
    let val = match val {
        Some(val) => Some(val),
        None => {
            let parts = hold_out(&vec![0; images.len()], task.val_fraction, seed).map_err(SettingsError::Fraction)?;
            let val = images.subset(&parts.val);
            split.held_out = val.images.iter().map(|image| image.name.clone()).collect();
            Some(val).filter(|val| !val.is_empty())
        }
    };
    let held_out: HashSet<String> = split.held_out.iter().cloned().collect();
    let train = images.images.iter().filter(|image| !held_out.contains(&image.name));
    let captions = train.flat_map(|image| image.captions.iter().cloned()).collect();
    let train_images = Some(images.len() - held_out.len());
    if train_images == Some(1) {
        let image = images.images.iter().find(|image| !held_out.contains(&image.name));
        return Err(PlanError::OneImage { image: image.map(|image| image.name.clone()).unwrap_or_default() });
    }
    let pairs = ShardPairs::counted(shards, which, buffer, held_out).map_err(failed)?;
    Ok(Sets { pairs: Pairs::Streamed(pairs), val, split, captions, train_images })
}
