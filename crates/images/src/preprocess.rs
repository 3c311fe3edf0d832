//! OpenCLIP's inference transform: resize, centre crop, normalise.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::coefficients::Axis;
use crate::crop::{center_offset, crop_filled};
use crate::resize::{Interpolation, resize, resize_part};

/// From a decoded image to the image tower's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PreprocessConfig {
    /// Mean of each channel, for pixels in `[0, 1]`.
    pub mean: [f32; 3],
    /// Standard deviation of each channel, for pixels in `[0, 1]`.
    pub std: [f32; 3],
    /// The resampling filter.
    pub interpolation: Interpolation,
    /// How a rectangular image becomes a square.
    pub resize_mode: ResizeMode,
    /// Grey value of the border that [`ResizeMode::Longest`] adds.
    pub fill_color: u8,
}

/// How a rectangular image becomes a square.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeMode {
    /// The shorter side becomes the input's side, then the centre is cropped.
    Shortest,
    /// The longer side becomes the input's side, then a border is added.
    Longest,
    /// Both sides become the input's side; the aspect ratio is lost.
    Squash,
}

/// Channel means of OpenAI's training images, in their published digits.
pub const OPENAI_MEAN: [f64; 3] = [0.48145466, 0.4578275, 0.40821073];
/// Channel standard deviations of OpenAI's training images, in their published digits.
pub const OPENAI_STD: [f64; 3] = [0.26862954, 0.26130258, 0.27577711];

impl Default for PreprocessConfig {
    /// OpenAI's statistics with bicubic resize of the shorter side.
    fn default() -> Self {
        Self {
            mean: OPENAI_MEAN.map(|value| value as f32),
            std: OPENAI_STD.map(|value| value as f32),
            interpolation: Interpolation::Bicubic,
            resize_mode: ResizeMode::Shortest,
            fill_color: 0,
        }
    }
}

/// The transform that a model's config asks for.
#[derive(Clone, Debug)]
pub struct Preprocess {
    image_size: u32,
    filter: Interpolation,
    resize_mode: ResizeMode,
    fill: u8,
    /// The normalised value of each byte, for each channel: there are only 256, and a table is exact.
    normalized: Box<[[f32; 256]; 3]>,
}

impl Preprocess {
    /// The transform to images of `image_size` × `image_size`.
    pub fn new(image_size: usize, config: &PreprocessConfig) -> Self {
        let normalized = std::array::from_fn(|channel| {
            // torch's operations, in its order and in f32: ToTensor divides, Normalize subtracts and divides.
            std::array::from_fn(|byte| (byte as f32 / 255.0 - config.mean[channel]) / config.std[channel])
        });
        Self {
            image_size: u32::try_from(image_size).unwrap_or(u32::MAX),
            filter: config.interpolation,
            resize_mode: config.resize_mode,
            fill: config.fill_color,
            normalized: Box::new(normalized),
        }
    }

    /// Side of the square images that this makes.
    pub fn image_size(&self) -> usize {
        self.image_size as usize
    }

    /// The filter of the resize, which augmentation uses too.
    pub fn filter(&self) -> Interpolation {
        self.filter
    }

    /// Tells [`resize_and_crop`](Self::resize_and_crop) from that of other models, for caches of what it makes.
    pub fn stage(&self) -> String {
        let Self { image_size, filter, resize_mode, fill, .. } = self;
        format!("{image_size} pixels, {filter:?}, {resize_mode:?}, {fill}")
    }

    /// From a decoded image to the tower's input: [`resize_and_crop`](Self::resize_and_crop), then
    /// [`normalize`](Self::normalize).
    ///
    /// # Shapes
    /// `[3, image_size, image_size]`, row-major
    pub fn apply(&self, image: &RgbImage) -> Vec<f32> {
        self.normalize(&self.resize_and_crop(image))
    }

    /// The image as `image_size` × `image_size` pixels.
    pub fn resize_and_crop(&self, image: &RgbImage) -> RgbImage {
        let size = self.image_size;
        let (width, height) = (u64::from(image.width()), u64::from(image.height()));
        match self.resize_mode {
            ResizeMode::Shortest => self.resize_to_center(image, shortest_side(width, height, size), 0),
            ResizeMode::Longest => self.resize_to_center(image, longest_side(width, height, size), self.fill),
            ResizeMode::Squash => resize(image, size, size, self.filter),
        }
    }

    /// Resizes to `width` × `height` and takes the middle, of which alone the pixels are made; `fill` is the grey around
    /// an image that is smaller.
    fn resize_to_center(&self, image: &RgbImage, (width, height): (u64, u64), fill: u8) -> RgbImage {
        let size = self.image_size;
        let (left, top) = (center_offset(width, size), center_offset(height, size));
        let middle = |offset: i64, length: u64| {
            let start = offset.max(0) as usize;
            start..(length as usize).min(start + size as usize)
        };
        let resized = resize_part(
            image,
            Axis::whole(image.width() as usize, width as usize),
            Axis::whole(image.height() as usize, height as usize),
            middle(left, width),
            middle(top, height),
            self.filter,
        );
        if resized.dimensions() == (size, size) {
            resized
        } else {
            crop_filled(&resized, left.min(0), top.min(0), size, size, fill)
        }
    }

    /// `(pixel / 255 − mean) / std`, channel by channel, for an image of any size.
    ///
    /// # Shapes
    /// `[3, height, width]`, row-major
    pub fn normalize(&self, image: &RgbImage) -> Vec<f32> {
        let pixels = image.as_raw();
        let mut out = Vec::with_capacity(pixels.len());
        for (channel, table) in self.normalized.iter().enumerate() {
            out.extend(pixels.iter().skip(channel).step_by(3).map(|byte| table[usize::from(*byte)]));
        }
        out
    }
}

/// torchvision's size for a shorter side of `size`: the longer one is truncated.
fn shortest_side(width: u64, height: u64, size: u32) -> (u64, u64) {
    let size = u64::from(size);
    // Python divides integers to the nearest f64, as this does: the product is exact in f64.
    let longer = |long: u64, short: u64| ((size * long) as f64 / short.max(1) as f64) as u64;
    if width <= height { (size, longer(height, width)) } else { (longer(width, height), size) }
}

/// OpenCLIP's size for a longer side of `size` (`ResizeKeepRatio` with `longest=1`): each side rounded half to even. A
/// side that would vanish keeps one pixel, where Pillow fails.
fn longest_side(width: u64, height: u64, size: u32) -> (u64, u64) {
    let ratio = (height as f64 / f64::from(size)).max(width as f64 / f64::from(size));
    let side = |length: u64| ((length as f64 / ratio).round_ties_even() as u64).max(1);
    (side(width), side(height))
}
