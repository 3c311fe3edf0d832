use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use image::imageops::{self, FilterType};
use image::{ImageFormat, RgbImage};
use radapter_clip::checkpoint::Checkpoint;
use radapter_datasets::label_map::{IGNORED, LabelMap};
use radapter_images::DecodeOptions;
use radapter_training::finetuned::FineTunedRun;

use super::super::Method;
use super::compare::{made, segment};
use super::data::{Data, TestScenes};
use crate::command::report::{beside, painted};

/// Scenes shown of each domain.
const SHOWN: usize = 2;
/// How much larger than it is a scene is shown.
const ZOOM: u32 = 2;
/// Pixels between pictures.
const GAP: u32 = 6;

/// The models whose maps are shown, under their names.
pub(super) struct Models(Vec<(&'static str, Checkpoint)>);

impl Models {
    /// Zero-shot, full fine-tuning and R-Adapter of one seed.
    pub(super) fn open(
        base: &Checkpoint,
        runs: &Path,
        seed: u64,
        merged: &Checkpoint,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let full = FineTunedRun::open(runs.join(format!("{}-{seed}", Method::FullFineTuning)))?;
        Ok(Self(vec![
            ("zero-shot", base.clone()),
            ("full fine-tuning", full.model(base, None, device)?.checkpoint),
            ("R-Adapter", merged.clone()),
        ]))
    }
}

/// A scene beside its annotation and each model's map on built-in masks.
pub(super) struct Strip {
    pub(super) domain: String,
    pub(super) png: Vec<u8>,
    /// The labels of the annotation and their share of it, the largest first.
    pub(super) labels: Vec<(usize, f64)>,
}

/// What a strip shows, from left to right.
pub(super) const COLUMNS: &str = "From left to right: the scene, its annotation, and the maps of zero-shot, full fine-tuning and \
     R-Adapter at alpha 0.4 of the first seed, with masks of the built-in generator.";

/// Some scenes of each domain.
pub(super) fn draw(models: &Models, data: &Data, device: &Device) -> anyhow::Result<Vec<Strip>> {
    let mut strips = Vec::new();
    for (domain, set) in &data.sets {
        let some = TestScenes {
            images: set.images.iter().take(SHOWN).cloned().collect(),
            truth: set.truth.iter().take(SHOWN).cloned().collect(),
            segments: Default::default(),
        };
        let mut pictures: Vec<Vec<RgbImage>> = Vec::with_capacity(SHOWN);
        for (image, truth) in some.images.iter().zip(&some.truth) {
            pictures.push(vec![(*image.source.load(&DecodeOptions::default())?).clone(), painted(truth)]);
        }
        let source = Arc::new(made(&some)?);
        for (_, model) in &models.0 {
            segment(model, data, &some, source.clone(), device, &mut |segmented| {
                pictures[segmented.index].push(painted(&segmented.map));
                Ok(())
            })?;
        }
        for (pictures, truth) in pictures.iter().zip(&some.truth) {
            let mut png = Cursor::new(Vec::new());
            strip(pictures).write_to(&mut png, ImageFormat::Png)?;
            strips.push(Strip {
                domain: domain.clone(),
                png: png.into_inner(),
                labels: shares(truth, data.names().len()),
            });
        }
    }
    Ok(strips)
}

/// Pictures side by side, enlarged: scenes are small.
fn strip(pictures: &[RgbImage]) -> RgbImage {
    let large = |picture: &RgbImage| {
        imageops::resize(picture, ZOOM * picture.width(), ZOOM * picture.height(), FilterType::Nearest)
    };
    beside(&pictures.iter().map(large).collect::<Vec<_>>(), GAP)
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
