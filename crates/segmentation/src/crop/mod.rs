//! Crops of masked regions as input of the image tower: the mask's box, with everything outside the mask filled.
//!
//! As in OVSeg (Liang et al., CVPR 2023), the box is resized without keeping its aspect ratio, and the fill is CLIP's mean
//! colour.

mod bicubic;
mod part;

use radapter_clip::config::ClipConfig;
use radapter_images::{Interpolation, Preprocess, RgbImage, crop, flip_horizontal, resize};
use radapter_settings::{SettingsError, Spec, settings};
use serde::{Deserialize, Serialize};

use crate::mask::{Bounds, Mask};

pub use part::Part;

settings! {
    /// Conversion of a region to the model's input.
    #[derive(Copy)]
    pub struct CropSettings {
        /// Margin around the mask's box on each side, as a share of the box's longer side.
        pub margin: f64 = Spec::toml("0.0").from_to(0.0, 4.0),
        /// How the box is resized: antialiased, or PyTorch's bicubic without antialiasing as in OVSeg's code.
        pub resize: Resize = Spec::toml("\"antialiased\""),
    }
}

impl Default for CropSettings {
    fn default() -> Self {
        radapter_settings::defaults()
    }
}

/// Resizing of a box to the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// The model's own filter, antialiased, on 8-bit pixels, as in Pillow; the mean colour is rounded to 8 bits.
    #[default]
    Antialiased,
    /// PyTorch's bicubic interpolation of the normalised pixels, without antialiasing, as in OVSeg's code.
    Ovseg,
}

impl std::str::FromStr for Resize {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "antialiased" => Ok(Self::Antialiased),
            "ovseg" => Ok(Self::Ovseg),
            other => Err(format!("expected `antialiased` or `ovseg`, found `{other}`")),
        }
    }
}

/// Converts regions to the inputs of a model.
#[derive(Clone, Debug)]
pub struct Cropper {
    settings: CropSettings,
    preprocess: Preprocess,
    filter: Interpolation,
    /// Mean colour in 8 bits.
    fill: [u8; 3],
}

impl Cropper {
    /// Creates a cropper for a model's inputs.
    ///
    /// # Errors
    /// [`SettingsError`] for a margin out of range.
    pub fn new(model: &ClipConfig, settings: CropSettings) -> Result<Self, SettingsError> {
        if !(0.0..=4.0).contains(&settings.margin) {
            let (found, expected) = (settings.margin.to_string(), "expected a share of the box's side from 0 to 4");
            return Err(SettingsError::Conflict { key: "crop.margin", found, expected });
        }
        let preprocess = model.preprocessor();
        let fill = model.preprocess.mean.map(|mean| (255.0 * mean).round().clamp(0.0, 255.0) as u8);
        Ok(Self { settings, filter: preprocess.filter(), preprocess, fill })
    }

    /// Returns the crop settings.
    pub fn settings(&self) -> CropSettings {
        self.settings
    }

    /// Returns the input for a region; `None` for an empty mask.
    ///
    /// # Shapes
    /// `[3, image_size, image_size]`, row-major, normalised
    ///
    /// # Panics
    /// If the mask differs in size from the image: masks are checked where they are read.
    pub fn pixels(&self, image: &RgbImage, mask: &Mask) -> Option<Vec<f32>> {
        self.part(image, mask, Part::WHOLE)
    }

    /// Returns the input for a part of the box, as [`pixels`](Self::pixels) does for all of it.
    ///
    /// # Panics
    /// Those of [`pixels`](Self::pixels).
    pub fn part(&self, image: &RgbImage, mask: &Mask, part: Part) -> Option<Vec<f32>> {
        let size = (mask.width(), mask.height());
        assert_eq!(size, (image.width() as usize, image.height() as usize), "the mask's and the image's size");
        let bounds = part.within(self.widened(mask.bounds()?, size));
        let region = self.filled(image, mask, bounds);
        let side = self.preprocess.image_size();
        let pixels = match self.settings.resize {
            Resize::Antialiased => {
                let resized = resize(&region, side as u32, side as u32, self.filter);
                self.preprocess.normalize(&if part.flip { flip_horizontal(&resized) } else { resized })
            }
            Resize::Ovseg => {
                let region = if part.flip { flip_horizontal(&region) } else { region };
                let mut pixels = self.preprocess.normalize(&region);
                self.clear(&mut pixels, mask, bounds, part.flip);
                bicubic::resize(&pixels, [bounds.width(), bounds.height()], side)
            }
        };
        Some(pixels)
    }

    /// Returns the box with its margin, clipped to the image.
    fn widened(&self, bounds: Bounds, (width, height): (usize, usize)) -> Bounds {
        let longer = bounds.width().max(bounds.height());
        let margin = (self.settings.margin * longer as f64).round() as usize;
        Bounds {
            left: bounds.left.saturating_sub(margin),
            top: bounds.top.saturating_sub(margin),
            right: (bounds.right + margin).min(width),
            bottom: (bounds.bottom + margin).min(height),
        }
    }

    /// Returns the pixels in a box, those outside the mask filled.
    fn filled(&self, image: &RgbImage, mask: &Mask, bounds: Bounds) -> RgbImage {
        let (width, height) = (bounds.width() as u32, bounds.height() as u32);
        let mut region = crop(image, bounds.left as i64, bounds.top as i64, width, height);
        for (inside, pixel) in within(mask, bounds).zip(region.pixels_mut()) {
            if !inside {
                pixel.0 = self.fill;
            }
        }
        region
    }

    /// Sets normalised pixels outside the mask to exactly the mean colour, which is zero.
    fn clear(&self, pixels: &mut [f32], mask: &Mask, bounds: Bounds, flip: bool) {
        let width = bounds.width();
        let plane = width * bounds.height();
        for (index, inside) in within(mask, bounds).enumerate() {
            if !inside {
                let (row, column) = (index / width, index % width);
                let column = if flip { width - 1 - column } else { column };
                for channel in 0..3 {
                    pixels[channel * plane + row * width + column] = 0.0;
                }
            }
        }
    }
}

/// Iterates over a box row by row: whether each pixel is in the mask.
fn within(mask: &Mask, bounds: Bounds) -> impl Iterator<Item = bool> + '_ {
    (bounds.top..bounds.bottom).flat_map(move |row| {
        let start = row * mask.width();
        mask.bits()[start + bounds.left..start + bounds.right].iter().copied()
    })
}

#[cfg(test)]
mod tests;
