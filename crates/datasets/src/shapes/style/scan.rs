//! Scan: a copy of a printed page: grey, in halftone dots, with streaks and specks.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::towards_light;
use crate::seed::Draw;
use crate::shapes::canvas::Canvas;
use crate::shapes::colour::luminance;
use crate::shapes::stage::{Layer, Stage};
use crate::shapes::trig::{cos, sin, smoothstep};

pub(super) fn draw(stage: &Stage, rng: &mut ChaCha8Rng) -> Canvas {
    let unit = stage.unit;
    let texture = rng.between(0.15, 0.4);
    let paper = rng.between(0.78, 0.95);
    let toner = rng.between(0.05, 0.2);
    let negative = rng.chance(0.15);
    let screen = 1.0 / rng.between(2.8, 4.2);
    let turns = rng.between(0.08, 0.17);
    let (screen_x, screen_y) = (cos(turns) * screen, sin(turns) * screen);
    let dots = rng.between(0.45, 0.85);
    let streaks = streaks(stage.size, rng);
    let mut canvas = Canvas::from_fn(stage.size, |x, y, index| {
        let (ux, uy) = (x as f32 / unit, y as f32 / unit);
        let grain = stage.ground[index].grain;
        let mut grey = 0.80 + texture * (0.4 * grain.tone - 0.9 * grain.line);
        let open = stage.uncovered(index);
        for layer in &stage.layers {
            let distance = layer.at(stage.size, x as i32, y as i32);
            if distance > 4.0 * unit {
                continue;
            }
            let lit = towards_light(stage, layer.centre, layer.radius, x, y);
            let body = 0.12 + 0.45 * luminance(layer.object.paint) + 0.08 * lit;
            grey += (body - grey) * open * Layer::coverage(distance);
            let edge = 1.0 - smoothstep(0.3 * unit, 1.3 * unit, distance.abs());
            grey -= 0.3 * grey * edge * open;
        }
        if negative {
            grey = 0.92 - grey;
        }
        // The halftone screen: one bump per dot, against which the grey is compared.
        let (u, v) = (ux * screen_x + uy * screen_y, uy * screen_x - ux * screen_y);
        let bump = 0.5 + 0.24 * (sin(u) + sin(v));
        let printed = smoothstep(bump - 0.22, bump + 0.22, grey);
        let tone = grey + (printed - grey) * dots + streaks[x];
        [toner + (paper - toner) * tone; 3]
    });
    specks(&mut canvas, unit, rng);
    canvas.blur(rng.between(0.1, 0.6));
    canvas.noise(rng.between(0.02, 0.06), 0.0, rng);
    canvas
}

/// Returns dirt on the glass: the offset of every pixel in a column.
fn streaks(size: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut columns = vec![0.0; size];
    for _ in 0..rng.below(4) {
        let at = rng.below(size);
        let depth = rng.between(-0.35, 0.25);
        let width = 1 + size / 64 * rng.below(2);
        for column in columns.iter_mut().skip(at).take(width) {
            *column += depth;
        }
    }
    columns
}

/// Adds specks of toner and of missing toner.
fn specks(canvas: &mut Canvas, unit: f32, rng: &mut ChaCha8Rng) {
    let count = 10 + rng.below(50);
    let size = canvas.size;
    let side = (unit as usize).max(1);
    for _ in 0..count {
        let (x, y) = (rng.below(size), rng.below(size));
        let grey = if rng.next_u32() & 1 == 0 { 0.1 } else { 0.95 };
        for row in y..(y + side).min(size) {
            for column in x..(x + side).min(size) {
                canvas.pixels[row * size + column] = [grey; 3];
            }
        }
    }
}
