//! Detection of a list's nouns in captions.
//!
//! A caption's words are matched case-insensitively, longest names first, and plurals match their
//! singular ("two traffic lights" matches `traffic light`).

use std::collections::HashMap;

use radapter_datasets::imagenet;

use radapter_datasets::layouts::Layout;

/// Irregular plurals.
const IRREGULAR: [(&str, &str); 19] = [
    ("calves", "calf"),
    ("children", "child"),
    ("feet", "foot"),
    ("geese", "goose"),
    ("halves", "half"),
    ("knives", "knife"),
    ("leaves", "leaf"),
    ("loaves", "loaf"),
    ("men", "man"),
    ("mice", "mouse"),
    ("oxen", "ox"),
    ("people", "person"),
    ("scarves", "scarf"),
    ("shelves", "shelf"),
    ("teeth", "tooth"),
    ("thieves", "thief"),
    ("wives", "wife"),
    ("wolves", "wolf"),
    ("women", "woman"),
];

/// Synonyms of the built-in lists that mostly mean something else in a caption: "you can see".
const AMBIGUOUS: [&str; 1] = ["can"];

/// List of nouns to find.
#[derive(Clone, Debug, Default)]
pub struct Nouns {
    /// First name of each noun.
    names: Vec<String>,
    /// Maps the words of a synonym to its noun.
    index: HashMap<Vec<String>, usize>,
    /// Number of words in the longest synonym.
    longest: usize,
}

impl Nouns {
    /// Creates a list from lines, one noun with comma-separated synonyms each. The first name of a line takes precedence over the
    /// same name as a synonym elsewhere; if several lines share a synonym, the first one gets it.
    pub fn new<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> Self {
        let mut nouns = Self::default();
        nouns.extend(lines);
        nouns
    }

    /// Adds a list. A line whose first name is already known extends that noun.
    fn extend<T: AsRef<str>>(&mut self, lines: impl IntoIterator<Item = T>) {
        let parts = |line: T| line.as_ref().split(',').map(words).filter(|words| !words.is_empty()).collect();
        let lines: Vec<Vec<Vec<String>>> =
            lines.into_iter().map(parts).filter(|line: &Vec<_>| !line.is_empty()).collect();
        let mut of_line = Vec::with_capacity(lines.len());
        for line in &lines {
            let (names, first) = (&mut self.names, &line[0]);
            of_line.push(*self.index.entry(folded(first)).or_insert_with(|| {
                names.push(first.join(" "));
                names.len() - 1
            }));
        }
        for (line, noun) in lines.iter().zip(of_line) {
            for synonym in line {
                self.longest = self.longest.max(synonym.len());
                self.index.entry(folded(synonym)).or_insert(noun);
            }
        }
    }

    /// Returns the names of ADE20K-150, COCO-Stuff and ImageNet, in this order: a name in several lists gets its everyday meaning
    /// first. Synonyms that mean something else in captions are left out.
    pub fn built_in() -> Self {
        let classes = |name| Layout::named(name).map(|layout| layout.lines()).unwrap_or_default();
        let plain = |line: String| {
            let names = line.split(',').map(str::trim).filter(|name| !AMBIGUOUS.contains(name));
            names.collect::<Vec<_>>().join(", ")
        };
        // COCO-Stuff distinguishes kinds of stuff by a suffix, as in `floor-wood`.
        let stuff = |line: String| line.split('-').next().unwrap_or_default().to_owned();
        let mut nouns = Self::default();
        nouns.extend(classes("ade20k-150").into_iter().map(plain));
        nouns.extend(classes("coco-stuff-171").into_iter().map(stuff));
        nouns.extend(imagenet::classes().iter().map(|class| class.name));
        nouns
    }

    /// Finds a noun by name.
    pub fn named(&self, name: &str) -> Option<usize> {
        self.index.get(&folded(&words(name))).copied()
    }

    /// Returns the nouns' first names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the nouns in a text, each once, in the order of their first mention. Where several names match, the longest
    /// wins: "street light" does not match `street`.
    pub fn of(&self, text: &str) -> Vec<usize> {
        let words = words(text);
        let mut found = Vec::new();
        let mut at = 0;
        while at < words.len() {
            let longest = self.longest.min(words.len() - at);
            let here = (1..=longest).rev().find_map(|length| {
                let noun = self.index.get(&folded(&words[at..at + length]))?;
                Some((*noun, length))
            });
            at += here.map_or(1, |(_, length)| length);
            found.extend(here.map(|(noun, _)| noun).filter(|noun| !found.contains(noun)));
        }
        found
    }
}

