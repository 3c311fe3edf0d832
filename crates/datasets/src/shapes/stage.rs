//! Geometry of a planned scene on a pixel grid, the same for every domain: distances, ground texture, mask.

use image::GrayImage;
use rand_chacha::ChaCha8Rng;

use super::noise::Noise;
use super::outline::Outline;
use super::plan::{Ground, Object, Plan};
use super::stuff::{Grain, Stuff};
use super::trig::{cos, sin};
use crate::seed::Draw;

/// How far outside an object distances are computed, in 64ths of the side: the reach of the widest soft shadow.
const MARGIN: f32 = 7.0;
/// Distance of everything beyond that.
const FAR: f32 = 1e3;

/// One pixel of the ground.
#[derive(Clone, Copy)]
pub(crate) struct GroundPixel {
    pub(crate) stuff: Stuff,
    pub(crate) grain: Grain,
}

/// Distances to one object, in pixels.
pub(crate) struct Layer {
    pub(crate) object: Object,
    /// Per pixel, negative inside; [`FAR`] outside the box.
    distance: Vec<f32>,
    /// Centre in pixels, page rotation included, so that shading follows the image.
    pub(crate) centre: [f32; 2],
    /// Radius in pixels.
    pub(crate) radius: f32,
}

/// Scene ready to be drawn.
pub(crate) struct Stage {
    pub(crate) size: usize,
    /// Pixels per 64th of the side: the unit of all line widths and blurs, so that a larger image shows the same scene.
    pub(crate) unit: f32,
    pub(crate) noise: Noise,
    pub(crate) layers: Vec<Layer>,
    pub(crate) ground: Vec<GroundPixel>,
    /// Distance to the strip in front, if there is one.
    cover: Option<Vec<f32>>,
    /// Direction to the light, a unit vector.
    pub(crate) light: [f32; 2],
}

impl Layer {
    /// Returns the distance at a pixel; [`FAR`] outside the image.
    pub(crate) fn at(&self, size: usize, x: i32, y: i32) -> f32 {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return FAR };
        if x < size && y < size { self.distance[y * size + x] } else { FAR }
    }

    /// Returns the outward unit direction at a pixel, by central differences.
    pub(crate) fn slope(&self, size: usize, x: i32, y: i32) -> [f32; 2] {
        let dx = self.at(size, x + 1, y) - self.at(size, x - 1, y);
        let dy = self.at(size, x, y + 1) - self.at(size, x, y - 1);
        let length = (dx * dx + dy * dy).sqrt();
        if length < 1e-3 { [0.0, 0.0] } else { [dx / length, dy / length] }
    }

    /// Returns the share of the pixel that the object covers.
    pub(crate) fn coverage(distance: f32) -> f32 {
        (0.5 - distance).clamp(0.0, 1.0)
    }
}

impl Stage {
    pub(crate) fn new(plan: &Plan, size: usize, rng: &mut ChaCha8Rng) -> Self {
        let noise = Noise::new(rng);
        let page = Page::new(plan.page, size);
        let layers = plan.objects.iter().map(|object| layer(object, &page, rng)).collect();
        let ground = ground(&plan.ground, &page, &noise);
        let cover = plan.cover.map(|(centre, turns, half)| {
            let (nx, ny) = (sin(turns), cos(turns));
            let strip = |(x, y): (f32, f32)| (((x - centre[0]) * nx + (y - centre[1]) * ny).abs() - half) * size as f32;
            page.points().map(strip).collect()
        });
        let light = [sin(plan.light), -cos(plan.light)];
        Self { size, unit: size as f32 / 64.0, noise, layers, ground, cover, light }
    }

    /// Returns the share of an object at this pixel that the strip in front does not hide.
    pub(crate) fn uncovered(&self, pixel: usize) -> f32 {
        self.cover.as_ref().map_or(1.0, |cover| 1.0 - Layer::coverage(cover[pixel]))
    }

    /// Returns the label of every pixel: the class of the front-most object there, else the ground's.
    pub(crate) fn mask(&self) -> GrayImage {
        let label = |pixel: usize| {
            let hidden = self.cover.as_ref().is_some_and(|cover| cover[pixel] < 0.0);
            let front = self.layers.iter().rev().find(|layer| !hidden && layer.distance[pixel] < 0.0);
            front.map_or(self.ground[pixel].stuff.label(), |layer| layer.object.shape.class()) as u8
        };
        let labels = (0..self.ground.len()).map(label).collect();
        let side = self.size as u32;
        GrayImage::from_raw(side, side, labels).expect("a label for each place of the square")
    }
}

