//! Training augmentation: torchvision's random resized crop and flip.
//!
//! The augmentation of an image is a function of the seed, the epoch and the image's index, so that neither the number of threads
//! nor an interruption changes it.

use radapter_images::{Interpolation, RgbImage, crop, flip_horizontal, resize};
use radapter_settings::{SettingsError, Spec, settings};

use crate::seed::{self, Draw};

/// Range of the crops' aspect ratios (width over height), as in torchvision.
const RATIO: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0];
const ATTEMPTS: usize = 10;

settings! {
    /// Augmentation of images.
    #[derive(Copy)]
    pub struct Augment {
        /// Range of a crop's share of the image's area.
        pub scale: [f64; 2] = Spec::toml("[0.9, 1.0]").from_to(0.0, 1.0),
        /// Probability of a horizontal flip.
        pub flip: f64 = Spec::toml("0.0").from_to(0.0, 1.0),
    }
}

impl Default for Augment {
    /// Nearly the whole image, never flipped, as in CLIP's fine-tuning.
    fn default() -> Self {
        radapter_settings::defaults()
    }
}

/// Augmentation of one image: a box in whole pixels, and a flip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Crop {
    pub left: u32,
    pub top: u32,
    /// At least 1.
    pub width: u32,
    /// At least 1.
    pub height: u32,
    /// Whether the crop is mirrored horizontally.
    pub flip: bool,
}

impl Augment {
    /// Checks the ranges of the settings.
    ///
    /// # Errors
    /// [`SettingsError`] unless `0 < from <= to <= 1` for the scale and the probability is in `0..=1`; NaN is refused.
    pub fn validate(self) -> Result<Self, SettingsError> {
        let [from, to] = self.scale;
        if !(from > 0.0 && from <= to && to <= 1.0) {
            let (found, expected) = (format!("{:?}", self.scale), "expected two numbers 0 < from <= to <= 1");
            return Err(SettingsError::Conflict { key: "augment.scale", found, expected });
        }
        if !(0.0..=1.0).contains(&self.flip) {
            let (found, expected) = (self.flip.to_string(), "expected a probability from 0 to 1");
            return Err(SettingsError::Conflict { key: "augment.flip", found, expected });
        }
        Ok(self)
    }

    /// Draws the crop of an image of the given size.
    ///
    /// As torchvision's `RandomResizedCrop.get_params`: ten times an area from `scale` and a ratio, uniform in its logarithm, from
    /// 3/4 to 4/3, until the box fits; else the largest centred box whose ratio is in range.
    pub fn crop(&self, (width, height): (u32, u32), seed: u64, epoch: u64, index: u64) -> Crop {
        let mut rng = seed::rng("augment", &[seed, epoch, index]);
        // Drawn first: whether an image is flipped does not depend on how many boxes did not fit.
        let flip = rng.unit_f64() < self.flip;
        let area = f64::from(width) * f64::from(height);
        let (log_low, log_high) = (RATIO[0].ln(), RATIO[1].ln());
        for _ in 0..ATTEMPTS {
            let target = area * (self.scale[0] + (self.scale[1] - self.scale[0]) * rng.unit_f64());
            let ratio = (log_low + (log_high - log_low) * rng.unit_f64()).exp();
            // Python rounds halves to even.
            let crop_width = (target * ratio).sqrt().round_ties_even();
            let crop_height = (target / ratio).sqrt().round_ties_even();
            let fits = |side: f64, of: u32| side >= 1.0 && side <= f64::from(of);
            if fits(crop_width, width) && fits(crop_height, height) {
                let (crop_width, crop_height) = (crop_width as u32, crop_height as u32);
                let top = rng.below((height - crop_height + 1) as usize) as u32;
                let left = rng.below((width - crop_width + 1) as usize) as u32;
                return Crop { left, top, width: crop_width, height: crop_height, flip };
            }
        }
        let (crop_width, crop_height) = centred(width, height);
        Crop {
            left: (width - crop_width) / 2,
            top: (height - crop_height) / 2,
            width: crop_width,
            height: crop_height,
            flip,
        }
    }

    /// Augments an image to `size` × `size`: crops, resizes with Pillow's bicubic (the filter sees nothing outside the crop),
    /// and flips.
    pub fn apply(&self, image: &RgbImage, size: u32, seed: u64, epoch: u64, index: u64) -> RgbImage {
        let Crop { left, top, width, height, flip } = self.crop(image.dimensions(), seed, epoch, index);
        let part = crop(image, left.into(), top.into(), width, height);
        let resized = resize(&part, size, size, Interpolation::Bicubic);
        if flip { flip_horizontal(&resized) } else { resized }
    }
}

/// Returns the size of the largest box with a ratio in range.
fn centred(width: u32, height: u32) -> (u32, u32) {
    let ratio = f64::from(width) / f64::from(height);
    if ratio < RATIO[0] {
        (width, ((f64::from(width) / RATIO[0]).round_ties_even() as u32).clamp(1, height))
    } else if ratio > RATIO[1] {
        (((f64::from(height) * RATIO[1]).round_ties_even() as u32).clamp(1, width), height)
    } else {
        (width, height)
    }
}

#[cfg(test)]
mod tests;
