//! Domains: the same scenes as a photo, sketch, cartoon, painting, at night and as a bad scan; and the splits.

use super::trig::cos;
use crate::seed::Draw;

/// Style in which a scene is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Domain {
    /// Shaded bodies with soft shadows on textured ground, light falling off, camera noise.
    Photo,
    /// Pencil lines and hatching on paper, no colour.
    Sketch,
    /// Flat saturated colours in two tones with thick outlines, tilted more than photos are.
    Cartoon,
    /// Brush strokes from a limited palette.
    Painting,
    /// Dark and blue, lit by lamps, noisy.
    Night,
    /// A grey copy: halftone dots, skew, streaks and specks.
    Scan,
}

impl Domain {
    /// In the order of their discriminants.
    pub const ALL: [Self; 6] = [Self::Photo, Self::Sketch, Self::Cartoon, Self::Painting, Self::Night, Self::Scan];

    /// Returns the domain's name in folders.
    pub fn name(self) -> &'static str {
        ["photo", "sketch", "cartoon", "painting", "night", "scan"][self as usize]
    }

    /// Whether colours are visible, and so may be named in captions.
    pub fn has_colour(self) -> bool {
        !matches!(self, Self::Sketch | Self::Scan)
    }

    /// Returns the maximum rotation of objects from upright, in turns.
    pub(crate) fn tilt(self) -> f32 {
        match self {
            Self::Photo => 0.07,
            Self::Sketch | Self::Night => 0.1,
            Self::Painting => 0.08,
            Self::Cartoon => 0.12,
            Self::Scan => 0.11,
        }
    }

    /// Draws a small rotation and zoom of the page: hand-held for a camera, skewed for a copier.
    pub(crate) fn page(self, rng: &mut impl Draw) -> (f32, f32) {
        let tilt = match self {
            Self::Photo | Self::Night => 0.01,
            Self::Scan => 0.025,
            Self::Sketch | Self::Cartoon | Self::Painting => 0.0,
        };
        let turns = rng.between(-tilt, tilt);
        (turns, 1.0 / cos(turns))
    }
}

/// Purpose of a scene. Every split has its own random stream, so that no scene is in two splits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Split {
    /// Pretraining: all domains, no spurious cues.
    Pretrain,
    /// Fine-tuning.
    Train,
    /// Selection of settings.
    Val,
    /// Final evaluation.
    Test,
}

impl Split {
    /// In the order of their discriminants.
    pub const ALL: [Self; 4] = [Self::Pretrain, Self::Train, Self::Val, Self::Test];

    /// Returns the split's name in folders.
    pub fn name(self) -> &'static str {
        ["pretrain", "train", "val", "test"][self as usize]
    }
}
