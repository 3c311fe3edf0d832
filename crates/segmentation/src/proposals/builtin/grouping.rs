use std::collections::{BTreeSet, BinaryHeap};

use super::bits::Bits;
use super::features::Features;
use super::graph::Regions;
use super::select::Candidate;

/// Two neighbours, ordered by how much they are like each other, then by their numbers.
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

/// A region of the hierarchy.
struct Node {
    features: Features,
    neighbours: BTreeSet<usize>,
    bits: Bits,
    /// The similarity of the two it was joined from.
    formed: f32,
    /// That at which it was joined to another.
    absorbed: Option<f32>,
}

/// Joins the two neighbours that are most alike until one region is left; every region on the way is a candidate.
pub(super) fn candidates(
    features: &[Features],
    regions: &Regions,
    (width, height): (usize, usize),
    candidates: &mut Vec<Candidate>,
) {
    let pixels = width * height;
    let node = |features: &Features| Node {
        features: features.clone(),
        neighbours: BTreeSet::new(),
        bits: Bits::none(pixels),
        // A region of the graph is as alike as neighbours can be.
        formed: 4.0,
        absorbed: None,
    };
    let mut nodes: Vec<Node> = features.iter().map(node).collect();
    for (pixel, &region) in regions.of.iter().enumerate() {
        let region = region as usize;
        nodes[region].bits.insert(pixel);
        let right = (pixel % width + 1 < width).then_some(pixel + 1);
        let below = Some(pixel + width).filter(|below| *below < pixels);
        for other in [right, below].into_iter().flatten() {
            let other = regions.of[other] as usize;
            if other != region {
                nodes[region].neighbours.insert(other);
                nodes[other].neighbours.insert(region);
            }
        }
    }
    let mut heap = BinaryHeap::new();
    for a in 0..nodes.len() {
        for &b in nodes[a].neighbours.range(a + 1..) {
            let similarity = nodes[a].features.similarity(&nodes[b].features, pixels as f32);
            heap.push(Pair { similarity, a, b });
        }
    }
    while let Some(Pair { similarity, a, b }) = heap.pop() {
        // A pair of which one is gone already.
        if nodes[a].absorbed.is_some() || nodes[b].absorbed.is_some() {
            continue;
        }
        let new = nodes.len();
        let mut neighbours: BTreeSet<usize> = nodes[a].neighbours.union(&nodes[b].neighbours).copied().collect();
        neighbours.remove(&a);
        neighbours.remove(&b);
        for &other in &neighbours {
            let of_other = &mut nodes[other].neighbours;
            of_other.remove(&a);
            of_other.remove(&b);
            of_other.insert(new);
        }
        let features = nodes[a].features.join(&nodes[b].features);
        for &other in &neighbours {
            let similarity = features.similarity(&nodes[other].features, pixels as f32);
            heap.push(Pair { similarity, a: other, b: new });
        }
        let bits = nodes[a].bits.or(&nodes[b].bits);
        nodes[a].absorbed = Some(similarity);
        nodes[b].absorbed = Some(similarity);
        nodes.push(Node { features, neighbours, bits, formed: similarity, absorbed: None });
    }
    let count = nodes.len();
    for (order, node) in nodes.into_iter().enumerate() {
        let area = node.features.size as usize;
        // How much less it is like its surroundings than its parts are like each other.
        let lifetime = (node.formed - node.absorbed.unwrap_or(0.0)).max(0.0);
        let late = (order + 1) as f32 / count as f32;
        candidates.push(Candidate { bits: node.bits, area, lifetime, late });
    }
}
