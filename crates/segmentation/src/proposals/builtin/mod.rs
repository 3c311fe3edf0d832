//! Mask proposals without weights: graph-based segmentation (Felzenszwalb and Huttenlocher, 2004) at several scales and in several
//! colour spaces, each grouped hierarchically (Uijlings et al., Selective Search, 2013).
//!
//! Every region of every hierarchy is a candidate. Near-duplicates are merged and ranked higher; the best of
//! the rest are the proposals. The result is a function of pixels and options.

mod bits;
mod colour;
mod features;
mod graph;
mod grouping;
mod select;

use radapter_images::{Interpolation, RgbImage, resize};

use crate::mask::Rle;
use bits::Bits;
use colour::Space;
use select::Candidate;

/// Options of the generator.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Maximum number of masks per image.
    pub max_masks: usize,
    /// Scales of the graph-based segmentation, `k` in its paper for colours from 0 to 255: larger scales give larger regions.
    pub scales: Vec<f32>,
    /// Larger images are reduced to this longer side, in pixels, to generate masks.
    pub longest_side: u32,
    /// Intersection over union from which masks count as the same.
    pub same: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_masks: 200, scales: vec![80.0, 200.0, 500.0], longest_side: 384, same: 0.8 }
    }
}

/// Mask with its score.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// The mask, in the image's size.
    pub mask: Rle,
    /// Weight of the mask; always 1.
    pub score: f32,
}

/// Proposes masks of an image, most salient first; at least one, which for an image without edges is all of it.
pub fn proposals(image: &RgbImage, options: &Options) -> Vec<Scored> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let small = reduced(image, options.longest_side.max(1));
    let size = (small.width() as usize, small.height() as usize);
    let mut candidates = Vec::new();
    for space in Space::ALL {
        let planes = colour::smoothed(&colour::planes(&small, space), size);
        let edges = graph::edges(&planes, size);
        for &scale in &options.scales {
            let regions = graph::segment(&edges, size, scale, smallest(size) / 2);
            grouping::candidates(&planes, &features::of(&planes, size, &regions), &regions, size, &mut candidates);
        }
    }
    let kept = select::select(candidates, size.0, smallest(size), options.same, options.max_masks.max(1));
    let full = |candidate: Candidate| Scored { mask: enlarged(&candidate.bits, size, (width, height)), score: 1.0 };
    let mut found: Vec<Scored> = kept.into_iter().map(full).collect();
    if found.is_empty() {
        found.push(Scored { mask: Rle::whole(width, height), score: 1.0 });
    }
    found
}

/// Returns the minimum mask size: a thousandth of the image.
fn smallest((width, height): (usize, usize)) -> usize {
    (width * height / 1000).clamp(1, 64)
}

/// Reduces the image so that its longer side does not exceed a limit.
fn reduced(image: &RgbImage, longest: u32) -> RgbImage {
    let (width, height) = image.dimensions();
    let longer = width.max(height);
    if longer <= longest {
        return image.clone();
    }
    let side = |side: u32| (u64::from(side) * u64::from(longest) / u64::from(longer)).max(1) as u32;
    resize(image, side(width), side(height), Interpolation::Bilinear)
}

/// Scales a mask to the image's size, by the nearest pixel of the reduced image.
fn enlarged(bits: &Bits, (small_width, small_height): (usize, usize), (width, height): (usize, usize)) -> Rle {
    let mut rows = vec![0_u32; small_height];
    (0..height).for_each(|y| rows[y * small_height / height] += 1);
    let column = |x: usize| {
        let start = x * small_width / width;
        rows.iter().enumerate().map(move |(y, &length)| (bits.has(y * small_width + start), length))
    };
    Rle::of_runs(width, height, (0..width).flat_map(column))
}

#[cfg(test)]
mod tests;
