//! Night: the photo's bodies in blue dusk and the pools of one or two lamps.

use rand_chacha::ChaCha8Rng;

use super::photo;
use crate::seed::Draw;
use crate::shapes::canvas::Canvas;
use crate::shapes::colour::{luminance, mix};
use crate::shapes::stage::Stage;

struct Lamp {
    x: f32,
    y: f32,
    reach: f32,
    colour: [f32; 3],
}

pub(super) fn draw(stage: &Stage, rng: &mut ChaCha8Rng) -> Canvas {
    let mut canvas = photo::bodies(stage, 0.15, 0.2);
    let side = stage.size as f32;
    let count = 1 + rng.below(2);
    let mut lamps = Vec::with_capacity(count);
    for _ in 0..count {
        let power = rng.between(0.25, 0.65);
        let warm = rng.between(0.35, 0.75);
        lamps.push(Lamp {
            x: rng.between(-0.1, 1.1) * side,
            y: rng.between(-0.15, 0.6) * side,
            reach: rng.between(0.16, 0.34) * side,
            colour: [power, power * (0.45 + 0.5 * warm), power * warm],
        });
    }
    let dusk = rng.between(0.26, 0.42);
    let bleach = rng.between(0.3, 0.65);
    for (index, pixel) in canvas.pixels.iter_mut().enumerate() {
        let (x, y) = ((index % stage.size) as f32 + 0.5, (index / stage.size) as f32 + 0.5);
        let mut light = [0.62 * dusk, 0.80 * dusk, 1.35 * dusk];
        let mut glow = [0.0; 3];
        for lamp in &lamps {
            let square = ((x - lamp.x) * (x - lamp.x) + (y - lamp.y) * (y - lamp.y)) / (lamp.reach * lamp.reach);
            let (pool, halo) = (1.0 / (1.0 + square), 1.0 / (1.0 + 25.0 * square));
            for channel in 0..3 {
                light[channel] += lamp.colour[channel] * pool;
                glow[channel] += lamp.colour[channel] * halo;
            }
        }
        // Colours fade in the dark.
        let grey = luminance(*pixel);
        let faded = mix(*pixel, [grey; 3], bleach);
        *pixel =
            [0, 1, 2].map(|channel| faded[channel] * light[channel] + glow[channel] + [0.01, 0.015, 0.04][channel]);
    }
    canvas.blur(rng.between(0.2, 1.0));
    canvas.noise(rng.between(0.01, 0.03), rng.between(0.01, 0.035), rng);
    canvas
}
