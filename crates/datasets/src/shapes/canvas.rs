//! Floating-point images, and effects on a whole image.

use image::RgbImage;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::colour::{Rgb, mix};
use super::noise::grain;

/// Square image with channels from 0 to 1.
pub(crate) struct Canvas {
    pub(crate) size: usize,
    pub(crate) pixels: Vec<Rgb>,
}

impl Canvas {
    /// Creates an image from a function of (column, row, position in the row-major list).
    pub(crate) fn from_fn(size: usize, mut pixel: impl FnMut(usize, usize, usize) -> Rgb) -> Self {
        let mut pixels = Vec::with_capacity(size * size);
        for y in 0..size {
            for x in 0..size {
                pixels.push(pixel(x, y, y * size + x));
            }
        }
        Self { size, pixels }
    }

    /// Moves every pixel by `share` towards the mean of its (1 2 1)² neighbourhood.
    pub(crate) fn blur(&mut self, share: f32) {
        let size = self.size;
        let at = |pixels: &[Rgb], index: usize, back: usize, forth: usize| {
            let (a, b, c) = (pixels[back], pixels[index], pixels[forth]);
            [0, 1, 2].map(|channel| 0.25 * (a[channel] + 2.0 * b[channel] + c[channel]))
        };
        let mut rows = Vec::with_capacity(size * size);
        for y in 0..size {
            for x in 0..size {
                let line = y * size;
                rows.push(at(&self.pixels, line + x, line + x.saturating_sub(1), line + (x + 1).min(size - 1)));
            }
        }
        for y in 0..size {
            let (above, below) = (y.saturating_sub(1) * size, (y + 1).min(size - 1) * size);
            for x in 0..size {
                let index = y * size + x;
                self.pixels[index] = mix(self.pixels[index], at(&rows, index, above + x, below + x), share);
            }
        }
    }

    /// Adds camera noise: `common` to all channels of a pixel alike, `apart` to each by itself (standard deviations).
    pub(crate) fn noise(&mut self, common: f32, apart: f32, rng: &mut ChaCha8Rng) {
        let mut bytes = vec![0_u8; self.pixels.len() * 8];
        rng.fill_bytes(&mut bytes);
        for (pixel, random) in self.pixels.iter_mut().zip(bytes.as_chunks::<8>().0) {
            let [a, b, c, d, e, f, g, h] = *random;
            let shared = common * grain(a, b);
            *pixel = [
                pixel[0] + shared + apart * grain(c, d),
                pixel[1] + shared + apart * grain(e, f),
                pixel[2] + shared + apart * grain(g, h),
            ];
        }
    }

    pub(crate) fn into_image(self) -> RgbImage {
        let byte = |channel: f32| (channel.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        let bytes: Vec<u8> = self.pixels.iter().flat_map(|pixel| pixel.map(byte)).collect();
        let side = self.size as u32;
        RgbImage::from_raw(side, side, bytes).expect("a pixel for each place of the square")
    }
}
