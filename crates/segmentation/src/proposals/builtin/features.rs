//! Features for comparing regions: histograms of colours and gradients.

use super::colour::Planes;
use super::graph::Regions;

/// Bins of a colour histogram, per plane.
const COLOURS: usize = 16;
/// Directions of the brightness gradient.
const DIRECTIONS: usize = 8;
/// Number of values in a region's histograms.
const VALUES: usize = 3 * COLOURS + DIRECTIONS;

#[derive(Clone, Debug)]
pub(super) struct Features {
    /// Number of pixels.
    pub(super) size: f32,
    /// Left, top, right, bottom; the last two exclusive.
    bounds: [f32; 4],
    /// Colours, then directions, each adding up to 1.
    histogram: [f32; VALUES],
}

/// Computes the features of all regions.
pub(super) fn of(planes: &Planes, (width, height): (usize, usize), regions: &Regions) -> Vec<Features> {
    let none = Features { size: 0.0, bounds: [f32::MAX, f32::MAX, 0.0, 0.0], histogram: [0.0; VALUES] };
    let mut features = vec![none; regions.count];
    let bin = |value: f32| ((value * (COLOURS as f32 / 256.0)) as usize).min(COLOURS - 1);
    // Brightness is the first plane of one space and the last of the other; both have edges at the borders of objects.
    let light = &planes[0];
    for (pixel, &region) in regions.of.iter().enumerate() {
        let (x, y) = (pixel % width, pixel / width);
        let found = &mut features[region as usize];
        found.size += 1.0;
        let [left, top, right, bottom] = &mut found.bounds;
        (*left, *top) = (left.min(x as f32), top.min(y as f32));
        (*right, *bottom) = (right.max(x as f32 + 1.0), bottom.max(y as f32 + 1.0));
        for (plane, values) in planes.iter().enumerate() {
            found.histogram[plane * COLOURS + bin(values[pixel])] += 1.0;
        }
        let at = |x: usize, y: usize| light[y * width + x];
        let dx = at((x + 1).min(width - 1), y) - at(x.saturating_sub(1), y);
        let dy = at(x, (y + 1).min(height - 1)) - at(x, y.saturating_sub(1));
        found.histogram[3 * COLOURS + direction(dx, dy)] += (dx * dx + dy * dy).sqrt();
    }
    for found in &mut features {
        let (colours, directions) = found.histogram.split_at_mut(3 * COLOURS);
        for part in colours.chunks_mut(COLOURS).chain(std::iter::once(directions)) {
            let sum: f32 = part.iter().sum();
            part.iter_mut().for_each(|value| *value /= sum.max(1e-6));
        }
    }
    features
}

/// Returns one of eight directions, by comparisons alone.
fn direction(dx: f32, dy: f32) -> usize {
    usize::from(dx < 0.0) * 4 + usize::from(dy < 0.0) * 2 + usize::from(dx.abs() < dy.abs())
}

impl Features {
    /// Returns the similarity of two neighbours: the intersections of their histograms, and how small and how compact their
    /// union is (Uijlings et al., 2013, §3.2); 0 to 4.
    pub(super) fn similarity(&self, other: &Self, pixels: f32) -> f32 {
        let (colours, directions) = (0..3 * COLOURS, 3 * COLOURS..VALUES);
        let part = |range: std::ops::Range<usize>| -> f32 {
            self.histogram[range.clone()].iter().zip(&other.histogram[range]).map(|(a, b)| a.min(*b)).sum()
        };
        let both = self.size + other.size;
        let bounds = joined(self.bounds, other.bounds);
        let gap = (bounds[2] - bounds[0]) * (bounds[3] - bounds[1]) - both;
        part(colours) / 3.0 + part(directions) + (1.0 - both / pixels) + (1.0 - gap / pixels)
    }

    /// Returns the features of the union.
    pub(super) fn join(&self, other: &Self) -> Self {
        let size = self.size + other.size;
        let mix = |at: usize| (self.histogram[at] * self.size + other.histogram[at] * other.size) / size;
        Self { size, bounds: joined(self.bounds, other.bounds), histogram: std::array::from_fn(mix) }
    }
}

fn joined(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
    [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]
}
