//! Cartoon: flat saturated colours in two tones, thick outlines.

use rand_chacha::ChaCha8Rng;

use super::towards_light;
use crate::seed::Draw;
use crate::shapes::canvas::Canvas;
use crate::shapes::colour::{Rgb, luminance, mix, scaled};
use crate::shapes::stage::{Layer, Stage};
use crate::shapes::trig::smoothstep;

pub(super) fn draw(stage: &Stage, rng: &mut ChaCha8Rng) -> Canvas {
    let outline = rng.between(0.9, 1.7);
    let ink = scaled([0.10, 0.07, 0.12], rng.between(0.3, 1.4));
    let lift = rng.between(0.0, 0.25);
    let terminator = rng.between(-0.45, 0.0);
    let gleam = rng.chance(0.6);
    let unit = stage.unit;
    let mut canvas = Canvas::from_fn(stage.size, |x, y, index| {
        let ground = stage.ground[index];
        let (first, second) = ground.stuff.colours();
        let (first, second) = (saturated(first, 1.35), saturated(second, 1.35));
        let flat = mix(first, second, smoothstep(0.45, 0.6, ground.grain.second));
        let flat = mix(flat, scaled(first, 0.72), 0.7 * smoothstep(0.35, 0.6, ground.grain.line));
        let mut colour = mix(flat, [1.0; 3], lift);
        let open = stage.uncovered(index);
        for layer in &stage.layers {
            let distance = layer.at(stage.size, x as i32, y as i32);
            if distance > 4.0 * unit {
                continue;
            }
            let lit = towards_light(stage, layer.centre, layer.radius, x, y);
            let flat = saturated(layer.object.paint, 1.45);
            let mut paint = mix(scaled(flat, 0.72), flat, smoothstep(terminator - 0.04, terminator + 0.04, lit));
            if gleam && distance < -2.5 * unit {
                paint = mix(paint, [1.0; 3], 0.65 * smoothstep(0.36, 0.42, lit) * (1.0 - smoothstep(0.55, 0.6, lit)));
            }
            colour = mix(colour, paint, open * Layer::coverage(distance));
            let line = 1.0 - smoothstep(outline * unit - 0.5, outline * unit + 0.5, distance.abs());
            colour = mix(colour, ink, open * line);
        }
        colour
    });
    canvas.blur(0.15);
    canvas
}

/// Moves a colour away from its own grey.
fn saturated(colour: Rgb, factor: f32) -> Rgb {
    let grey = luminance(colour);
    colour.map(|channel| (grey + (channel - grey) * factor).clamp(0.0, 1.0))
}
