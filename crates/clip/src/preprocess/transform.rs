//! OpenCLIP's inference transform: resize, centre crop, normalise.

use image::RgbImage;

use super::coefficients::Axis;
use super::crop::{center_offset, crop_filled};
use super::resize::{resize, resize_part};
use crate::config::{ClipConfig, Interpolation, PreprocessConfig, ResizeMode};

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
    /// The transform of the config's model.
    pub fn new(config: &ClipConfig) -> Self {
        Self::with(config.vision.image_size, &config.preprocess)
    }

    /// The transform to images of `image_size` × `image_size`.
    pub fn with(image_size: usize, config: &PreprocessConfig) -> Self {
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
