//! Photo: rounded bodies in soft light on textured ground.

use rand_chacha::ChaCha8Rng;

use super::{daylight, towards_light};
use crate::seed::Draw;
use crate::shapes::canvas::Canvas;
use crate::shapes::colour::{Rgb, mix, scaled};
use crate::shapes::stage::{Layer, Stage};
use crate::shapes::trig::smoothstep;

pub(super) fn draw(stage: &Stage, rng: &mut ChaCha8Rng) -> Canvas {
    let gloss = rng.between(0.0, 0.5);
    let mut canvas = bodies(stage, gloss, rng.between(0.25, 0.5));
    let exposure = rng.between(0.82, 1.15);
    let balance = [rng.between(0.93, 1.07), 1.0, rng.between(0.93, 1.07)];
    let corner = rng.between(0.0, 0.35);
    let half = stage.size as f32 / 2.0;
    for (index, pixel) in canvas.pixels.iter_mut().enumerate() {
        let (x, y) = ((index % stage.size) as f32 - half, (index / stage.size) as f32 - half);
        let light = exposure * (1.0 - corner * (x * x + y * y) / (2.0 * half * half));
        *pixel = [pixel[0] * light * balance[0], pixel[1] * light * balance[1], pixel[2] * light * balance[2]];
    }
    canvas.blur(rng.between(0.0, 0.9));
    canvas.noise(rng.between(0.008, 0.035), rng.between(0.004, 0.02), rng);
    canvas
}

/// Draws ground, shadows and shaded bodies in even daylight, the basis of photo and night.
pub(super) fn bodies(stage: &Stage, gloss: f32, shadow: f32) -> Canvas {
    let unit = stage.unit;
    Canvas::from_fn(stage.size, |x, y, index| {
        let half = stage.size as f32 / 2.0;
        let fall = 1.0 + 0.12 * towards_light(stage, [half, half], half, x, y);
        let mut colour = scaled(daylight(stage.ground[index]), fall);
        let open = stage.uncovered(index);
        for layer in &stage.layers {
            let (x, y) = (x as i32, y as i32);
            // The shadow is on the side away from the light and softer than the body.
            let away = 3.2 * unit;
            let (sx, sy) = ((stage.light[0] * away) as i32, (stage.light[1] * away) as i32);
            let shade = 1.0 - smoothstep(-2.5 * unit, 3.0 * unit, layer.at(stage.size, x + sx, y + sy));
            colour = scaled(colour, 1.0 - shadow * shade * open);
            let coverage = open * Layer::coverage(layer.at(stage.size, x, y));
            if coverage > 0.0 {
                colour = mix(colour, body(stage, layer, gloss, x, y), coverage);
            }
        }
        colour
    })
}

/// Returns the lit surface of an object: rounded at its rim, lighter towards the light, with a highlight and a little roughness.
fn body(stage: &Stage, layer: &Layer, gloss: f32, x: i32, y: i32) -> Rgb {
    let unit = stage.unit;
    let rim = 1.0 - smoothstep(0.0, 5.0 * unit, -layer.at(stage.size, x, y));
    let slope = layer.slope(stage.size, x, y);
    let facing = slope[0] * stage.light[0] + slope[1] * stage.light[1];
    let lit = towards_light(stage, layer.centre, layer.radius, x as usize, y as usize);
    let rough = stage.noise.at(x as f32 / unit * 0.35 + 17.0, y as f32 / unit * 0.35) - 0.5;
    let shade = 0.96 + 0.34 * facing * rim + 0.16 * lit + 0.12 * rough;
    let (dx, dy) = (
        x as f32 - layer.centre[0] - 0.35 * layer.radius * stage.light[0],
        y as f32 - layer.centre[1] - 0.35 * layer.radius * stage.light[1],
    );
    let spot = 1.0 - smoothstep(0.0, 0.5 * layer.radius, (dx * dx + dy * dy).sqrt());
    mix(scaled(layer.object.paint, shade), [1.0, 1.0, 0.97], gloss * spot)
}
