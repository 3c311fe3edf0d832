//! Regions of a label map and the places of their names.

use radapter_datasets::label_map::{IGNORED, LabelMap};

use crate::pictures::ImageLabel;

/// A connected region of a label map.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Region {
    label: u16,
    /// Its share of the pixels.
    share: f64,
    /// A point deep inside, from the left and from the top as fractions of the map's size.
    at: (f64, f64),
}

/// The connected regions of at least `least` of the pixels, the largest first. Ignored pixels are no region.
fn regions(map: &LabelMap, least: f64) -> Vec<Region> {
    let (width, labels) = (map.width(), map.labels());
    let depth = depths(map);
    let mut seen = vec![false; labels.len()];
    let mut found = Vec::new();
    for start in 0..labels.len() {
        if seen[start] || labels[start] == IGNORED {
            continue;
        }
        let (mut count, mut deepest) = (0_usize, start);
        let mut open = vec![start];
        seen[start] = true;
        while let Some(at) = open.pop() {
            count += 1;
            if depth[at] > depth[deepest] {
                deepest = at;
            }
            for next in neighbours(at, width, labels.len()) {
                if !seen[next] && labels[next] == labels[start] {
                    seen[next] = true;
                    open.push(next);
                }
            }
        }
        let share = count as f64 / labels.len() as f64;
        if share >= least {
            let centre = |place: usize, size: usize| (place as f64 + 0.5) / size as f64;
            let at = (centre(deepest % width, width), centre(deepest / width, map.height()));
            found.push(Region { label: labels[start], share, at });
        }
    }
    found.sort_by(|a, b| b.share.total_cmp(&a.share));
    found
}

/// How many pixels each pixel is away from another label or from the map's edge, along rows and columns.
fn depths(map: &LabelMap) -> Vec<u32> {
    let (width, labels) = (map.width(), map.labels());
    let inner = |at: usize| {
        let count = neighbours(at, width, labels.len()).filter(|&next| labels[next] == labels[at]).count();
        count == 4
    };
    let mut depth: Vec<u32> = (0..labels.len()).map(|at| if inner(at) { u32::MAX } else { 0 }).collect();
    let relax = |depth: &mut Vec<u32>, at: usize| {
        let least = neighbours(at, width, labels.len()).map(|next| depth[next].saturating_add(1)).min();
        depth[at] = depth[at].min(least.unwrap_or(0));
    };
    (0..labels.len()).for_each(|at| relax(&mut depth, at));
    (0..labels.len()).rev().for_each(|at| relax(&mut depth, at));
    depth
}

/// The pixels above, below, to the left and to the right.
fn neighbours(at: usize, width: usize, count: usize) -> impl Iterator<Item = usize> {
    let column = at % width;
    let left = (column > 0).then(|| at - 1);
    let right = (column + 1 < width).then_some(at + 1);
    let above = at.checked_sub(width);
    let below = Some(at + width).filter(|below| *below < count);
    [left, right, above, below].into_iter().flatten()
}

/// Pixels along the longer side of a map in which regions are sought: the names' places are those of a smaller picture.
const SOUGHT: usize = 450;

/// A larger map reduced to [`SOUGHT`] pixels by nearest neighbour; `None` for any other.
fn reduced(map: &LabelMap) -> Option<LabelMap> {
    let (width, height) = (map.width(), map.height());
    let longer = width.max(height);
    if longer <= SOUGHT {
        return None;
    }
    let [columns, rows] = [width, height].map(|size| (size * SOUGHT / longer).max(1));
    let nearest = |place: usize, places: usize, size: usize| (2 * place + 1) * size / (2 * places);
    let label = |at: usize| {
        let (x, y) = (nearest(at % columns, columns, width), nearest(at / columns, rows, height));
        map.labels()[y * width + x]
    };
    LabelMap::new(columns, rows, (0..columns * rows).map(label).collect())
}

/// Estimated size of a label in pixels, per letter and in all.
const LETTER: f64 = 7.5;
const EDGE: f64 = 10.0;
const HEIGHT: f64 = 20.0;

