//! Classes of a segmentation: an open vocabulary, in label order.

use std::collections::HashMap;
use std::path::Path;

use radapter_datasets::{DatasetError, list};
use serde::{Deserialize, Serialize};

/// Second class of a list of one, the first that is not its name: pixels need an alternative.
const OTHERS: [&str; 2] = ["others", "background"];
/// Number of names that an error suggests.
const NEAREST: usize = 3;

/// Classes in label order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassList {
    classes: Vec<SegmentationClass>,
    /// Notes for the user, such as repeated names.
    pub notes: Vec<String>,
}

/// Class with its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentationClass {
    /// Its names; reports use the first.
    pub synonyms: Vec<String>,
    /// The line that the class was parsed from.
    pub line: String,
}

/// Treatment of a line's synonyms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Synonyms {
    /// Each synonym is a separate text, and the class is the mean of their embeddings.
    #[default]
    Mean,
    /// The whole line is one text, commas included, as in OVSeg's results.
    Joined,
}

impl std::str::FromStr for Synonyms {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "mean" => Ok(Self::Mean),
            "joined" => Ok(Self::Joined),
            other => Err(format!("expected `mean` or `joined`, found `{other}`")),
        }
    }
}

impl std::fmt::Display for Synonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Mean => "mean",
            Self::Joined => "joined",
        })
    }
}

impl ClassList {
    /// Returns the classes that a text refers to: a file with one class per line and comma-separated synonyms, if a file of that
    /// name exists, else comma-separated names.
    ///
    /// # Errors
    /// [`DatasetError`] for a file that cannot be read, a blank or repeated line, and an empty list.
    pub fn resolve(text: &str) -> Result<Self, DatasetError> {
        let place = if Path::new(text).is_file() { text } else { "the list" };
        Self::of(place, &list::resolve(text)?)
    }

    /// Creates classes from lines.
    ///
    /// # Errors
    /// Those of [`resolve`](Self::resolve).
    pub fn from_lines<T: AsRef<str>>(lines: &[T]) -> Result<Self, DatasetError> {
        Self::of("the list", lines)
    }

    fn of<T: AsRef<str>>(place: &str, lines: &[T]) -> Result<Self, DatasetError> {
        let wrong = |line: usize, problem: &str| DatasetError::at(place, format!("line {line}"), problem);
        if lines.is_empty() {
            return Err(DatasetError::about(
                place,
                "has no classes; expected one per line, or a list such as \"sky, road\"",
            ));
        }
        let mut list = Self { classes: Vec::with_capacity(lines.len()), notes: Vec::new() };
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        for (number, line) in lines.iter().enumerate() {
            let line = line.as_ref().trim();
            let names: Vec<&str> = line.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
            if names.is_empty() {
                return Err(wrong(number + 1, "no name; expected a class, because line numbers are labels"));
            }
            if let Some(first) = seen.insert(names.join(",").to_lowercase(), number) {
                let problem = format!(
                    "line {} repeats line {}, `{line}`; classes must differ. Remove or rename one",
                    number + 1,
                    first + 1
                );
                return Err(DatasetError::new(place, problem));
            }
            let mut synonyms: Vec<String> = Vec::new();
            for name in names {
                match known.insert(name.to_lowercase(), number) {
                    Some(other) if other == number => {
                        list.notes.push(format!("line {}: `{name}` is listed twice and counts once", number + 1));
                        continue;
                    }
                    Some(other) => {
                        let (first, second) = (other + 1, number + 1);
                        list.notes.push(format!("`{name}` is a name on line {first} and on line {second}"));
                    }
                    None => {}
                }
                synonyms.push(name.to_owned());
            }
            list.classes.push(SegmentationClass { synonyms, line: line.to_owned() });
        }
        if let [only] = &list.classes[..] {
            let is_free = |word: &&str| !only.synonyms.iter().any(|name| name.eq_ignore_ascii_case(word));
            let others = OTHERS.into_iter().find(is_free).unwrap_or("everything else");
            let note = format!("`{}` is the only class: `{others}` is added for all other pixels", only.line);
            list.notes.push(note);
            list.classes.push(SegmentationClass { synonyms: vec![others.to_owned()], line: others.to_owned() });
        }
        Ok(list)
    }

    /// Returns the number of classes.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Always false: a list has at least one class.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// Returns the classes in label order.
    pub fn as_slice(&self) -> &[SegmentationClass] {
        &self.classes
    }

    /// Returns the classes' first names.
    pub fn names(&self) -> Vec<String> {
        self.classes.iter().map(|class| class.synonyms[0].clone()).collect()
    }

    /// Returns the lines that the classes were parsed from.
    pub fn lines(&self) -> Vec<String> {
        self.classes.iter().map(|class| class.line.clone()).collect()
    }

    /// Returns the texts for templates, per class.
    pub fn texts(&self, synonyms: Synonyms) -> Vec<Vec<String>> {
        let of = |class: &SegmentationClass| match synonyms {
            Synonyms::Mean => class.synonyms.clone(),
            Synonyms::Joined => vec![class.line.clone()],
        };
        self.classes.iter().map(of).collect()
    }

    /// Returns the labels of classes by name, case-insensitively: by line, else by first name, else by synonym; ascending,
    /// without duplicates.
    ///
    /// # Errors
    /// [`DatasetError`] for an unknown name, and for a synonym of several classes.
    pub fn labels_of(&self, names: &[String]) -> Result<Vec<usize>, DatasetError> {
        let mut labels = names.iter().map(|name| self.label_of(name)).collect::<Result<Vec<_>, _>>()?;
        labels.sort_unstable();
        labels.dedup();
        Ok(labels)
    }

