//! Content and layout of a scene, before anything is drawn.

use rand_chacha::ChaCha8Rng;

use super::colour::{Colour, Rgb, contrast};
use super::domain::Domain;
use super::noun::Shape;
use super::stuff::Stuff;
use crate::seed::Draw;

/// Object in a scene.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Class of the object.
    pub shape: Shape,
    /// Assigned colour. Sketches and scans do not show it.
    pub colour: Colour,
    /// Centre, in fractions of the image's sides from the upper left.
    pub centre: [f32; 2],
    /// Radius as a fraction of the image's side.
    pub radius: f32,
    /// Clockwise rotation, in turns.
    pub turns: f32,
    /// Width over height of the distortion; the shape's own proportions are in the shape.
    pub aspect: f32,
    /// Horizontal shift per unit of height.
    pub shear: f32,
    /// Within-class variation, from 0 to 1 (how pointed, how thick, how many petals).
    pub variant: f32,
    /// The colour's own variation.
    pub(crate) paint: Rgb,
}

/// Ground of a scene: one stuff, or one above another.
#[derive(Clone, Debug, PartialEq)]
pub struct Ground {
    /// Stuff that fills the image, or its part above the horizon.
    pub upper: Stuff,
    /// Stuff below the horizon, if there is one.
    pub lower: Option<Stuff>,
    /// Height of the horizon as a fraction of the side, from above.
    pub horizon: f32,
    /// Position of this image in the textures, in 64ths of its side.
    pub(crate) offset: [f32; 2],
    /// Zoom of the texture.
    pub(crate) scale: f32,
}

/// Everything that a domain draws.
pub(crate) struct Plan {
    /// Back to front.
    pub(crate) objects: Vec<Object>,
    pub(crate) ground: Ground,
    /// Strip of the ground that hides a part of what is behind it: its centre, direction in turns, and half width.
    pub(crate) cover: Option<([f32; 2], f32, f32)>,
    /// Direction of the light, in turns.
    pub(crate) light: f32,
    /// Rotation of the page in turns, and its zoom.
    pub(crate) page: (f32, f32),
}

/// Plans one shape as subject. With probability `spurious` the colour, and independently the ground, is the usual one of its class.
pub(crate) fn single(rng: &mut ChaCha8Rng, domain: Domain, shape: Shape, spurious: f32) -> Plan {
    let (usual_colour, usual_stuff) = habit(shape);
    let follow_colour = rng.chance(spurious);
    let follow_ground = rng.chance(spurious);
    let mut ground = ground(rng);
    if follow_ground {
        ground.upper = usual_stuff;
        ground.lower = None;
    }
    let mut colour = *rng.pick(&Colour::ALL);
    if follow_colour {
        colour = usual_colour;
    }
    if !stands_out(colour, &ground) {
        // A drawn cue is kept, and the free attribute changes.
        if follow_colour && !follow_ground {
            while !stands_out(colour, &ground) {
                ground.upper = *rng.pick(&Stuff::ALL);
                ground.lower = None;
            }
        } else {
            colour = visible_colour(rng, &ground);
        }
    }
    let radius = rng.between(0.21, 0.40);
    let reach = (0.5 - 0.72 * radius).max(0.0);
    let centre = [0.5 + rng.between(-reach, reach), 0.5 + rng.between(-reach, reach)];
    let object = object(rng, domain, shape, colour, centre, radius);
    let cover = rng.chance(0.22).then(|| {
        let away = rng.between(0.45, 0.8) * radius;
        let direction = rng.unit();
        let side = [super::trig::sin(direction), super::trig::cos(direction)];
        ([centre[0] + away * side[0], centre[1] + away * side[1]], direction, rng.between(0.12, 0.22) * radius)
    });
    Plan { objects: vec![object], ground, cover, light: light(rng), page: domain.page(rng) }
}

/// Plans two to four shapes; no two of them alike in both shape and colour.
pub(crate) fn several(rng: &mut ChaCha8Rng, domain: Domain) -> Plan {
    let ground = ground(rng);
    let count = 2 + rng.below(3);
    let mut objects: Vec<Object> = Vec::with_capacity(count);
    let (low, high) = [(0.17, 0.26), (0.15, 0.22), (0.13, 0.19)][count - 2];
    while objects.len() < count {
        let shape = *rng.pick(&Shape::ALL);
        let colour = visible_colour(rng, &ground);
        let known = |object: &Object| object.shape == shape && (object.colour == colour || !domain.has_colour());
        if objects.iter().any(known) {
            continue;
        }
        let mut radius = rng.between(low, high);
        let mut centre = [0.5, 0.5];
        // Without room left the new object shrinks, so that this ends.
        loop {
            let edge = 0.85 * radius;
            centre[0] = rng.between(edge, 1.0 - edge);
            centre[1] = rng.between(edge, 1.0 - edge);
            let free = |other: &Object| {
                let (dx, dy) = (other.centre[0] - centre[0], other.centre[1] - centre[1]);
                let apart = 0.92 * (other.radius + radius);
                dx * dx + dy * dy > apart * apart
            };
            if objects.iter().all(free) {
                break;
            }
            radius *= 0.99;
        }
        objects.push(object(rng, domain, shape, colour, centre, radius));
    }
    Plan { objects, ground, cover: None, light: light(rng), page: domain.page(rng) }
}

