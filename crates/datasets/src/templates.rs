//! Prompt templates: sentences with a placeholder, `{}`, for the name of a class.
//!
//! Built in are `simple` (`a photo of a {}.`), `openai-80` (the 80 of CLIP's ImageNet evaluation) and `vild-14` (the 14 of ViLD, used
//! for segmentation). Others come from a file with one template per line, or a JSON list.

use std::path::Path;

use radapter_settings::value::text_or_list;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{DatasetError, list};

const OPENAI_80: &str = include_str!("../assets/templates/openai-80.txt");
const VILD_14: &str = include_str!("../assets/templates/vild-14.txt");

/// Names of the built-in sets.
pub const BUILT_IN: [&str; 3] = ["simple", "openai-80", "vild-14"];

/// Set of templates. A run saves the templates themselves, so that it does not depend on a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Templates {
    templates: Vec<String>,
}

impl Default for Templates {
    /// `simple`.
    fn default() -> Self {
        Self { templates: vec!["a photo of a {}.".to_owned()] }
    }
}

impl Templates {
    /// Resolves a setting: a built-in set, a JSON list, a single template (any text with `{}`), or else a file.
    ///
    /// # Errors
    /// [`DatasetError`] naming file and line, if it is none of these, or a template does not have exactly one `{}`.
    pub fn resolve(name: &str) -> Result<Self, DatasetError> {
        if let Some(templates) = Self::built_in(name) {
            return Ok(templates);
        }
        if let Some(list) = list::inline_json(name) {
            return Self::from_list(list?);
        }
        if name.contains("{}") {
            let place = || ("entry 1".to_owned(), name.to_owned());
            return checked(Path::new("templates"), std::iter::once(place()));
        }
        let path = Path::new(name);
        if !path.is_file() {
            let sets = BUILT_IN.join(", ");
            return Err(DatasetError::Option(format!(
                "no templates named `{name}`; expected a built-in set ({sets}), a template with `{{}}`, or a file"
            )));
        }
        let entries = list::read(path)?.into_iter().enumerate().filter(|(_, text)| !text.is_empty());
        let unit = if path.extension().is_some_and(|it| it.eq_ignore_ascii_case("json")) { "entry" } else { "line" };
        checked(path, entries.map(|(at, text)| (format!("{unit} {}", at + 1), text)))
    }

    /// Checks that each template has one `{}`.
    ///
    /// # Errors
    /// [`DatasetError`] if the list is empty, or a template does not have exactly one `{}`.
    pub fn from_list(list: Vec<String>) -> Result<Self, DatasetError> {
        let entries = list.into_iter().enumerate().map(|(at, text)| (format!("entry {}", at + 1), text));
        checked(Path::new("templates"), entries)
    }

    /// Returns a built-in set by name.
    pub fn built_in(name: &str) -> Option<Self> {
        let lines = |text: &str| Self { templates: text.lines().map(str::to_owned).collect() };
        match name {
            "simple" => Some(Self::default()),
            "openai-80" => Some(lines(OPENAI_80)),
            "vild-14" => Some(lines(VILD_14)),
            _ => None,
        }
    }

    /// Returns the templates, at least one.
    pub fn as_slice(&self) -> &[String] {
        &self.templates
    }

    /// Returns all prompts for a class name, in the order of the templates.
    pub fn prompts(&self, name: &str) -> Vec<String> {
        self.templates.iter().map(|template| fill(template, name)).collect()
    }
}

impl<'de> Deserialize<'de> for Templates {
    /// Reads a name as [`resolve`](Self::resolve) does, or a list.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a built-in set (\"simple\", \"openai-80\", \"vild-14\"), a template with {}, a file, or a list";
        text_or_list(deserializer, expected, Self::resolve, Self::from_list)
    }
}

/// Replaces the `{}` of a template by a name.
pub fn fill(template: &str, name: &str) -> String {
    template.replacen("{}", name, 1)
}

fn checked(path: &Path, templates: impl Iterator<Item = (String, String)>) -> Result<Templates, DatasetError> {
    let mut list = Vec::new();
    for (place, template) in templates {
        let braces = template.matches(['{', '}']).count();
        if braces != 2 || !template.contains("{}") {
            let problem = format!("a template needs exactly one `{{}}`, found \"{template}\"");
            return Err(DatasetError::at(path, place, problem));
        }
        list.push(template);
    }
    match list.is_empty() {
        true => Err(DatasetError::about(path, "has no templates; expected one per line, each with one `{}`")),
        false => Ok(Templates { templates: list }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn file(name: &str, content: &str) -> Result<Templates, DatasetError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        Templates::resolve(path.to_str().unwrap())
    }

    #[test]
    fn built_in_sets_are_complete() {
        for (name, count) in BUILT_IN.into_iter().zip([1, 80, 14]) {
            let templates = Templates::resolve(name).unwrap();
            assert_eq!(templates.as_slice().len(), count);
            for template in templates.as_slice() {
                assert_eq!(template.matches("{}").count(), 1, "{template}");
            }
        }
        assert_eq!(Templates::default().prompts("sea lion"), ["a photo of a sea lion."]);
        assert!(Templates::built_in("openai-80").unwrap().prompts("cat").contains(&"itap of my cat.".to_owned()));
    }

    #[test]
    fn files_and_single_templates_are_accepted() {
        let lines = file("t.txt", "\u{feff}a {}.\r\n\n  the {}\n").unwrap();
        assert_eq!(lines.as_slice(), ["a {}.", "the {}"]);
        let list = file("t.json", r#"["a {}.", "the {}"]"#).unwrap();
        assert_eq!(lines, list);
        assert_eq!(Templates::resolve("{}").unwrap().prompts("{}"), ["{}"]);
    }

    #[test]
    fn bad_templates_name_file_and_line() {
        for (name, content, parts) in [
            ("t.txt", "a {}.\n\na photo\n", ["line 3", "\"a photo\""]),
            ("t.txt", "{} and {}\n", ["line 1", "exactly one"]),
            ("t.txt", "a {c}.\n", ["line 1", "a {c}."]),
            ("t.txt", "\n\n", ["no templates", "one per line"]),
            ("t.json", r#"["a {}", "b"]"#, ["entry 2", "\"b\""]),
            ("t.json", r#"{"a": 1}"#, ["JSON list", "t.json"]),
        ] {
            let message = file(name, content).unwrap_err().to_string();
            assert!(message.contains(name) && parts.iter().all(|part| message.contains(part)), "{message}");
        }
        let message = Templates::resolve("openai80").unwrap_err().to_string();
        assert!(message.contains("`openai80`") && message.contains("openai-80"), "{message}");
    }
}
