//! Open-vocabulary segmentation on the shapes world: scenes of several shapes on their grounds, mIoU.
//!
//! A quarter of the shapes is held out of training, both names and regions. The masks are the annotations' own, so that only the
//! labels can be wrong; the report also shows maps from generated masks.

mod data;
mod strips;

use std::sync::Arc;

use burn::tensor::Device;
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::Clip;
use radapter_datasets::Templates;
use radapter_datasets::label_map::colour;
use radapter_datasets::shapes::World;
use radapter_embedding::EmbedOptions;
use radapter_report::{Page, Panels, Swatch, percent};
use radapter_segmentation::confusion::Confusion;
use radapter_segmentation::crop::{CropSettings, Cropper};
use radapter_segmentation::proposals::Source;
use radapter_segmentation::scores::Scores;
use radapter_segmentation::segmenter::{SegmentSettings, Segmented, Segmenter};
use radapter_segmentation::vocabulary::Vocabulary;
use radapter_settings::Settings;
use radapter_training::{RunOptions, TrainOutcome};

use crate::run;
use crate::{Budget, Compared, Experiment, Figures, Model};
use data::{Data, TestScenes};

/// The scenes of the comparison.
pub(crate) struct Segmentation(Data);

impl Segmentation {
    pub(crate) fn draw(world: &World, budget: &Budget) -> anyhow::Result<Self> {
        Ok(Self(Data::draw(world, budget)?))
    }
}

impl Experiment for Segmentation {
    fn train(&self, base: &Checkpoint, settings: &Settings, options: RunOptions) -> anyhow::Result<TrainOutcome> {
        run::train::<radapter_segmentation::task::Segmentation>(
            Some(self.0.training.clone()),
            (base, run::EMBEDDED),
            settings,
            options,
        )
    }

    fn measure(&self, Model { checkpoint, .. }: &Model, device: &Device) -> anyhow::Result<Figures> {
        let Self(data) = self;
        let (mut miou, mut unseen) = (Vec::new(), Vec::new());
        for (name, set) in &data.sets {
            let mut confusion = Confusion::new(data.names().len());
            segment(checkpoint, data, set, Arc::new(Source::Known(set.segments.clone())), device, &mut |segmented| {
                confusion.add(&segmented.name, &set.truth[segmented.index], &segmented.map)?;
                Ok(())
            })?;
            let scores = Scores::of(&confusion, data.names(), &data.unseen);
            miou.push((name.clone(), scores.miou));
            unseen.push(scores.unseen_miou.unwrap_or(0.0));
        }
        let unseen_id = unseen.remove(0);
        let unseen_ood = unseen.iter().sum::<f64>() / unseen.len().max(1) as f64;
        Ok(Figures { unseen: Some((unseen_id, unseen_ood)), ..Figures::by_domain(miou) })
    }

    fn is_mean_over_images(&self) -> bool {
        // IoU is a ratio of pixels of all images.
        false
    }

    fn lead(&self) -> String {
        let Self(data) = self;
        format!(
            "the regions of {} drawn photos, and evaluated on {} photos and on as many scenes of each domain it was not tuned \
             on: mIoU over {} labels, with the annotations' own masks. {} of the labels were held out of training.",
            data.training.train.images.len(),
            data.sets.first().map_or(0, |(_, set)| set.images.len()),
            data.names().len(),
            data.unseen.len()
        )
    }

    fn note(&self) -> Option<String> {
        let Self(data) = self;
        Some(format!(
            "The figures are mIoU over {} labels; \"unseen\" are the {} that were held out of training.",
            data.names().len(),
            data.unseen.len()
        ))
    }

    fn illustrate(&self, page: &mut Page, compared: &Compared, device: &Device) -> anyhow::Result<()> {
        let Self(data) = self;
        page.section("Maps");
        let unseen: Vec<&str> = data.unseen.iter().map(|&label| data.names()[label].as_str()).collect();
        page.text(&format!("{} Held out of training: {}.", strips::ABOUT, unseen.join(", ")));
        let card = |strip: strips::Strip| {
            let swatch = |label: usize| Swatch { name: data.names()[label].clone(), colour: colour(label as u16) };
            Panels {
                title: strip.domain,
                panels: strip.panels,
                classes: strip.labels.iter().map(|&(label, share)| (swatch(label), percent(share))).collect(),
            }
        };
        let strips = strips::draw(&compared.shown, data, device)?;
        page.panels(&strips.into_iter().map(card).collect::<Vec<_>>());
        Ok(())
    }
}

/// Segments a set with masks from `source` and passes each map to `take`.
fn segment(
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
    // The embedded model's own temperature; the default of 0.01 is sharper than any it was trained at.
    let settings = SegmentSettings { temperature: model.temperature() as f32, ..SegmentSettings::default() };
    let segmenter =
        Segmenter { model: &clip, vocabulary: &vocabulary, cropper: &cropper, source, settings, options, cache: None };
    segmenter.run(&set.images, &mut |segmented| take(segmented).map_err(Into::into))?;
    Ok(())
}
