//! Scenes of the report: image, annotation and each model's map side by side.

use std::collections::HashMap;
use std::sync::Arc;

use burn::tensor::Device;
use image::RgbImage;
use image::imageops::{self, FilterType};
use radapter_clip::checkpoint::Checkpoint;
use radapter_datasets::label_map::{IGNORED, LabelMap};
use radapter_images::DecodeOptions;
use radapter_report::{paint_labels, side_by_side};
use radapter_segmentation::proposals::Source;

use super::data::{Data, TestScenes};
use super::segment;
use crate::page::png;

/// Scenes of each domain.
const SHOWN: usize = 2;
/// Magnification: scenes are small.
const ZOOM: u32 = 2;
/// Pixels between images.
const GAP: u32 = 6;

/// A scene beside its annotation and each model's map with generated masks.
pub(super) struct Strip {
    pub(super) domain: String,
    pub(super) png: Vec<u8>,
    /// The labels of the annotation and their share of it, largest first.
    pub(super) labels: Vec<(usize, f64)>,
}

/// Caption of the strips.
pub(super) const COLUMNS: &str = "From left to right: the scene, its annotation, and the maps of zero-shot, full fine-tuning and \
     R-Adapter at alpha 0.4 of the first seed, with masks of the built-in generator.";

/// Draws strips of a few scenes of each domain.
pub(super) fn draw(models: &[&Checkpoint], data: &Data, device: &Device) -> anyhow::Result<Vec<Strip>> {
    let mut strips = Vec::new();
    for (domain, set) in &data.sets {
        let some = TestScenes {
            images: set.images.iter().take(SHOWN).cloned().collect(),
            truth: set.truth.iter().take(SHOWN).cloned().collect(),
            segments: HashMap::new(),
        };
        let mut images: Vec<Vec<RgbImage>> = Vec::with_capacity(SHOWN);
        for (image, truth) in some.images.iter().zip(&some.truth) {
            images.push(vec![(*image.source.load(&DecodeOptions::default())?).clone(), paint_labels(truth)]);
        }
        let source = Arc::new(generated(&some)?);
        for model in models {
            segment(model, data, &some, source.clone(), device, &mut |segmented| {
                images[segmented.index].push(paint_labels(&segmented.map));
                Ok(())
            })?;
        }
        for (images, truth) in images.iter().zip(&some.truth) {
            let large: Vec<RgbImage> = images.iter().map(enlarged).collect();
            strips.push(Strip {
                domain: domain.clone(),
                png: png(&side_by_side(&large, GAP))?,
                labels: shares(truth, data.names().len()),
            });
        }
    }
    Ok(strips)
}

/// The masks of a set from the built-in generator, by the images' names.
fn generated(set: &TestScenes) -> anyhow::Result<Source> {
    let source = Source::Builtin(Default::default());
    let mut known = HashMap::with_capacity(set.images.len());
    for image in &set.images {
        let pixels = image.source.load(&DecodeOptions::default())?;
        known.insert(image.name.clone(), source.of(image, &pixels, None)?);
    }
    Ok(Source::Known(known))
}

fn enlarged(image: &RgbImage) -> RgbImage {
    imageops::resize(image, ZOOM * image.width(), ZOOM * image.height(), FilterType::Nearest)
}

fn shares(truth: &LabelMap, labels: usize) -> Vec<(usize, f64)> {
    let mut pixels = vec![0_usize; labels];
    truth.labels().iter().filter(|label| **label != IGNORED).for_each(|label| pixels[usize::from(*label)] += 1);
    let share = |(label, pixels): (usize, usize)| (label, pixels as f64 / truth.labels().len() as f64);
    let mut shares: Vec<(usize, f64)> =
        pixels.into_iter().enumerate().filter(|(_, pixels)| *pixels > 0).map(share).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares
}
