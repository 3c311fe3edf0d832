//! Signed distance functions of the shapes: negative inside, in units of the shape's radius.
//!
//! Distances are exact or nearly so near the edge, where anti-aliasing, strokes and bevels use them. The plane has x to
//! the right and y **down**, as for pixels. Formulas follow the well-known collection of Inigo Quilez; the compositions are our
//! own.

use super::noun::Shape;
use super::trig::{cos, sin};

/// Shape with fixed within-class variation: how pointed this star is, how thick this ring.
pub(crate) struct Outline {
    shape: Shape,
    /// The variation, from 0 to 1.
    variant: f32,
    /// Edges of the polygonal parts: all of some shapes, the tail of the fish.
    edges: Vec<Edge>,
}

impl Outline {
    pub(crate) fn new(shape: Shape, variant: f32) -> Self {
        let v = variant;
        let corners = match shape {
            Shape::Triangle => regular(3, 1.0),
            Shape::Pentagon => regular(5, 0.92),
            Shape::Hexagon => regular(6, 0.92),
            Shape::Star => star(0.40 + 0.14 * v),
            Shape::Arrow => {
                let (shaft, neck, head) = (0.16 + 0.12 * v, 0.05 + 0.15 * v, 0.55 + 0.12 * v);
                vec![
                    [-0.95, -shaft],
                    [neck, -shaft],
                    [neck, -head],
                    [0.95, 0.0],
                    [neck, head],
                    [neck, shaft],
                    [-0.95, shaft],
                ]
            }
            Shape::Bolt => {
                let w = 0.06 * v;
                vec![
                    [0.30 + w, -1.0],
                    [-0.55 - w, 0.12],
                    [-0.06, 0.12],
                    [-0.30 - w, 1.0],
                    [0.55 + w, -0.18],
                    [0.06, -0.18],
                ]
            }
            Shape::House => {
                let (wall, eave) = (0.58 + 0.1 * v, 0.86);
                vec![
                    [0.0, -0.92],
                    [eave, -0.12],
                    [wall, -0.12],
                    [wall, 0.85],
                    [0.17, 0.85],
                    [0.17, 0.35],
                    [-0.17, 0.35],
                    [-0.17, 0.85],
                    [-wall, 0.85],
                    [-wall, -0.12],
                    [-eave, -0.12],
                ]
            }
            Shape::Fish => vec![[-0.3, 0.0], [-0.98, -0.52], [-0.8, 0.0], [-0.98, 0.52]],
            _ => Vec::new(),
        };
        Self { shape, variant, edges: edges(&corners) }
    }

    /// Returns the distance of a point in the shape's own coordinates.
    pub(crate) fn distance(&self, x: f32, y: f32) -> f32 {
        let v = self.variant;
        match self.shape {
            Shape::Circle => length(x, y) - 0.85,
            Shape::Oval => ellipse(x, y, 0.98, 0.66 - 0.12 * v),
            Shape::Ring => (length(x, y) - 0.68).abs() - (0.16 + 0.08 * v),
            Shape::Crescent => crescent(x, y, 0.42 + 0.16 * v),
            Shape::Square => rounded_box(x, y, 0.74, 0.74, 0.06 * v),
            Shape::Rectangle => rounded_box(x, y, 0.96, 0.58 - 0.16 * v, 0.06 * v),
            Shape::Diamond => rhombus(x, y, 0.62 - 0.12 * v, 0.98),
            Shape::Cross => {
                let arm = 0.24 + 0.12 * v;
                rounded_box(x, y, 0.92, arm, 0.0).min(rounded_box(x, y, arm, 0.92, 0.0))
            }
            Shape::Heart => heart(x, y),
            Shape::Flower => flower(x, y, 5 + (v * 3.0) as usize),
            Shape::Drop => drop(x, y),
            Shape::Gear => gear(x, y, 0.22 + 0.1 * v),
            Shape::Leaf => leaf(x, y, v),
            Shape::Fish => fish(&self.edges, x, y, v),
            Shape::Key => key(x, y),
            Shape::Mushroom => mushroom(x, y, v),
            Shape::Cup => cup(x, y, v),
            Shape::Triangle
            | Shape::Pentagon
            | Shape::Hexagon
            | Shape::Star
            | Shape::Arrow
            | Shape::Bolt
            | Shape::House => polygon(&self.edges, x, y),
        }
    }
}

fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

/// Returns the corners of a regular polygon, the first one on top.
fn regular(count: usize, radius: f32) -> Vec<[f32; 2]> {
    (0..count)
        .map(|corner| {
            let turns = corner as f32 / count as f32;
            [radius * sin(turns), -radius * cos(turns)]
        })
        .collect()
}

