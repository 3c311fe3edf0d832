//! The shapes world: a small synthetic world with classes, captions, masks and domains, for trying everything in this project
//! without a download.
//!
//! A scene is a pure function of the world's seed, the split, the domain and an index. It shows one shape of [24 kinds](Shape)
//! ([`World::scene`], for classification) or several ([`World::composition`], for retrieval and segmentation) on one or two
//! of [8 grounds](Stuff), drawn in the style of one of [six domains](Domain). It is worth fine-tuning on because:
//!
//! * classes are confusable (square, rectangle and diamond; circle, oval and ring; pentagon and hexagon; gear and flower) and vary
//!   within (proportions, tilt, shear, bent outlines, position, partly hidden or out of the image);
//! * in **photos** outside pretraining, the colour and the ground correlate with the class, with probability [`World::spurious`]
//!   ([`habit`]). A model fine-tuned on photos can learn that shortcut, which fails in the other domains, where colours and
//!   grounds are drawn freely or are not visible.
//!
//! Drawing uses only arithmetic that IEEE 754 defines exactly, no platform mathematics library, so that all machines draw the same
//! bytes (the tests pin hashes of them). All lengths are in 64ths of the side: a larger [`World::size`] shows the same scenes in
//! finer pixels.
//!
//! ```
//! use radapter_datasets::shapes::{Domain, Split, World};
//!
//! let world = World::new(0);
//! let scene = world.scene(Split::Train, Domain::Sketch, 17);
//! assert_eq!(scene.image.dimensions(), (64, 64));
//! assert_eq!(scene.captions.len(), 5);
//! assert_eq!(scene.class, 17);
//! ```

mod canvas;
mod caption;
mod colour;
mod domain;
mod noise;
mod noun;
mod outline;
mod plan;
mod stage;
mod stuff;
mod style;
mod trig;
mod write;

use image::{GrayImage, RgbImage};
use rand_chacha::ChaCha8Rng;

pub use colour::Colour;
pub use domain::{Domain, Split};
pub use noun::{Shape, class_names};
pub use plan::{Ground, Object, habit};
pub use stuff::Stuff;
pub use write::write;

use crate::seed;
use plan::Plan;
use stage::Stage;

/// World of scenes.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// Side of the images in pixels, at least 16.
    pub size: usize,
    /// Another seed gives another world of the same kind.
    pub seed: u64,
    /// Probability that a photo's colour, and independently its ground, is the usual one of its class. Applies only to photos and
    /// only outside [`Split::Pretrain`].
    pub spurious: f32,
}

/// Image and its annotations.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Scene {
    pub image: RgbImage,
    /// Class of the only object, or of the one that shows most pixels.
    pub class: usize,
    /// Five captions.
    pub captions: Vec<String>,
    /// Per pixel an index into [`label_names`].
    pub mask: GrayImage,
    /// The objects, back to front.
    pub objects: Vec<Object>,
    /// Background of the objects.
    pub ground: Ground,
}

/// Returns the names of the labels of masks: the shapes in class order, then the grounds.
pub fn label_names() -> Vec<&'static str> {
    class_names().iter().copied().chain(stuff::NAMES).collect()
}

impl World {
    /// Creates the world that the embedded model was trained on: 64 pixels, cues at 0.7.
    pub fn new(seed: u64) -> Self {
        Self { size: 64, seed, spurious: 0.7 }
    }

    /// Returns a scene of one shape. The classes alternate (`index` modulo their number), so that any run of indices is balanced.
    pub fn scene(&self, split: Split, domain: Domain, index: u64) -> Scene {
        let mut rng = self.rng("shapes-scene", split, domain, index);
        let shape = Shape::ALL[(index % Shape::ALL.len() as u64) as usize];
        let spurious = if domain == Domain::Photo && split != Split::Pretrain { self.spurious } else { 0.0 };
        let plan = plan::single(&mut rng, domain, shape, spurious);
        let captions = caption::single(&mut rng, domain, &plan.objects[0], &plan.ground);
        self.draw(plan, domain, captions, &mut rng)
    }

    /// Returns a scene of two to four shapes.
    pub fn composition(&self, split: Split, domain: Domain, index: u64) -> Scene {
        let mut rng = self.rng("shapes-composition", split, domain, index);
        let plan = plan::several(&mut rng, domain);
        let captions = caption::several(&mut rng, domain, &plan.objects, &plan.ground);
        self.draw(plan, domain, captions, &mut rng)
    }

    fn rng(&self, purpose: &str, split: Split, domain: Domain, index: u64) -> ChaCha8Rng {
        seed::rng(purpose, &[self.seed, split as u64, domain as u64, index])
    }

    fn draw(&self, plan: Plan, domain: Domain, captions: Vec<String>, rng: &mut ChaCha8Rng) -> Scene {
        let stage = Stage::new(&plan, self.size.max(16), rng);
        let image = style::draw(domain, &stage, rng);
        let mask = stage.mask();
        let class = match &plan.objects[..] {
            [only] => only.shape.class(),
            _ => widest(&mask),
        };
        Scene { image, class, captions, mask, objects: plan.objects, ground: plan.ground }
    }
}

/// Returns the shape with most pixels in a mask.
fn widest(mask: &GrayImage) -> usize {
    let mut pixels = [0_usize; Shape::ALL.len()];
    for label in mask.as_raw() {
        if let Some(count) = pixels.get_mut(usize::from(*label)) {
            *count += 1;
        }
    }
    let most = pixels.iter().max().copied().unwrap_or(0);
    pixels.iter().position(|&count| count == most).unwrap_or(0)
}

#[cfg(test)]
mod tests;
