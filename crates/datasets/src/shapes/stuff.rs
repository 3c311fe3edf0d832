//! Grounds of scenes, each with a texture and a noun.
//!
//! A texture is described once, as a [`Grain`] at each point, and every domain uses the part that it can show: a photo the tones, a
//! cartoon the second colour, a sketch the lines.

use super::colour::Rgb;
use super::noise::Noise;
use super::noun::Shape;
use super::trig::{floor, sin, smoothstep};

/// Kind of ground. The label of a pixel of ground `s` is `Shape::ALL.len() + s as usize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub enum Stuff {
    Brick,
    Grass,
    Sand,
    Sky,
    Snow,
    Stone,
    Water,
    Wood,
}

/// Texture of a ground at one point.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Grain {
    /// Lighter or darker, roughly from −1 to 1.
    pub(crate) tone: f32,
    /// Share of the second colour: mortar, clouds, foam. From 0 to 1.
    pub(crate) second: f32,
    /// Strength of a drawn line, from 0 to 1.
    pub(crate) line: f32,
}

impl Stuff {
    /// In label order.
    pub const ALL: [Self; 8] =
        [Self::Brick, Self::Grass, Self::Sand, Self::Sky, Self::Snow, Self::Stone, Self::Water, Self::Wood];

    /// Returns the noun in captions.
    pub fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    /// Returns the value of this ground's pixels in a mask.
    pub fn label(self) -> usize {
        Shape::ALL.len() + self as usize
    }

    /// Returns the two colours of the ground.
    pub(crate) fn colours(self) -> (Rgb, Rgb) {
        match self {
            Self::Brick => ([0.66, 0.31, 0.23], [0.80, 0.75, 0.68]),
            Self::Grass => ([0.36, 0.60, 0.24], [0.22, 0.43, 0.15]),
            Self::Sand => ([0.86, 0.75, 0.53], [0.72, 0.59, 0.38]),
            Self::Sky => ([0.50, 0.73, 0.94], [0.95, 0.97, 0.99]),
            Self::Snow => ([0.93, 0.95, 0.98], [0.76, 0.83, 0.92]),
            Self::Stone => ([0.58, 0.57, 0.56], [0.36, 0.35, 0.36]),
            Self::Water => ([0.18, 0.44, 0.62], [0.55, 0.76, 0.84]),
            Self::Wood => ([0.62, 0.43, 0.25], [0.40, 0.25, 0.13]),
        }
    }

    /// Returns the texture at (x, y), in 64ths of the image's side.
    pub(crate) fn grain(self, noise: &Noise, x: f32, y: f32) -> Grain {
        match self {
            Self::Brick => brick(noise, x, y),
            Self::Grass => grass(noise, x, y),
            Self::Sand => {
                let ripple = sin((y + 5.0 * noise.at(x * 0.06, y * 0.06)) * 0.11);
                let speck = noise.at(x * 0.9, y * 0.9);
                let dot = smoothstep(0.86, 0.95, noise.at(x * 0.45 + 9.0, y * 0.45));
                Grain {
                    tone: 0.7 * (speck - 0.5) + 0.25 * ripple,
                    second: smoothstep(0.5, 1.0, ripple) * 0.6,
                    line: dot,
                }
            }
            Self::Sky => {
                let cloud = noise.cloud(x * 0.055, y * 0.1);
                let edge = 1.0 - smoothstep(0.0, 0.03, (cloud - 0.62).abs());
                Grain { tone: 0.0, second: smoothstep(0.52, 0.72, cloud), line: 0.7 * edge }
            }
            Self::Snow => {
                let drift = noise.cloud(x * 0.07, y * 0.11);
                let sparkle = noise.at(x * 0.8, y * 0.8);
                let edge = 1.0 - smoothstep(0.0, 0.015, (drift - 0.55).abs());
                Grain { tone: 0.2 * (sparkle - 0.5), second: smoothstep(0.45, 0.75, drift), line: 0.35 * edge }
            }
            Self::Stone => stone(noise, x, y),
            Self::Water => {
                let wave = sin(y * 0.13 + 1.3 * noise.at(x * 0.09, y * 0.12));
                let crest = smoothstep(0.72, 0.98, wave) * smoothstep(0.25, 0.6, noise.at(x * 0.13 + 3.0, y * 0.4));
                Grain { tone: 0.45 * wave, second: crest, line: crest }
            }
            Self::Wood => wood(noise, x, y),
        }
    }
}

