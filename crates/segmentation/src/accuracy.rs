//! Classification accuracy of segments with given masks, as OVSeg measures its CLIP.

use std::sync::Arc;

use radapter_clip::model::Encoder;
use radapter_datasets::on_error::Skipped;
use radapter_datasets::prefetch::{Ahead, Prefetch};
use radapter_datasets::{Shift, SkipReport, Templates};
use radapter_embedding::EmbedOptions;
use serde::Serialize;

use crate::crop::Cropper;
use crate::data::{Labels, SegmentSet, check_size};
use crate::error::SegmentError;
use crate::regions::{ImageRegions, RegionEmbedder, embed_all};
use crate::vocabulary::Vocabulary;

/// Top-1 accuracy over segments.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SegmentAccuracy {
    /// For each label, the correctly classified segments and all segments.
    pub per_class: Vec<(usize, usize)>,
}

impl SegmentAccuracy {
    /// Returns the share of correctly classified segments among those whose label `counts`; `None` without any.
    pub fn top1(&self, counts: impl Fn(usize) -> bool) -> Option<f64> {
        let counted = self.per_class.iter().enumerate().filter(|(label, _)| counts(*label));
        let (right, all) = counted.fold((0, 0), |(right, all), (_, (r, a))| (right + r, all + a));
        (all > 0).then(|| right as f64 / all as f64)
    }

    /// Returns the mean of the per-class accuracy over the classes that `counts` and that occur; `None` without any.
    pub fn class_mean(&self, counts: impl Fn(usize) -> bool) -> Option<f64> {
        let occur = |&(label, (_, all)): &(usize, &(usize, usize))| *all > 0 && counts(label);
        let shares: Vec<f64> = self
            .per_class
            .iter()
            .enumerate()
            .filter(occur)
            .map(|(_, (right, all))| *right as f64 / *all as f64)
            .collect();
        (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
    }
}

/// Classifies every segment as the label of highest cosine. `progress` is called with the number of images done.
///
/// # Errors
/// [`SegmentError`] for an unreadable image, under `on_error = fail`, masks of another size, and embeddings that are
/// not finite.
pub fn measure(
    model: &dyn Encoder,
    set: &SegmentSet,
    labels: &Labels,
    templates: &Templates,
    cropper: &Cropper,
    options: &EmbedOptions,
    progress: &mut dyn FnMut(usize),
) -> Result<(SegmentAccuracy, Vec<Skipped>), SegmentError> {
    let vocabulary = Vocabulary::new(model, labels.texts(), templates, options.batch)?;
    let mut accuracy = SegmentAccuracy { per_class: vec![(0, 0); labels.len()] };
    let skipped = each_segment(model, set, cropper, options, progress, &mut |_, label, embedding| {
        let (right, all) = &mut accuracy.per_class[label];
        *right += usize::from(vocabulary.nearest(embedding) == label);
        *all += 1;
    })?;
    Ok((accuracy, skipped))
}

/// Segments of an image, with the image's number and their labels.
type LabelledRegions = ImageRegions<(usize, Vec<usize>)>;

/// Embeds every segment, and passes the number of its image, its label and its embedding to `take`; returns the images that were
/// skipped. `progress` is called with the number of images done.
///
/// # Errors
/// Those of [`measure`].
pub(crate) fn each_segment(
    model: &dyn Encoder,
    set: &SegmentSet,
    cropper: &Cropper,
    options: &EmbedOptions,
    progress: &mut dyn FnMut(usize),
    take: &mut dyn FnMut(usize, usize, &[f32]),
) -> Result<Vec<Skipped>, SegmentError> {
    let report = SkipReport::default();
    let images = loaded(set, options, &report);
    let embedder = RegionEmbedder::new(model, cropper, None, options.batch);
    let mut done = 0;
    embed_all(embedder, images, &mut |regions: LabelledRegions, rows| {
        let (image, labels) = &regions.payload;
        for (label, row) in labels.iter().zip(rows) {
            if let Some(row) = row {
                take(*image, *label, &row);
            }
        }
        done += 1;
        progress(done);
        Ok(())
    })?;
    Ok(report.entries())
}

/// Loads the images that have segments ahead of the model, with their numbers and labels.
fn loaded(
    set: &SegmentSet,
    options: &EmbedOptions,
    report: &SkipReport,
) -> Prefetch<Option<LabelledRegions>, SegmentError> {
    let jobs = set.by_image().into_iter().enumerate().filter(|(_, places)| !places.is_empty());
    let jobs: Vec<_> = jobs
        .map(|(image, places)| {
            let segments = places.into_iter().map(|place| set.segments[place].clone());
            (image, set.images[image].clone(), segments.collect::<Vec<_>>())
        })
        .collect();
    let EmbedOptions { limits, on_error, on_damage, threads, shift, .. } = *options;
    let report = report.clone();
    Prefetch::new(jobs, Ahead { threads, jobs: 2 * threads.max(1) }, move |(index, image, segments)| {
        let picture = image.source.load(&limits.into());
        let picture = on_error.settle_image(on_damage, &image.name, picture, &report)?;
        let Some(picture) = picture else { return Ok(None) };
        let mut masks = Vec::with_capacity(segments.len());
        for segment in &segments {
            check_size(&image.name, (segment.mask.width(), segment.mask.height()), &picture)?;
            masks.push(segment.mask.clone());
        }
        let picture = match shift {
            Some(round) => Arc::new(Shift::of(index, round).apply(&picture, &image.name)),
            None => picture,
        };
        let payload = (index, segments.iter().map(|segment| segment.label).collect());
        Ok(Some(ImageRegions { name: image.name, image: picture, masks, key: None, payload }))
    })
}
