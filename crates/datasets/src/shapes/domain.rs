//! The domains: the same scenes seen by a camera, a pencil, a brush, at night, through a bad copier; and the splits.

use super::trig::cos;
use crate::seed::Draw;

/// How a scene is drawn.
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
    #[allow(missing_docs, reason = "the name says it all")]
    pub const ALL: [Self; 6] = [Self::Photo, Self::Sketch, Self::Cartoon, Self::Painting, Self::Night, Self::Scan];

    /// The domain's name, as folders have it.
    pub fn name(self) -> &'static str {
        ["photo", "sketch", "cartoon", "painting", "night", "scan"][self as usize]
    }

    /// Whether colours can be seen, and so may be named in captions.
    pub fn has_colour(self) -> bool {
        !matches!(self, Self::Sketch | Self::Scan)
    }

    /// How far things are turned from upright, at most, in turns.
    pub(crate) fn tilt(self) -> f32 {
        match self {
            Self::Photo => 0.07,
            Self::Sketch | Self::Night => 0.1,
            Self::Painting => 0.08,
            Self::Cartoon => 0.12,
            Self::Scan => 0.11,
        }
    }

    /// The page's own small rotation and zoom: hand-held for a camera, askew for a copier.
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

/// What a scene is used for. Every split has its own random stream, so that no scene is in two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Split {
    /// Pretraining: all domains, no spurious cues.
    Pretrain,
    /// Fine-tuning.
    Train,
    /// Choosing settings.
    Val,
    /// Measuring results.
    Test,
}

impl Split {
    #[allow(missing_docs, reason = "the name says it all")]
    pub const ALL: [Self; 4] = [Self::Pretrain, Self::Train, Self::Val, Self::Test];

    /// The split's name, as folders have it.
    pub fn name(self) -> &'static str {
        ["pretrain", "train", "val", "test"][self as usize]
    }
}
