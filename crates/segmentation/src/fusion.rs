//! Fusion of masks with class probabilities into one class per pixel, as in OVSeg (Liang et al., CVPR 2023).
//!
//! With `c` the class probabilities of a region by CLIP, `p` those by the mask generator and λ the weight of CLIP,
//!
//! ```text
//! class_q = p_q^(1−λ) · c_q^λ          pixel(k) = Σ_q w_q · class_q(k) · mask_q          label = argmax_k pixel(k)
//! ```
//!
//! where `mask_q` is the sigmoid of the mask's logits, or 0 and 1, and `w_q` the mask's weight.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::mask::{Mask, Rle};

/// Maximum number of values in a band of rows while soft masks are summed: 64 MiB.
const BAND: usize = 16 << 20;

/// Converts cosines to probabilities: softmax of `cosine / τ`.
///
/// # Shapes
/// `[classes]` → `[classes]`
pub fn probabilities(cosines: &[f32], temperature: f32) -> Vec<f32> {
    softmax(cosines.iter().map(|cosine| cosine / temperature))
}

/// Converts the generator's logits to probabilities: softmax over all columns, of which the last, "no object", is dropped
/// afterwards.
///
/// # Shapes
/// `[classes + 1]` → `[classes]`
pub fn generator_probabilities(logits: &[f32]) -> Vec<f32> {
    let mut probabilities = softmax(logits.iter().copied());
    probabilities.pop();
    probabilities
}

fn softmax(logits: impl Iterator<Item = f32> + Clone) -> Vec<f32> {
    let largest = logits.clone().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f32> = logits.map(|logit| (logit - largest).exp()).collect();
    let sum: f32 = exponentials.iter().sum();
    exponentials.into_iter().map(|value| value / sum).collect()
}

/// Computes `p^(1−λ) · c^λ` per class.
///
/// # Shapes
/// both `[classes]` → `[classes]`
pub fn fuse(generator: &[f32], clip: &[f32], lambda: f32) -> Vec<f32> {
    generator.iter().zip(clip).map(|(p, c)| p.powf(1.0 - lambda) * c.powf(lambda)).collect()
}

/// Mask of an image, as it enters the sum.
#[derive(Clone, Debug)]
pub enum Cover {
    /// Values 0 or 1.
    Binary(Rle),
    /// Sigmoid of logits: `[height · width]`, row by row.
    Soft(Vec<f32>),
}

/// Mask with a value per class, its weight included.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Vote {
    pub cover: Cover,
    /// `[classes]`
    pub classes: Vec<f32>,
}

/// Returns the best class of each pixel, row by row, the first of equals; `None` for pixels outside all masks.
///
/// # Shapes
/// covers of `width · height` pixels → `[height · width]`
///
/// # Panics
/// If a cover differs in size from the image, or the votes differ in their number of classes: both are checked where they are read.
pub fn label_pixels(width: usize, height: usize, votes: &[Vote]) -> Vec<Option<u16>> {
    let classes = check(width, height, votes);
    let is_binary = |vote: &Vote| matches!(vote.cover, Cover::Binary(_));
    if votes.iter().all(is_binary) { by_cells(width * height, votes) } else { by_bands(width, height, classes, votes) }
}

/// Checks sizes and returns the number of classes.
fn check(width: usize, height: usize, votes: &[Vote]) -> usize {
    let classes = votes.first().map_or(0, |vote| vote.classes.len());
    for vote in votes {
        assert_eq!(vote.classes.len(), classes, "votes for different classes");
        let pixels = match &vote.cover {
            Cover::Binary(mask) => mask.width() * mask.height(),
            Cover::Soft(values) => values.len(),
        };
        assert_eq!(pixels, width * height, "the mask's and the image's size");
    }
    classes
}

