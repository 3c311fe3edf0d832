//! Colour words of captions, and their values.

use crate::seed::Draw;

/// Red, green and blue from 0 to 1, as displayed (no linear light: the images are synthetic).
pub(crate) type Rgb = [f32; 3];

/// Colour that captions can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub enum Colour {
    Red,
    Orange,
    Yellow,
    Green,
    Blue,
    Purple,
    Pink,
    Brown,
    White,
    Black,
}

impl Colour {
    /// In the order of their discriminants.
    pub const ALL: [Self; 10] = [
        Self::Red,
        Self::Orange,
        Self::Yellow,
        Self::Green,
        Self::Blue,
        Self::Purple,
        Self::Pink,
        Self::Brown,
        Self::White,
        Self::Black,
    ];

    /// Returns the word in captions.
    pub fn name(self) -> &'static str {
        ["red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "white", "black"][self as usize]
    }

    /// Returns the typical value of the word.
    pub(crate) fn rgb(self) -> Rgb {
        match self {
            Self::Red => [0.80, 0.12, 0.12],
            Self::Orange => [0.95, 0.52, 0.10],
            Self::Yellow => [0.94, 0.85, 0.18],
            Self::Green => [0.16, 0.58, 0.22],
            Self::Blue => [0.14, 0.30, 0.80],
            Self::Purple => [0.50, 0.20, 0.64],
            Self::Pink => [0.95, 0.55, 0.72],
            Self::Brown => [0.44, 0.26, 0.13],
            Self::White => [0.93, 0.93, 0.92],
            Self::Black => [0.11, 0.11, 0.12],
        }
    }

    /// Draws a variation of this colour: the channels move together (lighter, darker) and a little apart (hue).
    pub(crate) fn sample(self, rng: &mut impl Draw) -> Rgb {
        let light = rng.between(-0.08, 0.08);
        self.rgb().map(|channel| (channel + light + rng.between(-0.05, 0.05)).clamp(0.0, 1.0))
    }
}

/// Returns the perceived difference of two colours, from 0 to 1, with channels weighted roughly as in luminance.
pub(crate) fn contrast(a: Rgb, b: Rgb) -> f32 {
    let square = |channel: usize, weight: f32| weight * (a[channel] - b[channel]) * (a[channel] - b[channel]);
    (square(0, 0.35) + square(1, 0.45) + square(2, 0.2)).sqrt()
}

/// Returns the grey value of a colour (Rec. 601 weights).
pub(crate) fn luminance(colour: Rgb) -> f32 {
    0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
}

/// Interpolates from `from` at `t` = 0 to `to` at 1.
pub(crate) fn mix(from: Rgb, to: Rgb, t: f32) -> Rgb {
    [from[0] + (to[0] - from[0]) * t, from[1] + (to[1] - from[1]) * t, from[2] + (to[2] - from[2]) * t]
}

/// Multiplies every channel by `factor`.
pub(crate) fn scaled(colour: Rgb, factor: f32) -> Rgb {
    colour.map(|channel| channel * factor)
}
