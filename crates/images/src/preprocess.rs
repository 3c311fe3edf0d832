//! OpenCLIP's inference transform: resize, center crop, normalize.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::coefficients::{Axis, Interpolation};
use crate::crop::{center_offset, crop_filled};
use crate::resize::{resize, resize_part};

/// How a decoded image becomes the image tower's input; recorded with a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "the other fields' names say it all")]
pub struct PreprocessConfig {
    /// Mean of each channel, for pixels in `[0, 1]`.
    pub mean: [f32; 3],
    /// Standard deviation of each channel, for pixels in `[0, 1]`.
    pub std: [f32; 3],
    pub interpolation: Interpolation,
    pub resize_mode: ResizeMode,
    /// Grey value, 0 to 255, of the border that [`ResizeMode::Longest`] adds.
    pub fill_color: u8,
}

/// How a rectangular image becomes a square.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeMode {
    /// Resize the shorter side to the input's side, then crop the center.
    Shortest,
    /// Resize the longer side to the input's side, then pad with a border.
    Longest,
    /// Resize both sides to the input's side, whatever the aspect ratio.
    Squash,
}

/// Channel means of OpenAI's training images, in their published digits.
pub const OPENAI_MEAN: [f64; 3] = [0.48145466, 0.4578275, 0.40821073];
/// Channel standard deviations of OpenAI's training images, in their published digits.
pub const OPENAI_STD: [f64; 3] = [0.26862954, 0.26130258, 0.27577711];

impl Default for PreprocessConfig {
    /// OpenAI's statistics, and a bicubic resize of the shorter side.
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

/// The image transform of a model, made once and applied to many images.
#[derive(Clone, Debug)]
pub struct Preprocess {
    image_size: u32,
    filter: Interpolation,
    resize_mode: ResizeMode,
    fill: u8,
    /// The normalized value of each of the 256 byte values, by channel.
    normalized: Box<[[f32; 256]; 3]>,
}

impl Preprocess {
    /// Creates the transform to `image_size` × `image_size` pixels.
    pub fn new(image_size: usize, config: &PreprocessConfig) -> Self {
        let normalized = std::array::from_fn(|channel| {
            // In torch's order and in f32, for equal bits: ToTensor divides, Normalize subtracts and divides.
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

    /// Returns the side of the square output in pixels.
    pub fn image_size(&self) -> usize {
        self.image_size as usize
    }

    /// Returns the resampling filter, which augmentation uses as well.
    pub fn filter(&self) -> Interpolation {
        self.filter
    }

    /// Identifies the result of [`resize_and_crop`](Self::resize_and_crop) among those of other settings, as the key of
    /// a cache.
    pub fn stage(&self) -> String {
        let Self { image_size, filter, resize_mode, fill, .. } = self;
        format!("{image_size} pixels, {filter:?}, {resize_mode:?}, {fill}")
    }

    /// Transforms a decoded image: [`resize_and_crop`](Self::resize_and_crop), then [`normalize`](Self::normalize).
    ///
    /// # Shapes
    /// returns `[3, image_size, image_size]`, row-major
    pub fn apply(&self, image: &RgbImage) -> Vec<f32> {
        self.normalize(&self.resize_and_crop(image))
    }

    /// Resizes and crops (or pads) to `image_size` × `image_size` pixels.
    pub fn resize_and_crop(&self, image: &RgbImage) -> RgbImage {
        let size = self.image_size;
        let (width, height) = (u64::from(image.width()), u64::from(image.height()));
        match self.resize_mode {
            ResizeMode::Shortest => self.resize_to_center(image, shortest_side(width, height, size), 0),
            ResizeMode::Longest => self.resize_to_center(image, longest_side(width, height, size), self.fill),
            ResizeMode::Squash => resize(image, size, size, self.filter),
        }
    }

    /// Resizes to `width` × `height` and crops the center, computing only the pixels of the crop. `fill` is the grey
    /// value around a smaller image.
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

    /// Computes `(pixel / 255 − mean) / std` by channel, for an image of any size.
    ///
    /// # Shapes
    /// returns `[3, height, width]`, row-major
    pub fn normalize(&self, image: &RgbImage) -> Vec<f32> {
        let pixels = image.as_raw();
        let mut out = Vec::with_capacity(pixels.len());
        for (channel, table) in self.normalized.iter().enumerate() {
            out.extend(pixels.iter().skip(channel).step_by(3).map(|byte| table[usize::from(*byte)]));
        }
        out
    }
}

/// torchvision's target size for a shorter side of `size`: the longer side is truncated.
fn shortest_side(width: u64, height: u64, size: u32) -> (u64, u64) {
    let size = u64::from(size);
    // Equals Python's division of integers, which rounds to the nearest f64, as the product is exact in f64.
    let longer = |long: u64, short: u64| ((size * long) as f64 / short.max(1) as f64) as u64;
    if width <= height { (size, longer(height, width)) } else { (longer(width, height), size) }
}

/// OpenCLIP's target size for a longer side of `size` (`ResizeKeepRatio` with `longest=1`): each side rounds half to
/// even. A side that rounds to zero keeps one pixel; Pillow fails there.
fn longest_side(width: u64, height: u64, size: u32) -> (u64, u64) {
    let ratio = (height as f64 / f64::from(size)).max(width as f64 / f64::from(size));
    let side = |length: u64| ((length as f64 / ratio).round_ties_even() as u64).max(1);
    (side(width), side(height))
}
