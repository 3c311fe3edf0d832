//! The pairs and galleries of a run, read and split.

use std::collections::HashSet;
use std::path::Path;

use radapter_datasets::DatasetError;
use radapter_datasets::captions::{self, CaptionsFormat};
use radapter_datasets::shards::Shards;
use radapter_datasets::subset::hold_out;
use radapter_datasets::{CaptionedImages, SkipReport};
use radapter_images::ImageSource;
use serde::{Deserialize, Serialize};

use super::RetrievalError;
use crate::config::RetrievalSettings;
use crate::data::{PairSet, ShardPairs};

/// Split of a run: `split.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitRecord {
    /// Random seed of the split.
    pub seed: u64,
    /// Number of training pairs per epoch.
    pub train_pairs: usize,
    /// Number of validation images.
    pub val_images: usize,
    /// Names of the training images held out for validation.
    pub held_out: Vec<String>,
}

/// Captions in memory.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct TrainingCaptions {
    pub train: CaptionedImages,
    /// Validation captions, if given separately.
    pub val: Option<CaptionedImages>,
}

#[derive(Debug)]
pub(super) enum Pairs {
    Listed(PairSet),
    Streamed(ShardPairs),
}

/// Training and validation data.
pub(super) struct Sets {
    pub(super) pairs: Pairs,
    pub(super) val: Option<CaptionedImages>,
    pub(super) split: SplitRecord,
    /// Captions of the training set, to count those that are too long; empty for shards that are not scanned.
    pub(super) captions: Vec<String>,
    pub(super) train_images: Option<usize>,
    /// Notes for the user.
    pub(super) notes: Vec<String>,
}

/// Training data before the split.
enum Train {
    Listed(CaptionedImages),
    Shards(Shards),
}

/// Reads the captions, or takes the given ones, and holds out images if no validation captions are given.
pub(super) fn read(
    settings: &RetrievalSettings,
    given: Option<TrainingCaptions>,
    seed: u64,
    report: &SkipReport,
) -> Result<Sets, RetrievalError> {
    let (train, val) = match given {
        Some(TrainingCaptions { train, val }) => (Train::Listed(train), val),
        None => (open(settings, report)?, validation(settings, report)?),
    };
    match train {
        Train::Listed(images) => listed(settings, images, val, seed),
        Train::Shards(shards) => streamed(settings, shards, val, seed),
    }
}

fn open(settings: &RetrievalSettings, report: &SkipReport) -> Result<Train, RetrievalError> {
    let path = settings.captions.as_deref().ok_or(RetrievalError::NoCaptions)?;
    let failed = RetrievalError::Train;
    let options = settings.options();
    let format = match options.format {
        Some(format) => format,
        None => captions::detect(path).map_err(failed)?,
    };
    if format == CaptionsFormat::Shards {
        options.check(format).map_err(failed)?;
        let shards = Shards::open(path, settings.on_error, report, options.max_captions);
        return Ok(Train::Shards(shards.map_err(failed)?));
    }
    Ok(Train::Listed(captions::read(path, &options, settings.on_error, report).map_err(failed)?))
}

fn validation(settings: &RetrievalSettings, report: &SkipReport) -> Result<Option<CaptionedImages>, RetrievalError> {
    let Some((path, mut options)) = settings.validation() else { return Ok(None) };
    let failed = |error| match error {
        DatasetError::OtherForm { setting: "split", only, format } => {
            DatasetError::OtherForm { setting: "val_split", only, format }
        }
        DatasetError::OtherForm { setting: "image_ids", only, format } => {
            DatasetError::OtherForm { setting: "val_image_ids", only, format }
        }
        other => other,
    };
    let failed = |error| RetrievalError::Val(failed(error));
    if settings.val_captions.is_some() {
        let format = captions::detect(path).map_err(failed)?;
        options.format = Some(format);
        // The column names of the training captions do not apply to captions of another format.
        if format != CaptionsFormat::Csv {
            (options.csv_img_key, options.csv_caption_key, options.csv_separator) = (None, None, None);
        }
    }
    Ok(Some(captions::read(path, &options, settings.on_error, report).map_err(failed)?))
}

/// Returns the identity of an image: its file and the offset in it; `None` for an image in memory.
fn place(source: &ImageSource) -> Option<(&Path, u64)> {
    match source {
        ImageSource::File(path) => Some((path, 0)),
        ImageSource::Member(member) => Some((&member.file, member.offset)),
        ImageSource::Pixels(_) => None,
    }
}

