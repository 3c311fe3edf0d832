//! Scenes with captions, drawn during training.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use image::RgbImage;
use radapter::clip::config::ClipConfig;
use radapter::clip::tokenizer::Tokenizer;
use radapter::datasets::shapes::{Domain, Object, Split, World, class_names};
use radapter::images::Preprocess;
use radapter::training::{DataError, Sample, SampleKey, TrainData};

/// One scene in this many shows several shapes. Coprime to the number of classes, which take turns.
const COMPOSITION_EVERY: u64 = 5;

/// Epochs of a run. The order is shuffled within an epoch, so the curriculum changes by epoch.
const EPOCHS: u64 = 10;

/// Number of first epochs whose captions only name the shape. With whole sentences from the start, the model learns only colours
/// and grounds for a long time, because they are easier to see.
const EPOCHS_OF_NAMES: u64 = 5;

/// How closely images are cropped around their subject, by epoch: a range from 0, the whole scene, to 1, the subject alone.
/// Without close crops a small vision transformer needs several 100,000 scenes before it attends to shapes.
const CLOSENESS: [(f32, f32); EPOCHS as usize] = [
    (0.9, 1.0),
    (0.8, 1.0),
    (0.5, 1.0),
    (0.2, 1.0),
    (0.0, 0.9),
    (0.0, 0.6),
    (0.0, 0.4),
    (0.0, 0.2),
    (0.0, 0.0),
    (0.0, 0.0),
];

/// Scenes of the pretraining split, each seen once.
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
            preprocess: config.preprocessor(),
            tokenizer: Tokenizer::clip(),
            context_length: config.text.context_length,
            length: (steps * batch_size as u64).div_ceil(EPOCHS) as usize,
        }
    }
}

impl TrainData for Scenes {
    fn len(&self) -> usize {
        self.length
    }

    fn load(&self, key: SampleKey) -> Result<Option<Sample>, DataError> {
        let closeness = CLOSENESS[(key.epoch as usize).min(CLOSENESS.len() - 1)];
        let index = key.epoch * self.length as u64 + key.index as u64;
        let domain = Domain::ALL[(index % Domain::ALL.len() as u64) as usize];
        let within = index / Domain::ALL.len() as u64;
        let (scene, caption) = if key.epoch < EPOCHS_OF_NAMES {
            let scene = self.world.scene(Split::Pretrain, domain, within);
            let caption = format!("a photo of a {}.", class_names()[scene.class]);
            (scene, caption)
        } else if within.is_multiple_of(COMPOSITION_EVERY) {
            let scene = self.world.composition(Split::Pretrain, domain, within);
            let caption = pick(&scene.captions, within);
            (scene, caption)
        } else {
            let scene = self.world.scene(Split::Pretrain, domain, within);
            // Half of the captions name only the shape and at most the domain, so that the shape remains the main thing.
            // The classes take turns, so the choice depends on their rounds.
            let round = within / class_names().len() as u64;
            let caption = match (round + index) % 4 {
                0 => format!("a photo of a {}.", class_names()[scene.class]),
                1 => format!("a {} of a {}.", domain.name(), class_names()[scene.class]),
                _ => pick(&scene.captions, within),
            };
            (scene, caption)
        };
        let image = match scene.objects.as_slice() {
            [subject] => close_up(&scene.image, subject, between(closeness, index)),
            _ => scene.image,
        };
        let mut hasher = DefaultHasher::new();
        caption.hash(&mut hasher);
        Ok(Some(Sample {
            pixels: self.preprocess.apply(&image),
            tokens: self.tokenizer.encode_unpadded(&caption, self.context_length),
            // Scenes with the same caption are not negatives of each other.
            label: (hasher.finish() >> 1) as i64,
        }))
    }
}

/// A pseudo-random number in the range that depends only on the index.
fn between((low, high): (f32, f32), index: u64) -> f32 {
    // Multiples of the golden ratio, modulo one, fill the interval evenly and out of step with the classes.
    let unit = index.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    low + (high - low) * unit as f32 / (1u64 << 24) as f32
}

/// Crops an image to a square between the whole image (closeness 0) and its subject (1).
fn close_up(image: &RgbImage, subject: &Object, closeness: f32) -> RgbImage {
    let size = image.width() as f32;
    // The radius is half of the subject without its outline and tilt.
    let side = 1.0 + closeness * ((2.3 * subject.radius).min(1.0) - 1.0);
    let corner = subject.centre.map(|centre| {
        let middle = 0.5 + closeness * (centre - 0.5);
        ((middle - 0.5 * side).clamp(0.0, 1.0 - side) * size) as u32
    });
    let side = (side * size).round() as u32;
    let side = side.min(image.width() - corner[0]).min(image.height() - corner[1]);
    image::imageops::crop_imm(image, corner[0], corner[1], side, side).to_image()
}

/// One of a scene's captions.
fn pick(captions: &[String], turn: u64) -> String {
    captions[(turn / COMPOSITION_EVERY) as usize % captions.len()].clone()
}