/// Names of a map's largest regions by its labels' `names`, for [`Panel::labels`](crate::Panel::labels),
/// without those that would collide with a larger region's in an image `shown` pixels wide.
pub fn region_labels(map: &LabelMap, names: &[String], shown: f64) -> Vec<ImageLabel> {
    let tall = shown * map.height() as f64 / map.width() as f64;
    let reduced = reduced(map);
    let mut placed: Vec<(f64, f64, f64)> = Vec::new();
    let mut labels = Vec::new();
    for Region { label, at: (x, y), .. } in regions(reduced.as_ref().unwrap_or(map), 0.01) {
        let Some(name) = names.get(usize::from(label)) else { continue };
        let half = (LETTER * name.chars().count() as f64 + EDGE) / 2.0;
        if 2.0 * half > shown || HEIGHT > tall {
            continue;
        }
        let (x, y) = ((shown * x).clamp(half, shown - half), (tall * y).clamp(HEIGHT / 2.0, tall - HEIGHT / 2.0));
        let apart = |&(other_x, other_y, other_half): &(f64, f64, f64)| {
            (x - other_x).abs() >= half + other_half || (y - other_y).abs() >= HEIGHT
        };
        if placed.iter().all(apart) {
            placed.push((x, y, half));
            labels.push(ImageLabel { text: name.clone(), at: (x / shown, y / tall) });
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// A ring of label 1 around label 0, and a strip of ignored pixels.
    fn ring() -> LabelMap {
        let label = |x: usize, y: usize| match (x, y) {
            (18.., _) => IGNORED,
            (5..9, 3..7) => 0,
            _ => 1,
        };
        LabelMap::new(20, 10, (0..200).map(|at| label(at % 20, at / 20)).collect()).unwrap()
    }

    #[test]
    fn regions_are_named_deep_inside() {
        let found = regions(&ring(), 0.0);
        assert_eq!(found.iter().map(|region| region.label).collect::<Vec<_>>(), [1, 0]);
        assert_eq!((found[0].share, found[1].share), (164.0 / 200.0, 16.0 / 200.0));
        for region in &found {
            let (x, y) = ((region.at.0 * 20.0) as usize, (region.at.1 * 10.0) as usize);
            assert_eq!(ring().labels()[y * 20 + x], region.label);
        }
        assert!(found[0].at.0 > 0.5, "the ring is widest on the right: {found:?}");
        assert_eq!(regions(&ring(), 0.5).len(), 1);
    }

    #[test]
    fn a_large_map_is_reduced_and_keeps_its_regions() {
        let (ring, times) = (ring(), 50);
        assert!(reduced(&ring).is_none());
        let label = |at: usize| ring.labels()[at / (20 * times) / times * 20 + at % (20 * times) / times];
        let large = LabelMap::new(20 * times, 10 * times, (0..200 * times * times).map(label).collect()).unwrap();
        let small = reduced(&large).unwrap();
        assert_eq!((small.width(), small.height()), (SOUGHT, SOUGHT / 2));
        for (found, expected) in regions(&small, 0.0).iter().zip(regions(&ring, 0.0)) {
            assert_eq!(found.label, expected.label);
            assert!((found.share - expected.share).abs() < 0.01, "{found:?} {expected:?}");
        }
        let line = LabelMap::new(1000, 1, vec![0; 1000]).unwrap();
        assert_eq!(reduced(&line).map(|line| (line.width(), line.height())), Some((SOUGHT, 1)));
    }

    #[test]
    fn names_do_not_collide() {
        let names = ["grass".to_owned(), "sky".to_owned()];
        let labels = region_labels(&ring(), &names, 300.0);
        assert_eq!(labels.iter().map(|label| label.text.as_str()).collect::<Vec<_>>(), ["sky", "grass"]);
        // Stripes of three pixels leave room for every other name at most.
        let stripes = LabelMap::new(100, 90, (0..9000).map(|at| (at / 300 % 2) as u16).collect()).unwrap();
        let labels = region_labels(&stripes, &names, 300.0);
        assert!(labels.len() > 1 && labels.len() <= 13, "{}", labels.len());
        let long = vec!["x".repeat(60); 2];
        assert!(region_labels(&ring(), &long, 300.0).is_empty(), "wider than the image");
    }
}