fn star(inner: f32) -> Vec<[f32; 2]> {
    (0..10)
        .map(|corner| {
            let turns = corner as f32 / 10.0;
            let radius = if corner % 2 == 0 { 1.0 } else { inner };
            [radius * sin(turns), -radius * cos(turns)]
        })
        .collect()
}

/// Edge of a polygon, from a corner back to the previous one.
#[derive(Clone, Copy)]
struct Edge {
    corner: [f32; 2],
    back: [f32; 2],
    /// 1 / |back|².
    inverse: f32,
    /// Height of the previous corner.
    previous: f32,
}

fn edges(corners: &[[f32; 2]]) -> Vec<Edge> {
    let before = corners.iter().cycle().skip(corners.len().saturating_sub(1));
    let edge = |(&corner, &previous): (&[f32; 2], &[f32; 2])| {
        let back = [previous[0] - corner[0], previous[1] - corner[1]];
        let inverse = 1.0 / (back[0] * back[0] + back[1] * back[1]);
        Edge { corner, back, inverse, previous: previous[1] }
    };
    corners.iter().zip(before).map(edge).collect()
}

/// Returns the exact distance to a polygon; the sign by counting crossings.
fn polygon(edges: &[Edge], x: f32, y: f32) -> f32 {
    let mut nearest = f32::MAX;
    let mut inside = false;
    for edge in edges {
        let [ex, ey] = edge.back;
        let (wx, wy) = (x - edge.corner[0], y - edge.corner[1]);
        let along = ((wx * ex + wy * ey) * edge.inverse).clamp(0.0, 1.0);
        let (bx, by) = (wx - ex * along, wy - ey * along);
        nearest = nearest.min(bx * bx + by * by);
        let crosses = (edge.corner[1] > y) != (edge.previous > y);
        inside ^= crosses & ((ey * wx < ex * wy) == (ey > 0.0));
    }
    if inside { -nearest.sqrt() } else { nearest.sqrt() }
}

fn rounded_box(x: f32, y: f32, half_width: f32, half_height: f32, round: f32) -> f32 {
    let (qx, qy) = (x.abs() - half_width + round, y.abs() - half_height + round);
    length(qx.max(0.0), qy.max(0.0)) + qx.max(qy).min(0.0) - round
}

fn ellipse(x: f32, y: f32, a: f32, b: f32) -> f32 {
    let level = length(x / a, y / b);
    let slope = length(x / (a * a), y / (b * b));
    if slope < 1e-4 { -b } else { level * (level - 1.0) / slope }
}

fn rhombus(x: f32, y: f32, a: f32, b: f32) -> f32 {
    (x.abs() * b + y.abs() * a - a * b) / length(a, b)
}

fn crescent(x: f32, y: f32, shift: f32) -> f32 {
    let (x, moon) = (x + 0.12, length(x + 0.12, y) - 0.92);
    moon.max(0.78 - length(x - shift, y))
}

fn heart(x: f32, y: f32) -> f32 {
    // The formula's heart stands on (0, 0) and is 1.1 high, y up.
    let (x, y) = (x.abs() / 1.6, (0.88 - y) / 1.6);
    let distance = if x + y > 1.0 {
        length(x - 0.25, y - 0.75) - std::f32::consts::SQRT_2 / 4.0
    } else {
        let along = 0.5 * (x + y).max(0.0);
        let side = length(x - along, y - along).min(length(x, y - 1.0));
        if x < y { -side } else { side }
    };
    distance * 1.6
}

fn flower(x: f32, y: f32, petals: usize) -> f32 {
    let mut nearest = f32::MAX;
    for petal in 0..petals {
        let turns = petal as f32 / petals as f32;
        nearest = nearest.min(length(x - 0.6 * sin(turns), y + 0.6 * cos(turns)));
    }
    let petals = nearest - (0.46 - 0.025 * petals as f32);
    petals.min(length(x, y) - 0.5).max(0.19 - length(x, y))
}

fn drop(x: f32, y: f32) -> f32 {
    // A round belly below and straight flanks, tangent to it, up to the tip.
    let (x, y) = (x.abs(), y - 0.34);
    let (belly, height) = (0.58_f32, 1.3_f32);
    let slant = belly / height;
    let flank_y = (1.0 - slant * slant).sqrt();
    // Along the flank's direction: below zero the belly is nearest, above the flank, past the end the tip.
    let along = -y * flank_y - x * slant;
    let across = x * flank_y - y * slant;
    if along < 0.0 {
        length(x, y) - belly
    } else if along > height * flank_y {
        length(x, y + height)
    } else {
        across - belly
    }
}

