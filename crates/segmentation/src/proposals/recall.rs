//! Recall of proposals on annotated segments.

use serde::{Deserialize, Serialize};

use crate::mask::Mask;

/// Sums over a set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fit {
    images: usize,
    masks: usize,
    segments: usize,
    best: f64,
    above_50: usize,
    above_75: usize,
}

/// Recall on a set, as fractions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// Mean number of masks per image.
    pub masks_per_image: f64,
    /// Mean over segments of the best mask's IoU.
    pub best_iou: f64,
    /// Share of segments for which some mask has an IoU of at least 0.5.
    pub recall_50: f64,
    /// The same at 0.75.
    pub recall_75: f64,
}

/// Returns the best mask's IoU for each segment. Segments do not overlap, so that one pass over a
/// mask counts its intersections with all of them.
///
/// # Panics
/// If masks and segments differ in size.
pub fn best_ious(masks: &[Mask], segments: &[Mask]) -> Vec<f64> {
    let Some(first) = segments.first() else { return Vec::new() };
    let mut segment_of = vec![0_u32; first.bits().len()];
    for (number, segment) in segments.iter().enumerate() {
        for (of, _) in segment_of.iter_mut().zip(segment.bits()).filter(|(_, bit)| **bit) {
            *of = number as u32 + 1;
        }
    }
    let areas: Vec<usize> = segments.iter().map(Mask::area).collect();
    let mut best = vec![0.0; segments.len()];
    for mask in masks {
        assert_eq!(mask.bits().len(), segment_of.len(), "masks and segments of one image");
        let mut both = vec![0_usize; segments.len() + 1];
        mask.bits().iter().zip(&segment_of).filter(|(bit, _)| **bit).for_each(|(_, of)| both[*of as usize] += 1);
        let area: usize = both.iter().sum();
        for ((best, &both), &segment) in best.iter_mut().zip(&both[1..]).zip(&areas) {
            *best = f64::max(*best, both as f64 / (area + segment - both) as f64);
        }
    }
    best
}

impl Fit {
    /// Adds an image: its number of masks, and the best IoU for each of its segments.
    pub fn add(&mut self, masks: usize, best: &[f64]) {
        self.images += 1;
        self.masks += masks;
        self.segments += best.len();
        self.best += best.iter().sum::<f64>();
        self.above_50 += best.iter().filter(|iou| **iou >= 0.5).count();
        self.above_75 += best.iter().filter(|iou| **iou >= 0.75).count();
    }

    /// Returns the number of segments.
    pub fn segments(&self) -> usize {
        self.segments
    }

    /// Returns the measures; 0 if there are no segments.
    pub fn recall(&self) -> Recall {
        let share = |part: f64, of: usize| if of == 0 { 0.0 } else { part / of as f64 };
        Recall {
            masks_per_image: share(self.masks as f64, self.images),
            best_iou: share(self.best, self.segments),
            recall_50: share(self.above_50 as f64, self.segments),
            recall_75: share(self.above_75 as f64, self.segments),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn case()(labels in prop::collection::vec(0_usize..5, 24), masks in prop::collection::vec(prop::collection::vec(any::<bool>(), 24), 0..6))
            -> (Vec<Mask>, Vec<Mask>) {
            let mask = |bits: Vec<bool>| Mask::new(6, 4, bits).expect("a bit for each pixel");
            let segment = |of: usize| mask(labels.iter().map(|&label| label == of).collect());
            // Label 0 does not belong to a segment.
            let segments = (1..5).map(segment).filter(|segment| !segment.is_empty()).collect();
            (masks.into_iter().map(mask).collect(), segments)
        }
    }

    proptest! {
        #[test]
        fn the_best_iou_is_the_maximum_over_all_pairs((masks, segments) in case()) {
            let plain: Vec<f64> = segments
                .iter()
                .map(|segment| masks.iter().map(|mask| mask.iou(segment)).fold(0.0, f64::max))
                .collect();
            prop_assert_eq!(best_ious(&masks, &segments), plain);
        }
    }

    #[test]
    fn measures_are_means_over_segments() {
        let mut fit = Fit::default();
        assert_eq!(fit.recall(), Recall { masks_per_image: 0.0, best_iou: 0.0, recall_50: 0.0, recall_75: 0.0 });
        fit.add(10, &[0.5, 1.0]);
        fit.add(30, &[0.75, 0.0, 0.25]);
        assert_eq!(fit.recall(), Recall { masks_per_image: 20.0, best_iou: 0.5, recall_50: 0.6, recall_75: 0.4 });
    }
}
