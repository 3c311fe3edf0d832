//! Segments of captioned images, mined as in OVSeg (Liang et al., CVPR 2023): each noun of an image's captions gets the
//! proposal of the highest CLIP similarity.

use std::collections::BTreeSet;
use std::sync::Arc;

use burn::tensor::Device;
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::Clip;
use radapter_datasets::captions;
use radapter_datasets::prefetch::{Ahead, Prefetch};
use radapter_datasets::{CaptionedImages, DatasetError, SkipReport};
use radapter_embedding::{EmbedOptions, Image};

use super::{Labels, Segment, SegmentSet};
use crate::config::SegmentationSettings;
use crate::crop::Cropper;
use crate::error::SegmentError;
use crate::mask::Rle;
use crate::nouns::Nouns;
use crate::proposals::Source;
use crate::regions::{ImageRegions, RegionEmbedder, embed_all};
use crate::vocabulary::Vocabulary;

/// Result of mining.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Mined {
    /// The nouns that have segments.
    pub labels: Labels,
    pub set: SegmentSet,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// Mines segments with the base model. `progress` is called with the number of images done, and of all.
///
/// # Errors
/// [`SegmentError`] for captions, proposals and images that cannot be read, and for captions without nouns.
pub fn mine(
    base: &Checkpoint,
    task: &SegmentationSettings,
    device: &Device,
    options: &EmbedOptions,
    progress: &mut dyn FnMut(usize, usize),
    skipped: &SkipReport,
) -> Result<Mined, SegmentError> {
    let path = task.captions.as_deref().unwrap_or_else(|| std::path::Path::new(""));
    let captions =
        captions::read(path, &task.captions_options(), task.on_error, skipped).map_err(SegmentError::Captions)?;
    let nouns = if task.nouns.0.is_empty() { Nouns::built_in() } else { Nouns::new(&task.nouns.0) };
    let excluded: BTreeSet<usize> = task.exclude.0.iter().filter_map(|name| nouns.named(name)).collect();
    let of_image = nouns_of(&captions, &nouns, &excluded);
    let used: Vec<usize> = of_image.iter().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect();
    if used.is_empty() {
        let (images, nouns) = (captions.len(), nouns.names().len());
        return Err(DatasetError::Option(format!(
            "no caption of the {images} images has one of the {nouns} known nouns; pass other nouns with --nouns FILE"
        ))
        .into());
    }
    let labels = Labels::of_names(used.iter().map(|&noun| nouns.names()[noun].clone()).collect());
    let source = Arc::new(Source::open(&task.proposals.0)?);
    let names: Vec<Image> =
        captions.images.iter().map(|image| Image { name: image.name.clone(), source: image.source.clone() }).collect();
    source.check_names(names.iter().map(|image| image.name.as_str()))?;

    let clip = Clip::from_state(&base.config, &base.state, device)?;
    let cropper = Cropper::new(&base.config, task.crop)?;
    let vocabulary = Vocabulary::new(&clip, labels.texts(), &task.templates, options.batch)?;

    let label = |noun: &usize| used.binary_search(noun).unwrap_or_default();
    let jobs: Vec<(Image, Vec<usize>)> = names
        .into_iter()
        .zip(&of_image)
        .filter(|(_, nouns)| !nouns.is_empty())
        .map(|(image, nouns)| (image, nouns.iter().map(label).collect()))
        .collect();
    let count = jobs.len();
    let EmbedOptions { limits, on_error, on_damage, threads, .. } = *options;
    let report = skipped.clone();
    let source_notes = source.clone();
    let regions = Prefetch::new(jobs, Ahead { threads, jobs: 2 * threads.max(1) }, move |(image, labels)| {
        let picture = image.source.load(&limits.into());
        let picture = on_error.settle_image(on_damage, &image.name, picture, &report)?;
        let Some(picture) = picture else { return Ok(None) };
        let Some(proposals) = on_error.settle(&image.name, source.of(&image, &picture, None), &report)? else {
            return Ok(None);
        };
        let masks: Vec<Rle> = proposals.regions(THRESHOLD).into_iter().flatten().collect();
        let name = image.name.clone();
        Ok::<_, SegmentError>(Some(ImageRegions { name, image: picture, masks, key: None, payload: (image, labels) }))
    });

    let mut set = SegmentSet::default();
    let (mut done, mut without) = (0, 0);
    let embedder = RegionEmbedder::new(&clip, &cropper, None, options.batch);
    embed_all(embedder, regions, &mut |regions: ImageRegions<(Image, Vec<usize>)>, rows| {
        let cosines: Vec<Option<Vec<f32>>> =
            rows.iter().map(|row| row.as_deref().map(|row| vocabulary.cosines(row))).collect();
        let (image, labels) = regions.payload;
        let place = set.images.len();
        let before = set.segments.len();
        for label in labels {
            let cosine = |at: &usize| cosines[*at].as_ref().map_or(f32::NEG_INFINITY, |row| row[label]);
            // The first of equals.
            let best = (0..cosines.len()).rev().max_by(|a, b| cosine(a).total_cmp(&cosine(b)));
            if let Some(best) = best {
                set.segments.push(Segment { image: place, mask: regions.masks[best].clone(), label });
            }
        }
        without += usize::from(set.segments.len() == before);
        set.images.push(image);
        done += 1;
        progress(done, count);
        Ok(())
    })?;
    let mut notes = source_notes.notes();
    // One list may serve annotations and captions, so unknown nouns are a note and not an error.
    let unknown: Vec<&str> =
        task.exclude.0.iter().filter(|name| nouns.named(name).is_none()).map(String::as_str).collect();
    if !unknown.is_empty() {
        notes.push(format!("exclude: not among the known nouns: {}", unknown.join(", ")));
    }
    let silent = captions.len() - count;
    if silent > 0 {
        notes.push(format!(
            "{silent} of {} images have captions without any of the nouns and are skipped",
            captions.len()
        ));
    }
    if without > 0 {
        notes.push(format!("{without} images have no proposals and are skipped"));
    }
    Ok(Mined { labels, set, notes })
}

/// Probability above which a pixel of a soft mask belongs to the region.
const THRESHOLD: f32 = 0.4;

/// Returns for each image the nouns of all its captions, without duplicates.
fn nouns_of(captions: &CaptionedImages, nouns: &Nouns, excluded: &BTreeSet<usize>) -> Vec<Vec<usize>> {
    let of = |texts: &Vec<String>| {
        let found: BTreeSet<usize> = texts.iter().flat_map(|text| nouns.of(text)).collect();
        found.difference(excluded).copied().collect()
    };
    captions.images.iter().map(|image| of(&image.captions)).collect()
}
