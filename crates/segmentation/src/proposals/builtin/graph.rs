//! Graph-based segmentation of the pixels into initial regions.

use super::colour::Planes;

/// Resolution of edge weights for sorting.
const STEPS: f32 = 32.0;

/// Edges between neighbouring pixels, lightest first.
pub(super) struct Edges {
    /// Pixel and direction of each edge, four directions per pixel.
    order: Vec<u32>,
    /// In the same order.
    weights: Vec<f32>,
}

/// Regions of an image.
pub(super) struct Regions {
    /// Region of each pixel, counted from 0.
    pub(super) of: Vec<u32>,
    pub(super) count: usize,
}

/// Returns the neighbour to the right, below, below right or above right.
fn neighbour(pixel: usize, direction: usize, (width, height): (usize, usize)) -> Option<usize> {
    let (x, y) = (pixel % width, pixel / width);
    match direction {
        0 => (x + 1 < width).then_some(pixel + 1),
        1 => (y + 1 < height).then_some(pixel + width),
        2 => (x + 1 < width && y + 1 < height).then_some(pixel + width + 1),
        _ => (x + 1 < width && y > 0).then(|| pixel + 1 - width),
    }
}

/// Returns all edges, sorted by weight, the distance of both colours; equals by pixel.
pub(super) fn edges(planes: &Planes, size: (usize, usize)) -> Edges {
    let pixels = planes[0].len();
    let weight = |a: usize, b: usize| {
        let squares: f32 = planes.iter().map(|plane| (plane[a] - plane[b]) * (plane[a] - plane[b])).sum();
        squares.sqrt()
    };
    let mut found = Vec::with_capacity(4 * pixels);
    for pixel in 0..pixels {
        for direction in 0..4 {
            if let Some(other) = neighbour(pixel, direction, size) {
                let weight = weight(pixel, other);
                found.push(((4 * pixel + direction) as u32, weight, (weight * STEPS) as usize));
            }
        }
    }
    // A counting sort: there are few distinct weights and very many edges.
    let steps = found.iter().map(|(_, _, step)| step + 1).max().unwrap_or(0);
    let mut starts = vec![0_usize; steps + 1];
    found.iter().for_each(|(_, _, step)| starts[step + 1] += 1);
    (0..steps).for_each(|step| starts[step + 1] += starts[step]);
    let mut edges = Edges { order: vec![0; found.len()], weights: vec![0.0; found.len()] };
    for (edge, weight, step) in found {
        let place = &mut starts[step];
        (edges.order[*place], edges.weights[*place]) = (edge, weight);
        *place += 1;
    }
    edges
}

/// Union-find structure of pixels.
struct Forest {
    parent: Vec<u32>,
    size: Vec<u32>,
    /// Weight up to which a region merges with another.
    limit: Vec<f32>,
}

impl Forest {
    fn root(&mut self, pixel: usize) -> usize {
        let mut at = pixel as u32;
        while self.parent[at as usize] != at {
            let above = self.parent[self.parent[at as usize] as usize];
            self.parent[at as usize] = above;
            at = above;
        }
        at as usize
    }

    /// Joins two roots; the larger stays, the first of equals.
    fn join(&mut self, a: usize, b: usize) -> usize {
        let (a, b) = if self.size[a] >= self.size[b] { (a, b) } else { (b, a) };
        self.parent[b] = a as u32;
        self.size[a] += self.size[b];
        a
    }
}

/// Segments at a scale: an edge joins two regions if it is not heavier than the heaviest inside either, plus `scale` over its
/// size; then regions below `smallest` pixels join their most similar neighbour.
pub(super) fn segment(edges: &Edges, size: (usize, usize), scale: f32, smallest: usize) -> Regions {
    let pixels = size.0 * size.1;
    let mut forest = Forest { parent: (0..pixels as u32).collect(), size: vec![1; pixels], limit: vec![scale; pixels] };
    let ends = |edge: u32| {
        let (pixel, direction) = (edge as usize / 4, edge as usize % 4);
        Some((pixel, neighbour(pixel, direction, size)?))
    };
    for (&edge, &weight) in edges.order.iter().zip(&edges.weights) {
        let Some((a, b)) = ends(edge) else { continue };
        let (a, b) = (forest.root(a), forest.root(b));
        if a != b && weight <= forest.limit[a].min(forest.limit[b]) {
            let joined = forest.join(a, b);
            forest.limit[joined] = weight + scale / forest.size[joined] as f32;
        }
    }
    for &edge in &edges.order {
        let Some((a, b)) = ends(edge) else { continue };
        let (a, b) = (forest.root(a), forest.root(b));
        if a != b && (forest.size[a].min(forest.size[b]) as usize) < smallest {
            forest.join(a, b);
        }
    }
    let mut number = vec![u32::MAX; pixels];
    let mut count = 0;
    let mut of = Vec::with_capacity(pixels);
    for pixel in 0..pixels {
        let number = &mut number[forest.root(pixel)];
        if *number == u32::MAX {
            *number = count;
            count += 1;
        }
        of.push(*number);
    }
    Regions { of, count: count as usize }
}
