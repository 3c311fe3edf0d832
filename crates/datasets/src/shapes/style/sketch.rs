//! Sketch: pencil on paper. Outlines drawn twice, hatching on the shadow side, the ground by a few lines.

use rand_chacha::ChaCha8Rng;

use super::towards_light;
use crate::seed::Draw;
use crate::shapes::canvas::Canvas;
use crate::shapes::colour::mix;
use crate::shapes::stage::Stage;
use crate::shapes::trig::{cos, floor, sin, smoothstep};

pub(super) fn draw(stage: &Stage, rng: &mut ChaCha8Rng) -> Canvas {
    let paper = rng.between(0.88, 0.98);
    let warmth = rng.between(0.0, 0.06);
    let graphite = rng.between(0.08, 0.3);
    let pressure = rng.between(0.7, 1.0);
    let ground_pressure = rng.between(0.12, 0.45);
    let hatching = if rng.chance(0.7) { rng.between(0.25, 0.6) } else { 0.0 };
    let (hatch_x, hatch_y) = {
        let turns = rng.between(0.05, 0.2);
        (cos(turns), sin(turns))
    };
    let spacing = rng.between(2.6, 4.0);
    let wobble = rng.between(0.8, 2.0);
    let unit = stage.unit;
    Canvas::from_fn(stage.size, |x, y, index| {
        let (ux, uy) = (x as f32 / unit, y as f32 / unit);
        let mut mark = stage.ground[index].grain.line * ground_pressure;
        let open = stage.uncovered(index);
        for layer in &stage.layers {
            let distance = layer.at(stage.size, x as i32, y as i32) / unit;
            if distance > 4.0 {
                continue;
            }
            // Paper shows inside the body: the ground is not drawn there.
            if distance < 0.0 {
                mark *= 1.0 - open;
            }
            let hand = wobble * (stage.noise.at(ux * 0.11, uy * 0.11) - 0.5);
            let second = wobble * (stage.noise.at(ux * 0.13 + 5.0, uy * 0.13 + 9.0) - 0.5);
            let width = 0.45 + 0.5 * stage.noise.at(ux * 0.15 + 3.0, uy * 0.15);
            let stroke = 1.0 - smoothstep(width, width + 0.7, (distance + hand).abs());
            let again = 0.6 * (1.0 - smoothstep(0.2, 0.9, (distance + second + 0.4).abs()));
            let shaded = 1.0 - smoothstep(-0.5, 0.25, towards_light(stage, layer.centre, layer.radius, x, y));
            let along = (ux * hatch_x + uy * hatch_y) / spacing + 0.25 * stage.noise.at(ux * 0.1, uy * 0.1);
            let line = 1.0 - smoothstep(0.13, 0.3, (along - floor(along).1 - 0.5).abs());
            let hatch = if distance < -0.8 { hatching * shaded * line } else { 0.0 };
            mark = mark.max(open * stroke.max(again).max(hatch));
        }
        // Graphite catches only on the tooth of the paper.
        let tooth = stage.noise.at(ux * 0.95 + 11.0, uy * 0.95 + 2.0);
        let ink = (pressure * mark * (0.65 + 0.55 * tooth)).clamp(0.0, 1.0);
        let sheet = paper - 0.05 * (tooth - 0.5);
        mix([sheet, sheet - 0.3 * warmth, sheet - warmth], [graphite; 3], ink)
    })
}
