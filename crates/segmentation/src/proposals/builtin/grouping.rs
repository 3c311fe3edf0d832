//! Hierarchical grouping of neighbouring regions, most similar first.

use std::collections::{BTreeMap, BinaryHeap};

use super::bits::Bits;
use super::colour::Planes;
use super::features::Features;
use super::graph::Regions;
use super::select::{Candidate, Extent};

/// Two neighbours, ordered by similarity, then by their numbers.
#[derive(PartialEq)]
struct Pair {
    similarity: f32,
    a: usize,
    b: usize,
}

impl Eq for Pair {}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.similarity.total_cmp(&other.similarity).then_with(|| (other.a, other.b).cmp(&(self.a, self.b)))
    }
}

/// Number of pixel pairs across a border, and the sum of their differences.
#[derive(Clone, Copy, Default)]
struct Border {
    length: f32,
    contrast: f32,
}

impl Border {
    fn add(&mut self, other: Self) {
        self.length += other.length;
        self.contrast += other.contrast;
    }
}

/// Region of the hierarchy.
struct Node {
    features: Features,
    /// Border to each neighbour.
    neighbours: BTreeMap<usize, Border>,
    bits: Bits,
    extent: Extent,
    /// Mean difference across its border.
    contrast: f32,
    /// Whether it was joined to another.
    is_absorbed: bool,
}

/// Joins the two most similar neighbours until one region is left; every intermediate region is a candidate.
pub(super) fn candidates(
    planes: &Planes,
    features: &[Features],
    regions: &Regions,
    (width, height): (usize, usize),
    candidates: &mut Vec<Candidate>,
) {
    let pixels = width * height;
    let node = |features: &Features| Node {
        features: features.clone(),
        neighbours: BTreeMap::new(),
        bits: Bits::none(pixels),
        extent: Extent::NONE,
        contrast: 0.0,
        is_absorbed: false,
    };
    let mut nodes: Vec<Node> = features.iter().map(node).collect();
    for (pixel, &region) in regions.of.iter().enumerate() {
        let region = region as usize;
        nodes[region].bits.insert(pixel);
        nodes[region].extent = nodes[region].extent.join(Extent::of_pixel(pixel % width, pixel / width));
        let right = (pixel % width + 1 < width).then_some(pixel + 1);
        let below = Some(pixel + width).filter(|below| *below < pixels);
        for other in [right, below].into_iter().flatten() {
            let squares: f32 = planes.iter().map(|plane| (plane[pixel] - plane[other]).powi(2)).sum();
            let border = Border { length: 1.0, contrast: squares.sqrt() };
            let other = regions.of[other] as usize;
            if other != region {
                nodes[region].neighbours.entry(other).or_default().add(border);
                nodes[other].neighbours.entry(region).or_default().add(border);
            }
        }
    }
    let mut heap = BinaryHeap::new();
    for a in 0..nodes.len() {
        for (&b, _) in nodes[a].neighbours.range(a + 1..) {
            let similarity = nodes[a].features.similarity(&nodes[b].features, pixels as f32);
            heap.push(Pair { similarity, a, b });
        }
    }
    while let Some(Pair { a, b, .. }) = heap.pop() {
        // A pair with a region that was joined already.
        if nodes[a].is_absorbed || nodes[b].is_absorbed {
            continue;
        }
        let new = nodes.len();
        for node in [a, b] {
            nodes[node].contrast = contrast(&nodes[node].neighbours);
        }
        let mut neighbours = std::mem::take(&mut nodes[a].neighbours);
        for (other, border) in std::mem::take(&mut nodes[b].neighbours) {
            neighbours.entry(other).or_default().add(border);
        }
        neighbours.remove(&a);
        neighbours.remove(&b);
        let features = nodes[a].features.join(&nodes[b].features);
        for (&other, border) in &neighbours {
            let of_other = &mut nodes[other].neighbours;
            of_other.remove(&a);
            of_other.remove(&b);
            of_other.insert(new, *border);
            let similarity = features.similarity(&nodes[other].features, pixels as f32);
            heap.push(Pair { similarity, a: other, b: new });
        }
        let bits = nodes[a].bits.or(&nodes[b].bits);
        let extent = nodes[a].extent.join(nodes[b].extent);
        nodes[a].is_absorbed = true;
        nodes[b].is_absorbed = true;
        nodes.push(Node { features, neighbours, bits, extent, contrast: 0.0, is_absorbed: false });
    }
    candidates.extend(nodes.into_iter().map(|node| {
        let area = node.features.size as usize;
        Candidate { bits: node.bits, extent: node.extent, area, contrast: node.contrast }
    }));
}

fn contrast(neighbours: &BTreeMap<usize, Border>) -> f32 {
    let mut border = Border::default();
    neighbours.values().for_each(|other| border.add(*other));
    border.contrast / border.length.max(1.0)
}
