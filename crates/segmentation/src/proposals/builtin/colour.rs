//! Colour spaces for comparing pixels.

use radapter_images::RgbImage;

/// Three planes of values, each roughly from 0 to 255.
pub(super) type Planes = [Vec<f32>; 3];

/// Colour space for comparing pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// CIELAB: perceptual differences.
    Lab,
    /// Hue and saturation as a point on a disc, and intensity: shadows change one of three values.
    Disc,
}

impl Space {
    pub(super) const ALL: [Self; 2] = [Self::Lab, Self::Disc];
}

pub(super) fn planes(image: &RgbImage, space: Space) -> Planes {
    let mut planes: Planes = std::array::from_fn(|_| Vec::with_capacity(image.as_raw().len() / 3));
    let mut push = |values: [f32; 3]| planes.iter_mut().zip(values).for_each(|(plane, value)| plane.push(value));
    match space {
        Space::Lab => {
            let linear: Vec<f32> = (0..=255).map(|byte| linear(byte as f32 / 255.0)).collect();
            image.pixels().for_each(|pixel| push(lab(pixel.0.map(|byte| linear[usize::from(byte)]))));
        }
        Space::Disc => image.pixels().for_each(|pixel| push(disc(pixel.0.map(f32::from)))),
    }
    planes
}

/// sRGB's transfer function (IEC 61966-2-1).
fn linear(value: f32) -> f32 {
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// Converts to CIELAB under D65, with L from 0 to 255 and a and b shifted and scaled alike.
fn lab([red, green, blue]: [f32; 3]) -> [f32; 3] {
    let x = (0.412_456 * red + 0.357_576 * green + 0.180_437 * blue) / 0.950_47;
    let y = 0.212_673 * red + 0.715_152 * green + 0.072_175 * blue;
    let z = (0.019_334 * red + 0.119_192 * green + 0.950_304 * blue) / 1.088_83;
    let f = |t: f32| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
    let (x, y, z) = (f(x), f(y), f(z));
    let (l, a, b) = (116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z));
    [2.55 * l, 2.55 * a + 128.0, 2.55 * b + 128.0]
}

/// Converts to the two opponents of normalised colours, scaled down in the dark, and intensity.
fn disc([red, green, blue]: [f32; 3]) -> [f32; 3] {
    let sum = red + green + blue;
    // In the dark, colours are noise.
    let weight = 255.0 * (sum / 96.0).min(1.0) / sum.max(1.0);
    let first = (red - green) * weight;
    let second = (red + green - 2.0 * blue) * weight * 0.5;
    [first + 128.0, second + 128.0, sum / 3.0]
}

/// Smooths with a Gaussian of σ = 0.8, as graph-based segmentation expects: single pixels are noise.
pub(super) fn smoothed(planes: &Planes, (width, height): (usize, usize)) -> Planes {
    const KERNEL: [f32; 7] = {
        // exp(−x²/(2·0.8²)) of −3…3, normalised.
        [0.000_441, 0.021_913, 0.228_311, 0.498_67, 0.228_311, 0.021_913, 0.000_441]
    };
    planes.each_ref().map(|plane| {
        let along = |plane: &[f32], length: usize, step: usize, lines: &mut dyn Iterator<Item = usize>| {
            let mut out = vec![0.0; plane.len()];
            for start in lines {
                for at in 0..length {
                    let tap = |(offset, weight): (usize, &f32)| {
                        let from = (at + offset).saturating_sub(3).min(length - 1);
                        weight * plane[start + from * step]
                    };
                    out[start + at * step] = KERNEL.iter().enumerate().map(tap).sum();
                }
            }
            out
        };
        let across = along(plane, width, 1, &mut (0..height).map(|row| row * width));
        along(&across, height, width, &mut (0..width))
    })
}
