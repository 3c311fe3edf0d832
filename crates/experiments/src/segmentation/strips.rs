//! Scenes of the report: image, annotation and each model's map side by side.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context as _;
use burn::tensor::Device;
use image::RgbImage;
use image::imageops::{self, FilterType};
use radapter_datasets::label_map::{IGNORED, LabelMap};
use radapter_images::DecodeOptions;
use radapter_report::{Panel, overlaid, region_labels};
use radapter_segmentation::proposals::Source;

use super::data::{Data, TestScenes};
use super::segment;
use crate::Shown;
use crate::page::png;

/// Scenes of each domain.
const SHOWN: usize = 2;
/// Magnification: scenes are small.
const ZOOM: u32 = 3;
/// Width in pixels of the smallest picture on the page.
const SHOWN_WIDTH: f64 = 150.0;

/// A scene beside its annotation and each model's map with generated masks.
pub(super) struct Strip {
    pub(super) domain: String,
    pub(super) panels: Vec<Panel>,
    /// The labels of the annotation and their share of it, largest first.
    pub(super) labels: Vec<(usize, f64)>,
}

/// What the strips show.
pub(super) const ABOUT: &str = "Scenes with their annotation and the maps of the first seed's models, with masks of the built-in \
     generator. The shares are those of the annotation.";

/// Draws strips of a few scenes of each domain.
pub(super) fn draw(models: &[Shown], data: &Data, device: &Device) -> anyhow::Result<Vec<Strip>> {
    let mut strips = Vec::new();
    for (domain, set) in &data.sets {
        let some = TestScenes {
            images: set.images.iter().take(SHOWN).cloned().collect(),
            truth: set.truth.iter().take(SHOWN).cloned().collect(),
            segments: HashMap::new(),
        };
        let mut panels: Vec<Vec<Panel>> = Vec::with_capacity(SHOWN);
        for (image, truth) in some.images.iter().zip(&some.truth) {
            let scene = image.source.load(&DecodeOptions::default())?;
            let alone =
                Panel { header: "image".to_owned(), png: png(&enlarged(&scene))?, link: None, labels: Vec::new() };
            panels.push(vec![alone, panel("annotation", &scene, truth, data.names())?]);
        }
        let source = Arc::new(generated(&some)?);
        for shown in models {
            segment(&shown.model.checkpoint, data, &some, source.clone(), device, &mut |segmented| {
                let panel = panel(shown.method.title(), &segmented.image, &segmented.map, data.names())?;
                panels[segmented.index].push(panel);
                Ok(())
            })?;
        }
        for (panels, truth) in panels.into_iter().zip(&some.truth) {
            strips.push(Strip { domain: domain.clone(), panels, labels: shares(truth, data.names().len()) });
        }
    }
    Ok(strips)
}

/// A scene under a label map, with the names of its regions.
fn panel(header: &str, scene: &RgbImage, map: &LabelMap, names: &[String]) -> anyhow::Result<Panel> {
    let large = enlarged_map(map).context("a label map has as many labels as pixels")?;
    let labels = region_labels(map, names, SHOWN_WIDTH);
    // No link, as for the scene: both are drawn in memory and are in the page in full.
    Ok(Panel { header: header.to_owned(), png: png(&overlaid(&enlarged(scene), &large))?, link: None, labels })
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

/// A map in which each pixel of `map` is a square, so that outlines stay thin.
fn enlarged_map(map: &LabelMap) -> Option<LabelMap> {
    let zoom = ZOOM as usize;
    let (width, height) = (zoom * map.width(), zoom * map.height());
    let label = |at: usize| map.labels()[at / width / zoom * map.width() + at % width / zoom];
    LabelMap::new(width, height, (0..width * height).map(label).collect())
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
