//! Fixed changes of images that imitate a shift of the distribution, after the corruptions of ImageNet-C.

use std::fmt;

use image::RgbImage;
use image::imageops::{self, FilterType};

use crate::seed::{self, Draw};

/// Change of an image at a strength. The same image always changes in the same way.
///
/// Four of the corruptions of Hendrycks and Dietterich (arXiv 1903.12261), in units of the image's size, so that they mean
/// the same for a model of 64 pixels and of 336.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// What changes.
    pub kind: ShiftKind,
    /// How much, in the unit of the kind.
    pub strength: f32,
}

/// Kind of a [`Shift`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShiftKind {
    /// Gaussian noise; the strength is its standard deviation, of 1 between black and white.
    Noise,
    /// Gaussian blur; the strength is its standard deviation, of 1 for the shorter side.
    Blur,
    /// Contrast; the strength is the share that is lost.
    Contrast,
    /// A coarser grid of pixels; the strength is the side of a new pixel, of 1 for the shorter side.
    Pixelate,
}

impl Shift {
    /// Each kind at two strengths.
    pub const ALL: [Self; 8] = [
        Self { kind: ShiftKind::Noise, strength: 0.08 },
        Self { kind: ShiftKind::Noise, strength: 0.18 },
        Self { kind: ShiftKind::Blur, strength: 0.01 },
        Self { kind: ShiftKind::Blur, strength: 0.02 },
        Self { kind: ShiftKind::Contrast, strength: 0.5 },
        Self { kind: ShiftKind::Contrast, strength: 0.75 },
        Self { kind: ShiftKind::Pixelate, strength: 1.0 / 32.0 },
        Self { kind: ShiftKind::Pixelate, strength: 1.0 / 16.0 },
    ];

    /// Returns the change that the image at a place of a set undergoes in a round: each image another one, so that every round has
    /// all of [`ALL`](Self::ALL), and after as many rounds each image had all.
    pub fn of(index: usize, round: usize) -> Self {
        Self::ALL[index.wrapping_add(round) % Self::ALL.len()]
    }

    /// Changes an image. `name` seeds what is drawn.
    pub fn apply(self, image: &RgbImage, name: &str) -> RgbImage {
        let (width, height) = image.dimensions();
        let shorter = width.min(height) as f32;
        match self.kind {
            ShiftKind::Noise => {
                let bytes = name.bytes().map(u64::from);
                let mut draws = seed::rng("shift", &bytes.collect::<Vec<_>>());
                let mut noisy = image.clone();
                for value in noisy.iter_mut() {
                    *value = to_byte(f32::from(*value) + 255.0 * self.strength * normal(&mut draws));
                }
                noisy
            }
            ShiftKind::Blur => imageops::blur(image, (self.strength * shorter).max(0.1)),
            ShiftKind::Contrast => {
                let count = (image.as_raw().len() as f64).max(1.0);
                let mean = (image.as_raw().iter().map(|value| f64::from(*value)).sum::<f64>() / count) as f32;
                let mut flat = image.clone();
                flat.iter_mut().for_each(|value| {
                    *value = to_byte(mean + (1.0 - self.strength) * (f32::from(*value) - mean));
                });
                flat
            }
            ShiftKind::Pixelate => {
                let coarse = |side: u32| ((side as f32 / (self.strength * shorter).max(1.0)).round() as u32).max(1);
                let small = imageops::resize(image, coarse(width), coarse(height), FilterType::Triangle);
                imageops::resize(&small, width, height, FilterType::Nearest)
            }
        }
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ShiftKind::Noise => "noise",
            ShiftKind::Blur => "blur",
            ShiftKind::Contrast => "contrast",
            ShiftKind::Pixelate => "pixelate",
        };
        write!(f, "{kind} {:.3}", self.strength)
    }
}

/// A sum of twelve uniform draws: standard normal but for tails beyond six deviations, and the same on every machine, because
/// it needs no logarithm.
fn normal(draws: &mut impl Draw) -> f32 {
    (0..12).map(|_| draws.unit()).sum::<f32>() - 6.0
}

fn to_byte(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use image::Rgb;

    use super::*;

    fn picture() -> RgbImage {
        RgbImage::from_fn(64, 48, |x, y| {
            Rgb([(4 * x) as u8, (5 * y) as u8, if (x / 8 + y / 8) % 2 == 0 { 220 } else { 30 }])
        })
    }

    fn distance(a: &RgbImage, b: &RgbImage) -> f64 {
        let squares = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
        (squares.sum::<f64>() / a.as_raw().len() as f64).sqrt()
    }

    #[test]
    fn each_kind_changes_an_image_the_more_the_stronger_it_is_and_always_alike() {
        let image = picture();
        for pair in Shift::ALL.chunks(2) {
            let [weak, strong] = [pair[0], pair[1]].map(|shift| distance(&image, &shift.apply(&image, "a")));
            assert!(1.0 < weak && weak < strong && strong < 80.0, "{}: {weak} {strong}", pair[0]);
        }
        for shift in Shift::ALL {
            assert_eq!(shift.apply(&image, "a"), shift.apply(&image, "a"));
            assert_eq!(shift.apply(&image, "a").dimensions(), image.dimensions());
        }
        assert_ne!(Shift::ALL[0].apply(&image, "a"), Shift::ALL[0].apply(&image, "b"));
    }

    #[test]
    fn noise_has_its_deviation_and_contrast_its_share() {
        let grey = RgbImage::from_pixel(200, 200, Rgb([128; 3]));
        let noise = distance(&grey, &Shift::ALL[0].apply(&grey, "a"));
        assert!((noise - 0.08 * 255.0).abs() < 0.2, "{noise}");
        let image = picture();
        let half = Shift::ALL[4].apply(&image, "a");
        let range = |image: &RgbImage| {
            i32::from(*image.as_raw().iter().max().unwrap()) - i32::from(*image.as_raw().iter().min().unwrap())
        };
        assert!((range(&image) - 2 * range(&half)).abs() <= 2, "{} {}", range(&image), range(&half));
    }

    #[test]
    fn a_tiny_image_stays_an_image() {
        for shift in Shift::ALL {
            assert_eq!(shift.apply(&RgbImage::from_pixel(1, 2, Rgb([9; 3])), "a").dimensions(), (1, 2));
        }
    }
}
