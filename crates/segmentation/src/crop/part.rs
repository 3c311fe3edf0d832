//! Parts of a region's box, for augmentation.

use radapter_datasets::augment::Augment;

use crate::mask::Bounds;

/// Side of the square in which augmentation draws a box, before it is stretched to a region's.
const SQUARE: u32 = 1 << 12;

/// Part of a region's box, relative to its sides.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Part {
    /// Left edge, from 0 to 1.
    pub left: f64,
    /// Upper edge, from 0 to 1.
    pub top: f64,
    pub width: f64,
    pub height: f64,
    /// Whether the part is mirrored horizontally.
    pub flip: bool,
}

impl Part {
    /// The whole box.
    pub const WHOLE: Self = Self { left: 0.0, top: 0.0, width: 1.0, height: 1.0, flip: false };

    /// Draws the part for (seed, epoch, index).
    ///
    /// It is drawn in a square that is stretched over the box, because the box is stretched to the input: a crop of fixed
    /// aspect ratio would cut off the ends of every elongated region.
    pub fn drawn(augment: &Augment, seed: u64, epoch: u64, index: u64) -> Self {
        let crop = augment.crop((SQUARE, SQUARE), seed, epoch, index);
        let share = |length: u32| f64::from(length) / f64::from(SQUARE);
        Self {
            left: share(crop.left),
            top: share(crop.top),
            width: share(crop.width),
            height: share(crop.height),
            flip: crop.flip,
        }
    }

    /// Returns the pixels of the part: rounded outwards, at least one.
    pub(super) fn within(self, bounds: Bounds) -> Bounds {
        let along = |start: usize, length: usize, from: f64, share: f64| {
            let first = ((from * length as f64).floor().max(0.0) as usize).min(length - 1);
            let last = (((from + share) * length as f64).ceil() as usize).clamp(first + 1, length);
            (start + first, start + last)
        };
        let (left, right) = along(bounds.left, bounds.width(), self.left, self.width);
        let (top, bottom) = along(bounds.top, bounds.height(), self.top, self.height);
        Bounds { left, top, right, bottom }
    }
}
