//! Parts of a region's box, which augmentation draws.

use radapter_datasets::augment::Augment;

use crate::mask::Bounds;

/// Side of the square in which an augmentation's box is drawn, before it is stretched to a region's.
const SQUARE: u32 = 1 << 12;

/// A part of a region's box, in shares of its sides.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "names say what is not documented")]
pub struct Part {
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    pub width: f64,
    pub height: f64,
    /// Whether left and right are exchanged.
    pub flip: bool,
}

impl Part {
    /// All of it.
    pub const WHOLE: Self = Self { left: 0.0, top: 0.0, width: 1.0, height: 1.0, flip: false };

    /// The part that an augmentation draws for (seed, epoch, index).
    ///
    /// It is drawn in a square that is stretched over the box, since the box is stretched to the input: a crop of fixed
    /// proportions would cut the ends off every pole.
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

    /// The pixels of the part: rounded outwards, at least one.
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