/// Splits a text into lower-case words at everything but letters and digits.
fn words(text: &str) -> Vec<String> {
    let is_word = |character: char| character.is_alphanumeric() || character == '\'';
    text.split(|character| !is_word(character))
        .map(|word| word.trim_matches('\'').trim_end_matches("'s").to_lowercase())
        .filter(|word| !word.is_empty())
        .collect()
}

/// Returns the words with the last one's ending folded: the last word carries the plural of a name.
fn folded(words: &[String]) -> Vec<String> {
    let mut folded = words.to_vec();
    if let Some(last) = folded.last_mut() {
        *last = stem(last);
    }
    folded
}

/// Returns the common stem of a noun and its plural. It need not be a word: lists and captions use the same rule, so that
/// "house" and "houses" both become "hous", and "bus" and "buses" both "bus".
fn stem(word: &str) -> String {
    let word = IRREGULAR.iter().find(|(plural, _)| *plural == word).map_or(word, |(_, singular)| singular);
    let is_plural = word.len() > 3 && word.ends_with('s') && !["ss", "us", "is"].iter().any(|end| word.ends_with(end));
    let word = if is_plural { &word[..word.len() - 1] } else { word };
    match word.strip_suffix('e') {
        Some(rest) if word.len() > 3 && rest.ends_with('i') => format!("{}y", &rest[..rest.len() - 1]),
        Some(rest) if word.len() > 3 && rest.ends_with(['s', 'x', 'z', 'h', 'o']) => rest.to_owned(),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_match_their_singulars_and_nothing_else() {
        let pairs = [
            ("dog", "dogs"),
            ("bus", "buses"),
            ("house", "houses"),
            ("bench", "benches"),
            ("glass", "glasses"),
            ("sky", "skies"),
            ("cookie", "cookies"),
            ("leaf", "leaves"),
            ("person", "people"),
            ("woman", "women"),
            ("tomato", "tomatoes"),
            ("shoe", "shoes"),
            ("knife", "knives"),
            ("tie", "ties"),
            ("box", "boxes"),
            ("horse", "horses"),
            ("tennis racket", "tennis rackets"),
            ("mouse", "mice"),
            ("grass", "grass"),
        ];
        let fold = |text: &str| folded(&words(text));
        for (at, (singular, plural)) in pairs.into_iter().enumerate() {
            assert_eq!(fold(singular), fold(plural), "{singular} {plural}");
            for (other, _) in &pairs[..at] {
                assert_ne!(fold(singular), fold(other), "{singular} {other}");
            }
        }
    }

    #[test]
    fn the_longest_names_in_captions_win() {
        let nouns =
            Nouns::new(["street", "traffic light, stoplight", "light", "dog, doggie", "person", "man", "bench"]);
        let of = |text: &str| nouns.of(text).into_iter().map(|noun| nouns.names()[noun].clone()).collect::<Vec<_>>();
        assert_eq!(of("Two Traffic-Lights over a street; the man's DOGS."), ["traffic light", "street", "man", "dog"]);
        assert_eq!(of("a doggie and a dog on benches"), ["dog", "bench"]);
        assert_eq!(of("people under a stoplight"), ["person", "traffic light"]);
        assert_eq!(of("nothing here"), Vec::<String>::new());
        assert_eq!(of(""), Vec::<String>::new());
    }

    #[test]
    fn a_name_belongs_to_the_line_it_starts() {
        let nouns = Nouns::new(["sofa, couch", "couch", "couch, divan", " , "]);
        assert_eq!(nouns.names(), ["sofa", "couch"]);
        // A name that starts a line belongs to it, and is not the synonym of another.
        assert_eq!((nouns.of("a couch"), nouns.of("a divan")), (vec![1], vec![1]));
        let nouns = Nouns::new(["sofa, couch", "chair, couch"]);
        assert_eq!(nouns.of("a couch"), vec![0]);
        assert_eq!((nouns.named("Couches"), nouns.named("couch potato")), (Some(0), None));
    }

    #[test]
    fn the_built_in_list_has_everyday_things() {
        let nouns = Nouns::built_in();
        assert!(nouns.names().len() > 900, "{}", nouns.names().len());
        let of = |text: &str| nouns.of(text).into_iter().map(|noun| nouns.names()[noun].clone()).collect::<Vec<_>>();
        assert_eq!(
            of("Two people ride bicycles past trees and a golden retriever"),
            ["person", "bicycle", "tree", "golden retriever"]
        );
        assert_eq!(of("cars on the road under a blue sky"), ["car", "road", "sky"]);
        assert_eq!(of("you can see a car on the road"), ["car", "road"]);
        assert_eq!(of("a tree near a stool, a pot and a screen"), ["tree", "stool", "pot", "screen"]);
    }
}