/// Mapping from pixels to the scene's own coordinates.
struct Page {
    size: usize,
    cos: f32,
    sin: f32,
}

impl Page {
    fn new((turns, zoom): (f32, f32), size: usize) -> Self {
        Self { size, cos: cos(turns) / zoom, sin: sin(turns) / zoom }
    }

    fn scene(&self, x: f32, y: f32) -> (f32, f32) {
        let (u, v) = (x / self.size as f32 - 0.5, y / self.size as f32 - 0.5);
        (0.5 + u * self.cos - v * self.sin, 0.5 + u * self.sin + v * self.cos)
    }

    /// Returns the position of a point of the scene in pixels.
    fn pixel(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let norm = self.cos * self.cos + self.sin * self.sin;
        let (u, v) = (x - 0.5, y - 0.5);
        let side = self.size as f32;
        [side * (0.5 + (u * self.cos + v * self.sin) / norm), side * (0.5 + (v * self.cos - u * self.sin) / norm)]
    }

    /// Iterates over the scene's points under all pixels' centres, row by row.
    fn points(&self) -> impl Iterator<Item = (f32, f32)> + '_ {
        (0..self.size * self.size)
            .map(|pixel| self.scene((pixel % self.size) as f32 + 0.5, (pixel / self.size) as f32 + 0.5))
    }
}

fn layer(object: &Object, page: &Page, rng: &mut ChaCha8Rng) -> Layer {
    let size = page.size;
    let side = size as f32;
    let outline = Outline::new(object.shape, object.variant);
    let (turn_cos, turn_sin) = (cos(object.turns), sin(object.turns));
    let stretch = object.aspect.abs().sqrt();
    let (to_x, to_y) = (object.aspect.signum() / (object.radius * stretch), stretch / object.radius);
    let scale = object.radius * side * stretch.min(1.0 / stretch);
    // A gentle bend of the outline, different for each object.
    let (bend, bend_x, bend_y) = (rng.between(0.0, 0.05), rng.unit(), rng.unit());

    let centre = page.pixel(object.centre);
    let reach = object.radius * side * 1.35 + MARGIN * side / 64.0;
    let clamp = |value: f32| value.clamp(0.0, side) as usize;
    let columns = clamp(centre[0] - reach)..clamp(centre[0] + reach + 1.0);
    let mut distance = vec![FAR; size * size];
    for row in clamp(centre[1] - reach)..clamp(centre[1] + reach + 1.0) {
        for column in columns.clone() {
            let (x, y) = page.scene(column as f32 + 0.5, row as f32 + 0.5);
            let (x, y) = (x - object.centre[0], y - object.centre[1]);
            let (x, y) = (x * turn_cos + y * turn_sin, y * turn_cos - x * turn_sin);
            let (x, y) = ((x - object.shear * y) * to_x, y * to_y);
            let (x, y) = (x + bend * sin(0.4 * y + bend_x), y + bend * sin(0.4 * x + bend_y));
            distance[row * size + column] = outline.distance(x, y) * scale;
        }
    }
    Layer { object: object.clone(), distance, centre, radius: object.radius * side }
}

fn ground(ground: &Ground, page: &Page, noise: &Noise) -> Vec<GroundPixel> {
    let [shift_x, shift_y] = ground.offset;
    page.points()
        .map(|(x, y)| {
            let stuff = match ground.lower {
                Some(lower) if y > ground.horizon + 0.03 * (noise.at(x * 4.0 + shift_x, 0.5) - 0.5) => lower,
                _ => ground.upper,
            };
            let scale = 64.0 * ground.scale;
            let grain = stuff.grain(noise, x * scale + shift_x, y * scale + shift_y);
            // Brightness of the sky depends on the height in the image, not in the endless texture.
            let grain = if stuff == Stuff::Sky { Grain { tone: 0.5 * (y - 0.4), ..grain } } else { grain };
            GroundPixel { stuff, grain }
        })
        .collect()
}