fn gear(x: f32, y: f32, hole: f32) -> f32 {
    let from_centre = length(x, y);
    // Eight teeth: mirror into the first half tooth.
    let (x, y) = (x.abs(), y.abs());
    let (x, y) = if y > x { (y, x) } else { (x, y) };
    let (tx, ty) = if y > x * 0.414_213_57 {
        let r = std::f32::consts::FRAC_1_SQRT_2;
        ((x + y) * r, ((y - x) * r).abs())
    } else {
        (x, y)
    };
    let tooth = rounded_box(tx - 0.7, ty, 0.26, 0.14, 0.0);
    tooth.min(from_centre - 0.7).max(hole - from_centre)
}

/// Returns the distance to the lens of two equal circles, its tips at (0, ±half).
fn lens(x: f32, y: f32, half: f32, width: f32) -> f32 {
    let offset = (half * half - width * width) / (2.0 * width);
    length(x.abs() + offset, y) - (offset + width)
}

fn segment(x: f32, y: f32, from: [f32; 2], to: [f32; 2]) -> f32 {
    let (ex, ey) = (to[0] - from[0], to[1] - from[1]);
    let (wx, wy) = (x - from[0], y - from[1]);
    let along = ((wx * ex + wy * ey) / (ex * ex + ey * ey)).clamp(0.0, 1.0);
    length(wx - ex * along, wy - ey * along)
}

fn leaf(x: f32, y: f32, v: f32) -> f32 {
    let blade = lens(x, y + 0.16, 0.8, 0.4 + 0.1 * v);
    // The midrib is cut out of the blade and continues as the stalk.
    let rib = segment(x, y, [0.0, 0.0], [0.0, 0.55]) - 0.035;
    let stalk = segment(x, y, [0.0, 0.6], [0.1, 0.98]) - 0.08;
    blade.max(-rib).min(stalk)
}

fn fish(tail: &[Edge], x: f32, y: f32, v: f32) -> f32 {
    let body = ellipse(x - 0.22, y, 0.7, 0.4 + 0.1 * v);
    let tail = polygon(tail, x, y);
    let eye = length(x - 0.58, y + 0.1) - 0.09;
    body.min(tail).max(-eye)
}

fn key(x: f32, y: f32) -> f32 {
    let bow = (length(x + 0.58, y) - 0.29).abs() - 0.12;
    let shaft = rounded_box(x - 0.33, y, 0.62, 0.11, 0.0);
    let first = rounded_box(x - 0.82, y - 0.22, 0.1, 0.24, 0.0);
    let second = rounded_box(x - 0.46, y - 0.18, 0.09, 0.2, 0.0);
    bow.min(shaft).min(first).min(second)
}

fn mushroom(x: f32, y: f32, v: f32) -> f32 {
    let cap = ellipse(x, y + 0.02, 0.92, 0.84).max(y + 0.02);
    let foot = 0.26 + 0.08 * v + 0.06 * y;
    let stem = rounded_box(x, y - 0.42, foot, 0.46, 0.08);
    cap.min(stem)
}

fn cup(x: f32, y: f32, v: f32) -> f32 {
    // Walls lean inwards to the bottom.
    let lean = 0.52 + 0.08 * v - 0.12 * y;
    let body = rounded_box(x + 0.2, y, lean, 0.68, 0.08);
    let handle = (length((x - 0.42) * 1.1, y + 0.05) - 0.34).abs() - 0.1;
    body.min(handle)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn distances_change_by_at_most_the_step(class in 0_usize..24, variant in 0.0_f32..1.0, x in -1.6_f32..1.6, y in -1.6_f32..1.6) {
            let outline = Outline::new(Shape::ALL[class], variant);
            let here = outline.distance(x, y);
            // One step away the distance differs by at most that step (half as much again where a formula is approximate).
            // Deep inside only the sign is used.
            for (dx, dy) in [(0.02, 0.0), (0.0, 0.02), (-0.02, 0.0), (0.0, -0.02)] {
                let there = outline.distance(x + dx, y + dy);
                prop_assert!(here < -0.25 || (there - here).abs() <= 0.032, "{:?} at ({x}, {y}): {here} then {there}", Shape::ALL[class]);
            }
            prop_assert!(length(x, y) < 1.2 || here > 0.0, "{:?} reaches out to ({x}, {y})", Shape::ALL[class]);
        }
    }

    #[test]
    fn shapes_fill_a_fair_share_of_their_circle() {
        for shape in Shape::ALL {
            for variant in [0.0, 0.5, 0.999] {
                let outline = Outline::new(shape, variant);
                let points = (0..6400).map(|at| ((at % 80) as f32 / 40.0 - 1.0, (at / 80) as f32 / 40.0 - 1.0));
                let inside = points.filter(|&(x, y)| outline.distance(x, y) < 0.0).count() as f32 / 6400.0;
                assert!((0.1..0.75).contains(&inside), "{shape:?} {variant}: {inside}");
            }
        }
    }
}