pub(super) const NAMES: [&str; 8] = ["brick", "grass", "sand", "sky", "snow", "stone", "water", "wood"];

fn brick(noise: &Noise, x: f32, y: f32) -> Grain {
    let (width, height) = (15.0, 7.5);
    let (course, row) = floor(y / height);
    let shift = if course % 2 == 0 { 0.0 } else { 0.5 };
    let across = x / width + shift;
    let (place, column) = floor(across);
    let from_side = (0.5 - (across - column - 0.5).abs()) * width;
    let from_top = (0.5 - (y / height - row - 0.5).abs()) * height;
    let mortar = 1.0 - smoothstep(0.35, 1.1, from_side.min(from_top));
    let tone = noise.cell(place, course) - 0.5 + 0.35 * (noise.at(x * 0.7, y * 0.7) - 0.5);
    Grain { tone: tone * 0.8, second: mortar, line: mortar * 0.8 }
}

fn grass(noise: &Noise, x: f32, y: f32) -> Grain {
    let blade = noise.at(x * 0.75, y * 0.16);
    let patch = noise.at(x * 0.08, y * 0.08);
    // Tufts in the cells of a grid, two short strokes leaning apart.
    let ((column, left), (row, top)) = (floor(x / 9.0), floor(y / 8.0));
    let place = noise.cell(column + 5, row + 11);
    let (tx, ty) = (x - left * 9.0 - 3.0 - 3.0 * place, y - top * 8.0 - 4.5);
    let stroke = if ty.abs() < 2.3 { (tx.abs() - 0.5 * (2.3 - ty) * 0.7).abs() } else { 9.0 };
    let tuft = if place > 0.35 { 1.0 - smoothstep(0.25, 0.8, stroke) } else { 0.0 };
    Grain { tone: 1.1 * (blade - 0.5) + 0.4 * (patch - 0.5), second: smoothstep(0.55, 0.9, blade), line: tuft }
}

fn stone(noise: &Noise, x: f32, y: f32) -> Grain {
    // Cells of the nearest of jittered points; the joint is where the second nearest is equally near.
    let size = 10.0;
    let (px, py) = (x / size, y / size);
    let ((column, _), (row, _)) = (floor(px), floor(py));
    let (mut first, mut second, mut tone) = (f32::MAX, f32::MAX, 0.0);
    for j in row - 1..=row + 1 {
        for i in column - 1..=column + 1 {
            let cx = i as f32 + 0.15 + 0.7 * noise.cell(i, j);
            let cy = j as f32 + 0.15 + 0.7 * noise.cell(i + 13, j + 7);
            let distance = (px - cx) * (px - cx) + (py - cy) * (py - cy);
            if distance < first {
                (second, first) = (first, distance);
                tone = noise.cell(i + 3, j + 21) - 0.5;
            } else if distance < second {
                second = distance;
            }
        }
    }
    let joint = 1.0 - smoothstep(0.04, 0.16, second.sqrt() - first.sqrt());
    Grain { tone: 0.7 * tone + 0.4 * (noise.at(x * 0.5, y * 0.5) - 0.5), second: joint, line: joint * 0.9 }
}

fn wood(noise: &Noise, x: f32, y: f32) -> Grain {
    let width = 12.0;
    let (board, plank) = floor(y / width);
    let from_edge = (0.5 - (y / width - plank - 0.5).abs()) * width;
    let gap = 1.0 - smoothstep(0.2, 0.8, from_edge);
    let bend = 4.0 * noise.at(x * 0.05, plank * 3.7 + y * 0.02);
    let ring = sin((y + bend) * 0.31 + noise.cell(3, board));
    let fibre = noise.at(x * 0.08, y * 1.1 + 4.0);
    let vein = smoothstep(0.9, 1.0, ring) * 0.45;
    let tone = 0.35 * ring + 0.6 * (fibre - 0.5) + 0.6 * (noise.cell(9, board) - 0.5);
    Grain { tone: 0.6 * tone, second: gap.max(0.35 * smoothstep(0.4, 1.0, ring)), line: gap.max(vein) }
}
