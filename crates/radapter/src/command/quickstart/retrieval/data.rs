use std::sync::Arc;

use radapter_datasets::Templates;
use radapter_datasets::captions::{CaptionedImage, CaptionedImages};
use radapter_datasets::shapes::{Domain, Split, World};
use radapter_images::ImageSource;
use radapter_retrieval::gallery::Gallery;
use radapter_retrieval::plan::TrainingCaptions;

use super::super::comparison::SceneBudget;

/// The scenes of the comparison, each with its five captions.
#[derive(Clone, Debug)]
pub struct Data {
    /// Photos to train and to validate on.
    pub training: TrainingCaptions,
    /// Test scenes by domain, the photos first.
    pub sets: Vec<(String, Gallery)>,
}

impl Data {
    /// Draws them.
    ///
    /// # Errors
    /// None that a correct world gives.
    pub fn draw(world: &World, budget: &SceneBudget) -> anyhow::Result<Self> {
        let bare = Templates::from_list(vec!["{}".to_owned()])?;
        let draw = |split, domain, count| scenes(world, split, domain, count);
        let test = |domain: Domain| {
            (domain.name().to_owned(), Gallery::new(&draw(Split::Test, domain, budget.test_images), &bare))
        };
        let shifted = Domain::ALL.into_iter().filter(|domain| *domain != Domain::Photo);
        Ok(Self {
            training: TrainingCaptions {
                train: draw(Split::Train, Domain::Photo, budget.train_images),
                val: Some(draw(Split::Val, Domain::Photo, budget.val_images)),
            },
            sets: std::iter::once(Domain::Photo).chain(shifted).map(test).collect(),
        })
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