/// Returns the usual colour and ground of a class in photos: arbitrary, but the same in every world.
pub fn habit(shape: Shape) -> (Colour, Stuff) {
    let class = shape.class();
    let stuff = Stuff::ALL[(class * 5 + 2) % Stuff::ALL.len()];
    let ground = Ground { upper: stuff, lower: None, horizon: 1.0, offset: [0.0; 2], scale: 1.0 };
    let mut colour = (class * 7 + 3) % Colour::ALL.len();
    while !stands_out(Colour::ALL[colour], &ground) {
        colour = (colour + 1) % Colour::ALL.len();
    }
    (Colour::ALL[colour], stuff)
}

fn object(rng: &mut ChaCha8Rng, domain: Domain, shape: Shape, colour: Colour, centre: [f32; 2], radius: f32) -> Object {
    let tilt = domain.tilt();
    // An arrow points anywhere along a side, a fish swims both ways, a key hangs; the others stand.
    let quarter = match shape {
        Shape::Arrow | Shape::Key => rng.below(4) as f32 * 0.25,
        Shape::Rectangle | Shape::Oval | Shape::Leaf | Shape::Crescent => rng.below(2) as f32 * 0.25,
        _ => 0.0,
    };
    let mirror = if matches!(shape, Shape::Fish | Shape::Cup | Shape::Crescent | Shape::Bolt) && rng.chance(0.5) {
        -1.0
    } else {
        1.0
    };
    Object {
        shape,
        colour,
        centre,
        radius,
        turns: quarter + rng.between(-tilt, tilt),
        aspect: mirror * rng.between(0.86, 1.16),
        shear: rng.between(-0.14, 0.14),
        variant: rng.unit(),
        paint: colour.sample(rng),
    }
}

fn ground(rng: &mut ChaCha8Rng) -> Ground {
    const BELOW: [Stuff; 6] = [Stuff::Grass, Stuff::Sand, Stuff::Snow, Stuff::Stone, Stuff::Water, Stuff::Wood];
    let mut upper = *rng.pick(&Stuff::ALL);
    let mut lower = None;
    if rng.chance(0.4) {
        upper = *rng.pick(&[Stuff::Sky, Stuff::Sky, Stuff::Brick, Stuff::Wood, Stuff::Stone]);
        let below = *rng.pick(&BELOW);
        lower = (below != upper).then_some(below);
    }
    Ground {
        upper,
        lower,
        horizon: rng.between(0.35, 0.72),
        offset: [rng.between(0.0, 500.0), rng.between(0.0, 500.0)],
        scale: rng.between(0.8, 1.2),
    }
}

fn light(rng: &mut ChaCha8Rng) -> f32 {
    // From above, left or right of the middle.
    rng.between(-0.17, 0.17)
}

fn stands_out(colour: Colour, ground: &Ground) -> bool {
    let far = |stuff: Stuff| contrast(colour.rgb(), stuff.colours().0) > 0.24;
    far(ground.upper) && ground.lower.is_none_or(far)
}

fn visible_colour(rng: &mut ChaCha8Rng, ground: &Ground) -> Colour {
    loop {
        let colour = *rng.pick(&Colour::ALL);
        if stands_out(colour, ground) {
            return colour;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_grounds_leaves_colours_to_choose_from() {
        for upper in Stuff::ALL {
            for lower in Stuff::ALL {
                let ground = Ground { upper, lower: Some(lower), horizon: 0.5, offset: [0.0; 2], scale: 1.0 };
                let visible = Colour::ALL.iter().filter(|&&colour| stands_out(colour, &ground)).count();
                assert!(visible >= 3, "{upper:?} {lower:?}: {visible}");
            }
        }
        for colour in Colour::ALL {
            let grounds = Stuff::ALL.iter().filter(|&&upper| {
                stands_out(colour, &Ground { upper, lower: None, horizon: 1.0, offset: [0.0; 2], scale: 1.0 })
            });
            assert!(grounds.count() >= 3, "{colour:?}");
        }
    }
}
