//! Drawing styles, one file per domain.

mod cartoon;
mod night;
mod painting;
mod photo;
mod scan;
mod sketch;

use image::RgbImage;
use rand_chacha::ChaCha8Rng;

use super::colour::{Rgb, mix, scaled};
use super::domain::Domain;
use super::stage::{GroundPixel, Stage};

/// Draws a stage in the domain's style.
pub(crate) fn draw(domain: Domain, stage: &Stage, rng: &mut ChaCha8Rng) -> RgbImage {
    match domain {
        Domain::Photo => photo::draw(stage, rng),
        Domain::Sketch => sketch::draw(stage, rng),
        Domain::Cartoon => cartoon::draw(stage, rng),
        Domain::Painting => painting::draw(stage, rng),
        Domain::Night => night::draw(stage, rng),
        Domain::Scan => scan::draw(stage, rng),
    }
    .into_image()
}

/// Returns the ground's colour in even daylight.
fn daylight(pixel: GroundPixel) -> Rgb {
    let (first, second) = pixel.stuff.colours();
    scaled(mix(first, second, pixel.grain.second), 1.0 + 0.32 * pixel.grain.tone)
}

/// Returns how far a pixel is towards the light, relative to a centre and a radius: 1 at the lit edge, −1 at the opposite one.
fn towards_light(stage: &Stage, centre: [f32; 2], radius: f32, x: usize, y: usize) -> f32 {
    let (dx, dy) = (x as f32 + 0.5 - centre[0], y as f32 + 0.5 - centre[1]);
    (dx * stage.light[0] + dy * stage.light[1]) / radius
}
