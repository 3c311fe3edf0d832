//! Retrieval on the shapes world: scenes of several shapes with five captions each, mean recall.

use std::sync::Arc;

use burn::tensor::Device;
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::Clip;
use radapter_datasets::shapes::{Domain, Split, World};
use radapter_datasets::{CaptionedImage, CaptionedImages, Templates};
use radapter_embedding::EmbedOptions;
use radapter_images::ImageSource;
use radapter_retrieval::gallery::Gallery;
use radapter_retrieval::task::TrainingCaptions;
use radapter_settings::Settings;
use radapter_training::{RunOptions, TrainOutcome};

use crate::run;
use crate::{Budget, Experiment, Figures, Model};

/// The scenes of the comparison.
pub(crate) struct Retrieval {
    /// Photos to train and to validate on.
    training: TrainingCaptions,
    /// Test scenes by domain, the photos first.
    sets: Vec<(String, Gallery)>,
    /// Scenes of each test set.
    test_images: usize,
}

impl Retrieval {
    pub(crate) fn draw(world: &World, budget: &Budget) -> anyhow::Result<Self> {
        let bare = Templates::from_list(vec!["{}".to_owned()])?;
        let test = |domain: Domain| {
            let scenes = scenes(world, Split::Test, domain, budget.test_images);
            (domain.name().to_owned(), Gallery::new(&scenes, &bare))
        };
        let shifted = Domain::ALL.into_iter().filter(|domain| *domain != Domain::Photo);
        Ok(Self {
            training: TrainingCaptions {
                train: scenes(world, Split::Train, Domain::Photo, budget.train_images),
                val: Some(scenes(world, Split::Val, Domain::Photo, budget.val_images)),
            },
            sets: std::iter::once(Domain::Photo).chain(shifted).map(test).collect(),
            test_images: budget.test_images,
        })
    }
}

impl Experiment for Retrieval {
    fn train(&self, base: &Checkpoint, settings: &Settings, options: RunOptions) -> anyhow::Result<TrainOutcome> {
        run::train::<radapter_retrieval::task::Retrieval>(
            Some(self.training.clone()),
            (base, run::EMBEDDED),
            settings,
            options,
        )
    }

    fn measure(&self, Model { checkpoint, .. }: &Model, device: &Device) -> anyhow::Result<Figures> {
        let clip = Clip::from_state(&checkpoint.config, &checkpoint.state, device)?;
        let mut recalls = Vec::with_capacity(self.sets.len());
        for (name, gallery) in &self.sets {
            let outcome = gallery.evaluate(&clip, &EmbedOptions::default(), &mut |_| {})?;
            recalls.push((name.clone(), outcome.evaluation.mean_recall));
        }
        Ok(Figures::by_domain(recalls))
    }

    fn lead(&self) -> String {
        format!(
            "{} drawn photos with five captions each, and evaluated on {} photos and on as many scenes of each domain it was \
             not tuned on. Mean recall is the mean of R@1, R@5 and R@10, in both directions.",
            self.training.train.images.len(),
            self.test_images
        )
    }

    fn note(&self) -> Option<String> {
        Some("The figures are mean recalls: the mean of R@1, R@5 and R@10, in both directions.".to_owned())
    }
}

fn scenes(world: &World, split: Split, domain: Domain, count: usize) -> CaptionedImages {
    let image = |index: usize| {
        let scene = world.composition(split, domain, index as u64);
        CaptionedImage {
            name: format!("{}/{}/{index}", split.name(), domain.name()),
            source: ImageSource::Pixels(Arc::new(scene.image)),
            captions: scene.captions,
        }
    };
    CaptionedImages { images: (0..count).map(image).collect() }
}