/// Labels pixels by cells: pixels under the same masks have the same sum, which is computed once per cell. Masks are many and
/// nested; cells are few.
fn by_cells(pixels: usize, votes: &[Vote]) -> Vec<Option<u16>> {
    let mut cell_of = vec![0_u32; pixels];
    // For each cell, the cell it was split from and the mask that split it.
    let mut cells: Vec<Option<(u32, usize)>> = vec![None];
    for (index, vote) in votes.iter().enumerate() {
        let Cover::Binary(mask) = &vote.cover else { continue };
        // One mask at a time: all of them at once can be gigabytes.
        let mask = mask.decode();
        let mut cut: HashMap<u32, u32> = HashMap::new();
        let mut last = None;
        for (cell, _) in cell_of.iter_mut().zip(mask.bits()).filter(|(_, inside)| **inside) {
            // Neighbouring pixels mostly belong to one cell.
            let new = match last {
                Some((from, to)) if from == *cell => to,
                _ => *cut.entry(*cell).or_insert_with(|| {
                    cells.push(Some((*cell, index)));
                    (cells.len() - 1) as u32
                }),
            };
            last = Some((*cell, new));
            *cell = new;
        }
    }
    let mut is_used = vec![false; cells.len()];
    cell_of.iter().for_each(|&cell| is_used[cell as usize] = true);
    let best = |cell: usize| {
        let mut under = Vec::new();
        let mut at = cell;
        while let Some((from, index)) = cells[at] {
            under.push(index);
            at = from as usize;
        }
        let mut sums = vec![0.0_f32; votes.first().map_or(0, |vote| vote.classes.len())];
        // In the order of the masks, however the cell was formed.
        for index in under.iter().rev() {
            sums.iter_mut().zip(&votes[*index].classes).for_each(|(sum, value)| *sum += value);
        }
        (!under.is_empty()).then(|| argmax(&sums))
    };
    let labels: Vec<Option<u16>> =
        (0..cells.len()).into_par_iter().map(|cell| if is_used[cell] { best(cell) } else { None }).collect();
    cell_of.into_iter().map(|cell| labels[cell as usize]).collect()
}

/// Returns the sums themselves, a value per pixel and class. For a large image with many classes they are many gigabytes;
/// [`label_pixels`] never holds them all.
///
/// # Shapes
/// covers of `width · height` pixels → `[height · width, classes]`
///
/// # Panics
/// Those of [`label_pixels`].
pub fn pixel_sums(width: usize, height: usize, votes: &[Vote]) -> Vec<f32> {
    let classes = check(width, height, votes);
    band(0..width * height, classes, &plain(votes)).0
}

/// Vote with its mask row by row.
struct Plain<'a> {
    cover: Values<'a>,
    classes: &'a [f32],
}

enum Values<'a> {
    Binary(Mask),
    Soft(&'a [f32]),
}

impl Values<'_> {
    fn at(&self, pixel: usize) -> f32 {
        match self {
            Self::Binary(mask) => f32::from(u8::from(mask.bits()[pixel])),
            Self::Soft(values) => values[pixel],
        }
    }
}

impl<'a> Plain<'a> {
    fn of(vote: &'a Vote) -> Self {
        let cover = match &vote.cover {
            Cover::Binary(rle) => Values::Binary(rle.decode()),
            Cover::Soft(values) => Values::Soft(values),
        };
        Self { cover, classes: &vote.classes }
    }
}

fn plain(votes: &[Vote]) -> Vec<Plain<'_>> {
    votes.iter().map(Plain::of).collect()
}

/// Computes the sums of some pixels, and whether each is under a mask.
fn band(pixels: std::ops::Range<usize>, classes: usize, votes: &[Plain<'_>]) -> (Vec<f32>, Vec<bool>) {
    let mut sums = vec![0.0_f32; pixels.len() * classes];
    let mut is_covered = vec![false; pixels.len()];
    for vote in votes {
        for (place, pixel) in pixels.clone().enumerate() {
            let value = vote.cover.at(pixel);
            if value > 0.0 {
                is_covered[place] = true;
                let sums = &mut sums[place * classes..(place + 1) * classes];
                sums.iter_mut().zip(vote.classes).for_each(|(sum, class)| *sum += value * class);
            }
        }
    }
    (sums, is_covered)
}

/// Labels pixels in bands of rows, so that only the sums of one band are in memory.
fn by_bands(width: usize, height: usize, classes: usize, votes: &[Vote]) -> Vec<Option<u16>> {
    let votes = plain(votes);
    let threads = rayon::current_num_threads().max(1);
    let rows = (BAND / threads / (width * classes).max(1)).clamp(1, height.max(1));
    let starts: Vec<usize> = (0..height).step_by(rows).collect();
    let labels = |start: usize| {
        let (sums, is_covered) = band(start * width..(start + rows).min(height) * width, classes, &votes);
        let best = |(sums, covered): (&[f32], bool)| covered.then(|| argmax(sums));
        sums.chunks_exact(classes.max(1)).zip(is_covered).map(best).collect::<Vec<_>>()
    };
    starts.into_par_iter().flat_map_iter(labels).collect()
}

/// Returns the index of the largest value, the first of equals.
pub(crate) fn argmax(values: &[f32]) -> u16 {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best as u16
}

#[cfg(test)]
mod tests;
