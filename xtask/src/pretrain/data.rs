use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use radapter::clip::config::ClipConfig;
use radapter::clip::preprocess::Preprocess;
use radapter::clip::tokenizer::Tokenizer;
use radapter::datasets::shapes::{Domain, Split, World, class_names};
use radapter::training::{DataError, Sample, SampleKey, TrainData};

/// One scene in so many shows several shapes. It has no factor in common with the number of classes, which take turns.
const COMPOSITION_EVERY: u64 = 5;

/// Scenes of the pretraining split, each seen once; an epoch is as long as the run is between two states of its order.
pub(crate) struct Scenes {
    world: World,
    preprocess: Preprocess,
    tokenizer: Tokenizer,
    context_length: usize,
    length: usize,
}

impl Scenes {
    pub(crate) fn new(config: &ClipConfig, seed: u64, steps: u64, batch_size: usize) -> Self {
        Self {
            world: World::new(seed),
            preprocess: Preprocess::new(config),
            tokenizer: Tokenizer::clip(),
            context_length: config.text.context_length,
            length: steps as usize * batch_size,
        }
    }

    pub(crate) fn epoch_length(&self) -> usize {
        self.length
    }
}

impl TrainData for Scenes {
    fn len(&self) -> usize {
        self.length
    }

    fn load(&self, key: SampleKey) -> Result<Option<Sample>, DataError> {
        let index = key.epoch * self.length as u64 + key.index as u64;
        let domain = Domain::ALL[(index % Domain::ALL.len() as u64) as usize];
        let within = index / Domain::ALL.len() as u64;
        let (scene, caption) = if within.is_multiple_of(COMPOSITION_EVERY) {
            let scene = self.world.composition(Split::Pretrain, domain, within);
            let caption = pick(&scene.captions, within);
            (scene, caption)
        } else {
            let scene = self.world.scene(Split::Pretrain, domain, within);
            // Half of the captions name nothing but the shape. Without them colours and grounds, which are easier to see,
            // are all that is learned for a long time.
            // The classes take turns, so the choice goes by their rounds.
            let round = within / class_names().len() as u64;
            let caption = match (round + index) % 4 {
                0 => format!("a photo of a {}.", class_names()[scene.class]),
                1 => format!("a {} of a {}.", domain.name(), class_names()[scene.class]),
                _ => pick(&scene.captions, within),
            };
            (scene, caption)
        };
        let mut hasher = DefaultHasher::new();
        caption.hash(&mut hasher);
        Ok(Some(Sample {
            pixels: self.preprocess.apply(&scene.image),
            tokens: self.tokenizer.encode_unpadded(&caption, self.context_length),
            // Scenes with the same caption are no negatives of each other.
            label: (hasher.finish() >> 1) as i64,
        }))
    }
}

/// One of a scene's captions.
fn pick(captions: &[String], turn: u64) -> String {
    captions[(turn / COMPOSITION_EVERY) as usize % captions.len()].clone()
}