/// Returns a note if images are in both sets.
fn overlap(train: &CaptionedImages, val: &CaptionedImages) -> Option<String> {
    let known: HashSet<_> = train.images.iter().filter_map(|image| place(&image.source)).collect();
    let both = val.images.iter().filter_map(|image| place(&image.source)).filter(|place| known.contains(place)).count();
    (both > 0).then(|| format!("{both} of the {} validation images are also training images", val.len()))
}

fn listed(
    settings: &RetrievalSettings,
    images: CaptionedImages,
    val: Option<CaptionedImages>,
    seed: u64,
) -> Result<Sets, RetrievalError> {
    if settings.data.samples.value().is_some() {
        return Err(RetrievalError::SamplesOfAList);
    }
    let mut split = SplitRecord { seed, ..SplitRecord::default() };
    let mut notes = Vec::new();
    let (train, val) = match val {
        // A user who names only validation splits intends to train on all others.
        Some(val) if settings.val_captions.is_none() && settings.split.0.is_empty() => {
            let known: HashSet<_> = val.images.iter().filter_map(|image| place(&image.source)).collect();
            let is_known =
                |index: &usize| place(&images.images[*index].source).is_some_and(|place| known.contains(&place));
            let rest: Vec<usize> = (0..images.len()).filter(|index| !is_known(index)).collect();
            if rest.len() < images.len() {
                notes
                    .push(format!("{} images are used for validation and not for training", images.len() - rest.len()));
            }
            (images.subset(&rest), Some(val))
        }
        Some(val) => {
            notes.extend(overlap(&images, &val));
            (images, Some(val))
        }
        None => {
            // All images have one label: the split is by image, and all captions stay with theirs.
            let parts = hold_out(&vec![0; images.len()], settings.val_fraction, seed)?;
            let val = images.subset(&parts.val);
            split.held_out = val.images.iter().map(|image| image.name.clone()).collect();
            (images.subset(&parts.train), Some(val).filter(|val| !val.is_empty()))
        }
    };
    if let [image] = train.images.as_slice() {
        let image = image.name.clone();
        return Err(RetrievalError::OneImage { image });
    }
    let captions = train.images.iter().flat_map(|image| image.captions.iter().cloned()).collect();
    let train_images = Some(train.len());
    let pairs = PairSet::new(train, settings.data.pairs);
    Ok(Sets { pairs: Pairs::Listed(pairs), val, split, captions, train_images, notes })
}

fn streamed(
    settings: &RetrievalSettings,
    shards: Shards,
    val: Option<CaptionedImages>,
    seed: u64,
) -> Result<Sets, RetrievalError> {
    let failed = RetrievalError::Train;
    let (which, buffer) = (settings.data.pairs, settings.data.shuffle_buffer);
    let mut split = SplitRecord { seed, ..SplitRecord::default() };
    if let Some(samples) = settings.data.samples.value() {
        if val.is_none() && settings.val_fraction > 0.0 {
            return Err(RetrievalError::HeldOutOfShards { fraction: settings.val_fraction });
        }
        let pairs = ShardPairs::of_len(shards, which, buffer, samples);
        let (captions, notes) = (Vec::new(), Vec::new());
        return Ok(Sets { pairs: Pairs::Streamed(pairs), val, split, captions, train_images: None, notes });
    }
    let grouped = shards.grouped().map_err(failed)?;
    let images = &grouped.images;
    let mut held_out = HashSet::new();
    let mut notes = Vec::new();
    let val = match val {
        Some(val) => {
            notes.extend(overlap(images, &val));
            Some(val)
        }
        None => {
            let parts = hold_out(&vec![0; images.len()], settings.val_fraction, seed)?;
            let val = images.subset(&parts.val);
            split.held_out = val.images.iter().map(|image| image.name.clone()).collect();
            held_out.extend(parts.val);
            Some(val).filter(|val| !val.is_empty())
        }
    };
    let train = || images.images.iter().enumerate().filter(|(place, _)| !held_out.contains(place));
    let captions = train().flat_map(|(_, image)| image.captions.iter().cloned()).collect();
    let train_images = Some(train().count());
    if train_images == Some(1) {
        let image = train().next().map(|(_, image)| image.name.clone()).unwrap_or_default();
        return Err(RetrievalError::OneImage { image });
    }
    let pairs = ShardPairs::scanned(shards, grouped, which, buffer, held_out);
    Ok(Sets { pairs: Pairs::Streamed(pairs), val, split, captions, train_images, notes })
}