    fn label_of(&self, name: &str) -> Result<usize, DatasetError> {
        let wanted = name.trim().to_lowercase();
        let rank = |class: &SegmentationClass| {
            let place = class.synonyms.iter().position(|known| known.to_lowercase() == wanted);
            if class.line.to_lowercase() == wanted { Some(0) } else { place.map(|place| 1 + place.min(1)) }
        };
        let ranked = self.classes.iter().enumerate().filter_map(|(label, class)| Some((rank(class)?, label)));
        let ranked: Vec<(usize, usize)> = ranked.collect();
        let Some((best, label)) = ranked.iter().copied().min() else { return Err(self.unknown(name)) };
        match ranked.iter().find(|(rank, other)| *rank == best && *other != label) {
            None => Ok(label),
            Some((_, other)) => Err(DatasetError::Option(format!(
                "`{name}` is a synonym of `{}` and of `{}`; expected one class, named by its first name or its line",
                self.classes[label].line, self.classes[*other].line
            ))),
        }
    }

    fn unknown(&self, name: &str) -> DatasetError {
        let mut nearest: Vec<&String> = self.classes.iter().flat_map(|class| &class.synonyms).collect();
        nearest.sort_by_key(|known| strsim::levenshtein(&known.to_lowercase(), &name.to_lowercase()));
        let nearest: Vec<&str> = nearest.into_iter().take(NEAREST).map(String::as_str).collect();
        let (classes, nearest) = (self.len(), nearest.join(", "));
        DatasetError::Option(format!("`{name}` is not one of the {classes} classes; the nearest are {nearest}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn file(content: &str) -> Result<ClassList, DatasetError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("classes.txt");
        std::fs::write(&path, content).unwrap();
        ClassList::resolve(path.to_str().unwrap())
    }

    #[test]
    fn lines_are_classes_and_commas_separate_synonyms() {
        let classes = file("\u{feff}sky\r\nroad, route\r\ncar,automobile , auto\r\n\r\n").unwrap();
        assert_eq!(classes.names(), ["sky", "road", "car"]);
        assert_eq!(classes.texts(Synonyms::Mean)[2], ["car", "automobile", "auto"]);
        assert_eq!(classes.texts(Synonyms::Joined)[2], ["car,automobile , auto"]);
        assert_eq!(ClassList::from_lines(&classes.lines()).unwrap(), classes);
        assert!(classes.notes.is_empty());
    }

    #[test]
    fn a_list_has_no_synonyms_and_a_file_of_its_name_takes_precedence() {
        assert_eq!(ClassList::resolve(" sky,road ,, person").unwrap().names(), ["sky", "road", "person"]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sky, road");
        std::fs::write(&path, "a, b\nc\n").unwrap();
        assert_eq!(ClassList::resolve(path.to_str().unwrap()).unwrap().names(), ["a", "c"]);
        assert_eq!(ClassList::resolve("a/b,c").unwrap().names(), ["a/b", "c"]);
        let named = folder.path().file_name().unwrap().to_str().unwrap().to_owned();
        assert!(ClassList::resolve(folder.path().to_str().unwrap()).is_err(), "{named} is a folder");
        for text in ["folder/classes", "classes.txt", "classes.csv"] {
            let message = ClassList::resolve(text).unwrap_err().to_string();
            assert!(message.contains("no file") && message.contains(text), "{message}");
        }
    }

    #[test]
    fn a_single_class_gets_others() {
        let classes = ClassList::resolve("cat").unwrap();
        assert_eq!(classes.names(), ["cat", "others"]);
        assert!(classes.notes[0].contains("`others`"), "{:?}", classes.notes);
        assert_eq!(ClassList::resolve("others").unwrap().names(), ["others", "background"]);
    }

    #[test]
    fn repetitions_and_blanks_are_reported() {
        let message = |content| file(content).unwrap_err().to_string();
        let text = message("sky\nroad, route\nSky\n");
        assert!(text.contains("classes.txt: line 3 repeats line 1"), "{text}");
        assert!(message("sky\n\nroad\n").contains("line 2"));
        assert!(message("sky\n , \nroad\n").contains("line 2"));
        assert!(message("").contains("no classes"));
        assert!(ClassList::resolve(",").unwrap_err().to_string().contains("no classes"));
        let classes = file("road, route, road\nway, route\n").unwrap();
        assert_eq!(classes.texts(Synonyms::Mean), [vec!["road", "route"], vec!["way", "route"]]);
        assert_eq!(classes.notes.len(), 2, "{:?}", classes.notes);
    }

    #[test]
    fn labels_are_found_by_any_name() {
        let classes = file("sky\nroad, route\nsign symbol\n").unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(classes.labels_of(&names(&["Sign Symbol", "route", "road, route"])).unwrap(), [1, 2]);
        let message = classes.labels_of(&names(&["raod"])).unwrap_err().to_string();
        let classes =
            ClassList::from_lines(&["toilet, pot, can".to_owned(), "pot".to_owned(), "tin, can".to_owned()]).unwrap();
        assert_eq!(classes.labels_of(&names(&["pot"])).unwrap(), [1], "its own line, not the synonym of another");
        let several = classes.labels_of(&names(&["can"])).unwrap_err().to_string();
        assert!(several.contains("`toilet, pot, can`") && several.contains("`tin, can`"), "{several}");
        assert!(message.contains("`raod`") && message.contains("nearest are road"), "{message}");
    }
}
