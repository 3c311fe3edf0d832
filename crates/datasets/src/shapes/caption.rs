//! Captions of scenes.
//!
//! Captions mention only what is visible: no colours in sketches and scans, and the side of the image only where it is clear.

use rand_chacha::ChaCha8Rng;

use super::domain::Domain;
use super::plan::{Ground, Object};
use crate::seed::Draw;

/// Phrases for images of a domain; the first is the most frequent.
fn picture_of(domain: Domain) -> &'static [&'static str] {
    match domain {
        Domain::Photo => &["a photo of", "a photo of", "a picture of", "a photograph of", "a good photo of"],
        Domain::Sketch => {
            &["a sketch of", "a sketch of", "a pencil drawing of", "a drawing of", "a black and white sketch of"]
        }
        Domain::Cartoon => {
            &["a cartoon of", "a cartoon of", "a comic of", "a cartoon drawing of", "an illustration of"]
        }
        Domain::Painting => {
            &["a painting of", "a painting of", "an oil painting of", "a picture painted of", "artwork of"]
        }
        Domain::Night => {
            &["a night photo of", "a dark photo of", "a photo at night of", "a night picture of", "a dim photo of"]
        }
        Domain::Scan => &["a scan of", "a noisy scan of", "a photocopy of", "a grey copy of", "a bad scan of"],
    }
}

/// Writes five captions of one subject.
pub(crate) fn single(rng: &mut ChaCha8Rng, domain: Domain, object: &Object, ground: &Ground) -> Vec<String> {
    let noun = object.shape.name();
    let plain = with_article(noun);
    let full = with_article(&described(object, domain, true));
    let coloured = with_article(&described(object, domain, false));
    let of = *rng.pick(picture_of(domain));
    let also_of = *rng.pick(picture_of(domain));
    let on = on_ground(ground);
    let side = side(object);
    let stuff = ground.lower.unwrap_or(ground.upper).name();
    vec![
        format!("{of} {plain}."),
        format!("{coloured} {on}"),
        match rng.below(4) {
            0 => format!("{also_of} {coloured} {on}."),
            1 => format!("{also_of} {full}"),
            2 => format!("{also_of} {coloured}."),
            _ => format!("{also_of} {plain} {on}"),
        },
        match rng.below(4) {
            0 => format!("there is {full} in the picture"),
            1 => format!("{full} {side}"),
            2 => predicate(object, domain),
            _ => format!("{stuff} with {full}"),
        },
        match rng.below(4) {
            0 => format!("{plain} {side} {on}"),
            1 => format!("one {noun}, {on}"),
            2 => format!("we see {coloured} {on}."),
            _ => plain,
        },
    ]
}

/// Writes five captions of several things.
pub(crate) fn several(rng: &mut ChaCha8Rng, domain: Domain, objects: &[Object], ground: &Ground) -> Vec<String> {
    let mut order: Vec<&Object> = objects.iter().collect();
    let of = *rng.pick(picture_of(domain));
    let on = on_ground(ground);
    let full: Vec<String> = order.iter().map(|object| with_article(&described(object, domain, true))).collect();
    let coloured: Vec<String> = order.iter().map(|object| with_article(&described(object, domain, false))).collect();
    let plain: Vec<String> = order.iter().map(|object| with_article(object.shape.name())).collect();
    let count = ["no", "one", "two", "three", "four"][objects.len().min(4)];
    let (first, second) = (order[0], order[1]);
    let relation = relation(first, second);
    let mut captions = vec![
        format!("{count} shapes: {}.", listed(&coloured)),
        format!("{} {relation} {}", coloured[0], coloured[1]),
        format!("{of} {} {on}.", listed(&plain)),
    ];
    captions.push(match rng.below(3) {
        0 => format!("{} with {} {on}", full[0], listed(&plain[1..])),
        1 => format!("there are {count} things {on}: {}", listed(&full)),
        _ => format!(
            "{of} {}, {} is {}",
            coloured[1],
            if objects.len() > 2 { "one of several things, and near it" } else { "and near it" },
            full[0]
        ),
    });
    // From left to right, in reading order.
    order.sort_by(|a, b| a.centre[0].total_cmp(&b.centre[0]));
    let read: Vec<String> = order.iter().map(|object| with_article(&described(object, domain, false))).collect();
    captions.push(format!("from left to right {}", listed(&read)));
    captions
}

/// "big red star".
fn described(object: &Object, domain: Domain, with_size: bool) -> String {
    let mut words = Vec::with_capacity(3);
    if with_size {
        words.extend(size_word(object));
    }
    if domain.has_colour() {
        words.push(object.colour.name());
    }
    words.push(object.shape.name());
    words.join(" ")
}

fn size_word(object: &Object) -> Option<&'static str> {
    match object.radius {
        radius if radius > 0.33 => Some("big"),
        radius if radius < 0.18 => Some("small"),
        _ => None,
    }
}

fn predicate(object: &Object, domain: Domain) -> String {
    let noun = object.shape.name();
    match (size_word(object), domain.has_colour()) {
        (Some(size), true) => format!("the {noun} is {size} and {}", object.colour.name()),
        (Some(size), false) => format!("the {noun} is {size}"),
        (None, true) => format!("the {noun} is {}", object.colour.name()),
        (None, false) => format!("this is {}", with_article(noun)),
    }
}

fn with_article(phrase: &str) -> String {
    let article = if phrase.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {phrase}")
}

fn on_ground(ground: &Ground) -> String {
    use super::stuff::Stuff;
    match (ground.upper, ground.lower) {
        (Stuff::Sky, None) => "in the sky".to_owned(),
        (Stuff::Brick, None) => "on a brick wall".to_owned(),
        (upper, None) => format!("on {}", upper.name()),
        (Stuff::Sky, Some(lower)) => format!("on {} under the sky", lower.name()),
        (upper, Some(lower)) => format!("on {} before {}", lower.name(), upper.name()),
    }
}

fn side(object: &Object) -> &'static str {
    let [x, y] = object.centre;
    let (dx, dy) = (x - 0.5, y - 0.5);
    if dx.abs().max(dy.abs()) < 0.07 {
        "in the middle"
    } else if dx.abs() > dy.abs() {
        if dx < 0.0 { "on the left" } else { "on the right" }
    } else if dy < 0.0 {
        "at the top"
    } else {
        "at the bottom"
    }
}

fn relation(first: &Object, second: &Object) -> &'static str {
    let (dx, dy) = (first.centre[0] - second.centre[0], first.centre[1] - second.centre[1]);
    if dx.abs() > dy.abs() {
        if dx < 0.0 { "to the left of" } else { "to the right of" }
    } else if dy < 0.0 {
        "above"
    } else {
        "below"
    }
}

/// "a, b and c".
fn listed(phrases: &[String]) -> String {
    match phrases {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles_and_lists_read_as_english() {
        assert_eq!(with_article("orange star"), "an orange star");
        assert_eq!(with_article("hexagon"), "a hexagon");
        let phrases = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(listed(&phrases), "a, b and c");
        assert_eq!(listed(&phrases[..2]), "a and b");
    }
}
