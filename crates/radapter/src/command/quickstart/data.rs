use std::sync::Arc;

use radapter_classification::classes::Classes;
use radapter_classification::plan::TrainingImages;
use radapter_classification::suite::{Suite, TestSet};
use radapter_datasets::Sample;
use radapter_datasets::shapes::{Domain, Split, World, class_names};
use radapter_datasets::{Class, LabelledImages};
use radapter_images::ImageSource;

use super::Budget;

/// The images of the comparison.
#[derive(Clone, Debug)]
pub struct Data {
    /// Photos to train and to validate on.
    pub training: TrainingImages,
    /// Test images: photos, and the other domains.
    pub suite: Suite,
}

impl Data {
    /// Draws them.
    ///
    /// # Errors
    /// None that a correct world gives; classes and sets are checked as those from files are.
    pub fn draw(world: &World, budget: &Budget) -> anyhow::Result<Self> {
        let draw = |split, domain, per_class| images(world, split, domain, per_class);
        let train = draw(Split::Train, Domain::Photo, budget.train_per_class);
        let val = draw(Split::Val, Domain::Photo, budget.val_per_class);
        let classes = Classes::new(train.classes.clone())?;
        let set =
            |domain: Domain| TestSet::new(domain.name(), draw(Split::Test, domain, budget.test_per_class), &classes);
        let ood = Domain::ALL.into_iter().filter(|domain| *domain != Domain::Photo);
        let suite = Suite { id: set(Domain::Photo)?, ood: ood.map(set).collect::<Result<_, _>>()? };
        Ok(Self { training: TrainingImages { train, val: Some(val) }, suite })
    }
}

fn images(world: &World, split: Split, domain: Domain, per_class: usize) -> LabelledImages {
    let names = class_names();
    let samples = (0..per_class * names.len())
        .map(|index| {
            let scene = world.scene(split, domain, index as u64);
            Sample {
                source: ImageSource::Pixels(Arc::new(scene.image)),
                label: scene.class,
                name: format!("{}/{}/{}/{index}", split.name(), domain.name(), names[scene.class]),
            }
        })
        .collect();
    let class = |name: &&str| Class { folder: (*name).to_owned(), text: name.replace('_', " ") };
    LabelledImages { classes: names.iter().map(class).collect(), samples, warnings: Vec::new() }
}
