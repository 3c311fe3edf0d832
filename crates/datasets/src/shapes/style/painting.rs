//! Painting: brush strokes from a limited palette, along the forms.

use rand_chacha::ChaCha8Rng;

use super::{daylight, towards_light};
use crate::seed::Draw;
use crate::shapes::canvas::Canvas;
use crate::shapes::colour::{Rgb, mix, scaled};
use crate::shapes::stage::{Layer, Stage};
use crate::shapes::trig::{cos, floor, sin, smoothstep};

/// Number of tones per channel.
const PALETTE: f32 = 6.0;

pub(super) fn draw(stage: &Stage, rng: &mut ChaCha8Rng) -> Canvas {
    let model = model(stage);
    let wash: Rgb = [rng.between(0.8, 1.08), rng.between(0.8, 1.05), rng.between(0.75, 1.05)];
    let paint = |colour: Rgb, rng: &mut ChaCha8Rng| {
        let light = rng.between(-0.08, 0.08);
        [0, 1, 2].map(|channel: usize| {
            let tone = floor(colour[channel] * wash[channel] * PALETTE + 0.5).1 / PALETTE;
            0.4 * tone + 0.6 * colour[channel] * wash[channel] + light + rng.between(-0.035, 0.035)
        })
    };
    let mut canvas =
        Canvas { size: stage.size, pixels: model.pixels.iter().map(|&pixel| scaled(pixel, 0.85)).collect() };
    let field = rng.between(0.0, 1.0);
    let coarse = rng.between(0.9, 1.3);
    // Broad strokes for the ground, then finer ones that follow the bodies.
    for _ in 0..300 {
        let (x, y) = (rng.below(stage.size), rng.below(stage.size));
        let turns = field + 0.5 * stage.noise.at(x as f32 / stage.unit * 0.05, y as f32 / stage.unit * 0.05);
        let colour = paint(model.pixels[y * stage.size + x], rng);
        let (half, width) = (rng.between(3.0, 6.0) * coarse, rng.between(1.2, 2.0) * coarse);
        stroke(&mut canvas, stage, (x, y), turns, half, width, colour);
    }
    for _ in 0..900 {
        let (x, y) = (rng.below(stage.size), rng.below(stage.size));
        let near = |layer: &&Layer| layer.at(stage.size, x as i32, y as i32) < 1.5 * stage.unit;
        let Some(layer) = stage.layers.iter().rev().find(near) else { continue };
        let slope = layer.slope(stage.size, x as i32, y as i32);
        let colour = paint(model.pixels[y * stage.size + x], rng);
        // A small thing needs a small brush.
        let brush = (layer.radius / (15.0 * stage.unit)).clamp(0.6, 1.0);
        let (half, width) = (rng.between(1.2, 2.8) * brush, rng.between(0.7, 1.2) * brush);
        stroke_along(&mut canvas, stage, (x, y), [-slope[1], slope[0]], half, width, colour);
    }
    canvas.blur(0.2);
    canvas
}

/// Draws the painter's model: ground and bodies in three broad lights.
fn model(stage: &Stage) -> Canvas {
    Canvas::from_fn(stage.size, |x, y, index| {
        let mut colour = daylight(stage.ground[index]);
        let open = stage.uncovered(index);
        for layer in &stage.layers {
            let coverage = open * Layer::coverage(layer.at(stage.size, x as i32, y as i32));
            let lit = towards_light(stage, layer.centre, layer.radius, x, y);
            let light = 0.8 + 0.2 * smoothstep(-0.3, -0.1, lit) + 0.18 * smoothstep(0.25, 0.45, lit);
            colour = mix(colour, scaled(layer.object.paint, light), coverage);
        }
        colour
    })
}

fn stroke(canvas: &mut Canvas, stage: &Stage, at: (usize, usize), turns: f32, half: f32, width: f32, colour: Rgb) {
    stroke_along(canvas, stage, at, [cos(turns), sin(turns)], half, width, colour);
}

/// Draws one stroke: a capsule whose bristles leave streaks along it.
fn stroke_along(
    canvas: &mut Canvas,
    stage: &Stage,
    (x, y): (usize, usize),
    direction: [f32; 2],
    half: f32,
    width: f32,
    colour: Rgb,
) {
    let unit = stage.unit;
    let (half, width) = (half * unit, width * unit);
    let reach_x = half * direction[0].abs() + width + 1.0;
    let reach_y = half * direction[1].abs() + width + 1.0;
    let last = stage.size - 1;
    let range = |centre: usize, reach: f32| centre.saturating_sub(reach as usize)..=(centre + reach as usize).min(last);
    for row in range(y, reach_y) {
        for column in range(x, reach_x) {
            let (dx, dy) = (column as f32 - x as f32, row as f32 - y as f32);
            let along = dx * direction[0] + dy * direction[1];
            let across = dy * direction[0] - dx * direction[1];
            let past = (along.abs() - half).max(0.0);
            let coverage = Layer::coverage((past * past + across * across).sqrt() - width);
            if coverage > 0.0 {
                let bristle =
                    stage.noise.at(across / unit * 1.1 + x as f32 * 0.37, along / unit * 0.08 + y as f32 * 0.29);
                let pixel = &mut canvas.pixels[row * stage.size + column];
                *pixel = mix(*pixel, scaled(colour, 0.88 + 0.24 * bristle), coverage * 0.9);
            }
        }
    }
}
