//! The scenes of the comparison.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context as _;
use radapter_datasets::label_map::{IGNORED, LabelMap};
use radapter_datasets::shapes::{Domain, Shape, Split, World, label_names};
use radapter_embedding::Image;
use radapter_images::ImageSource;
use radapter_segmentation::data::annotated::segments;
use radapter_segmentation::data::{Labels, Segment, SegmentSet};
use radapter_segmentation::proposals::{Proposal, Proposals, Region};
use radapter_segmentation::task::TrainingSegments;

use crate::Budget;

/// Minimum area of a segment in pixels: a 64th of the image.
const MIN_AREA: usize = 64;

/// The scenes of the comparison, each with a label for every pixel.
pub(super) struct Data {
    /// Segments of photos to train and to validate on, without the held-out classes.
    pub(super) training: TrainingSegments,
    /// The labels of the held-out classes.
    pub(super) unseen: Vec<usize>,
    /// Test scenes by domain, the photos first.
    pub(super) sets: Vec<(String, TestScenes)>,
}

/// Scenes to evaluate on.
#[derive(Default)]
pub(super) struct TestScenes {
    pub(super) images: Vec<Image>,
    /// The annotation of each image.
    pub(super) truth: Vec<LabelMap>,
    /// The segments of the annotations, by the images' names.
    pub(super) segments: HashMap<String, Proposals>,
}

/// Every fourth shape is held out of training; grounds are not.
fn is_unseen(label: usize) -> bool {
    label < Shape::ALL.len() && label % 4 == 1
}

impl Data {
    pub(super) fn draw(world: &World, budget: &Budget) -> anyhow::Result<Self> {
        let names: Vec<String> = label_names().into_iter().map(str::to_owned).collect();
        let unseen: Vec<usize> = (0..names.len()).filter(|&label| is_unseen(label)).collect();
        let training = |split, count| -> anyhow::Result<SegmentSet> {
            let mut set = SegmentSet::default();
            for (image, truth) in scenes(world, split, Domain::Photo, count)? {
                let known = segments(&truth, MIN_AREA).into_iter().filter(|(label, _)| !is_unseen(*label));
                let place = set.images.len();
                set.segments.extend(known.map(|(label, mask)| Segment { image: place, mask, label }));
                set.images.push(image);
            }
            Ok(set)
        };
        let test = |domain: Domain| -> anyhow::Result<(String, TestScenes)> {
            let mut set = TestScenes::default();
            for (image, truth) in scenes(world, Split::Test, domain, budget.test_images)? {
                set.segments.insert(image.name.clone(), proposals(&truth));
                set.images.push(image);
                set.truth.push(truth);
            }
            Ok((domain.name().to_owned(), set))
        };
        let shifted = Domain::ALL.into_iter().filter(|domain| *domain != Domain::Photo);
        Ok(Self {
            training: TrainingSegments {
                labels: Labels::of_names(names),
                train: training(Split::Train, budget.train_images)?,
                val: Some(training(Split::Val, budget.val_images)?),
            },
            unseen,
            sets: std::iter::once(Domain::Photo).chain(shifted).map(test).collect::<anyhow::Result<_>>()?,
        })
    }

    /// The names of the labels.
    pub(super) fn names(&self) -> &[String] {
        self.training.labels.names()
    }
}

/// The annotation's own segments as proposals.
fn proposals(truth: &LabelMap) -> Proposals {
    let binary = |(_, mask)| Proposal { region: Region::Binary(mask), score: 1.0 };
    let masks = segments(truth, MIN_AREA).into_iter().map(binary).collect();
    Proposals { width: truth.width(), height: truth.height(), masks, class_scores: None }
}

fn scenes(world: &World, split: Split, domain: Domain, count: usize) -> anyhow::Result<Vec<(Image, LabelMap)>> {
    let classes = label_names().len();
    let one = |index: usize| {
        let scene = world.composition(split, domain, index as u64);
        let label = |pixel: &u8| if usize::from(*pixel) < classes { u16::from(*pixel) } else { IGNORED };
        let (width, height) = scene.mask.dimensions();
        let labels = scene.mask.as_raw().iter().map(label).collect();
        let truth = LabelMap::new(width as usize, height as usize, labels).context("a scene without pixels")?;
        let name = format!("{}/{}/{index}", split.name(), domain.name());
        Ok((Image { name, source: ImageSource::Pixels(Arc::new(scene.image)) }, truth))
    };
    (0..count).map(one).collect()
}
