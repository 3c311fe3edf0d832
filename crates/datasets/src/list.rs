//! Lists of names that options take: a file with one per line or a JSON list, a JSON list itself, or names with commas between.

use std::path::Path;

use radapter_files::{io_error, json_reason, refuse_lfs_pointer};
use serde_json::Value;

use crate::error::DatasetError;

const EXPECTED: &str = "expected one name per line, or a JSON list of strings";

/// Reads what an option names: a file, if there is one of that name, else a JSON list (for names that have commas), else the names
/// between its commas.
///
/// # Errors
/// [`DatasetError`] for a file that does not exist or is of another form. An empty list is none.
pub fn resolve(text: &str) -> Result<Vec<String>, DatasetError> {
    let path = Path::new(text);
    if path.is_file() {
        return read(path);
    }
    if let Some(list) = inline_json(text) {
        return list;
    }
    if !text.contains(',') && (path.is_dir() || looks_like_a_file(text)) {
        return Err(DatasetError::Option(format!(
            "there is no file `{text}`; expected a file with one name per line or a JSON list, or a list such as \"sky, road\""
        )));
    }
    Ok(text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// Reads an option's value that is a JSON list, for options whose texts have commas; `None` if it does not begin with `[` or is the name
/// of a file.
pub fn inline_json(text: &str) -> Option<Result<Vec<String>, DatasetError>> {
    (text.trim_start().starts_with('[') && !Path::new(text).is_file()).then(|| of_json(Path::new(text), text))
}

/// Reads a file: a JSON list of strings or numbers if its content begins with `[`, else its lines, without spaces around them.
/// Blank lines are kept, except at the end.
///
/// # Errors
/// [`DatasetError`] for a file that cannot be read, and for JSON that is not such a list.
pub fn read(path: &Path) -> Result<Vec<String>, DatasetError> {
    tracing::debug!("reading the list {}", path.display());
    let content = std::fs::read_to_string(path).map_err(io_error("read the list", path))?;
    refuse_lfs_pointer(path, content.as_bytes())?;
    let content = content.strip_prefix('\u{feff}').unwrap_or(&content).trim_end();
    // A template may begin with `{}`.
    if serde_json::from_str::<serde_json::Map<String, Value>>(content).is_ok_and(|object| !object.is_empty()) {
        return Err(DatasetError::about(path, format!("is a JSON object; {EXPECTED}")));
    }
    if !content.trim_start().starts_with('[') {
        return Ok(content.lines().map(|line| line.trim().to_owned()).collect());
    }
    of_json(path, content)
}

/// Parses a JSON list; errors name `path`.
fn of_json(path: &Path, content: &str) -> Result<Vec<String>, DatasetError> {
    let list: Vec<Value> = serde_json::from_str(content).map_err(|error| {
        let reason = json_reason(content.as_bytes(), &error);
        DatasetError::about(path, format!("begins with `[` and is not JSON: {reason}; {EXPECTED}"))
    })?;
    let name = |(index, value): (usize, Value)| match value {
        Value::String(name) => Ok(name.trim().to_owned()),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(DatasetError::at(path, format!("[{index}]"), format!("found {other}; {EXPECTED}"))),
    };
    list.into_iter().enumerate().map(name).collect()
}

/// [`resolve`] without blank names, for lists whose line numbers mean nothing.
///
/// # Errors
/// Those of [`resolve`].
pub fn resolve_names(text: &str) -> Result<Vec<String>, DatasetError> {
    resolve(text).map(without_blanks)
}

/// [`resolve_names`] of an option that is a path: a file, whatever its name, or else the names themselves.
///
/// # Errors
/// Those of [`resolve`].
pub fn names_of(option: &Path) -> Result<Vec<String>, DatasetError> {
    match option.is_file() {
        true => read(option).map(without_blanks),
        false => resolve_names(&option.to_string_lossy()),
    }
}

fn without_blanks(mut names: Vec<String>) -> Vec<String> {
    names.retain(|name| !name.is_empty());
    names
}

/// Whether a text has a path separator, or ends as file names do: in a dot and a few letters.
fn looks_like_a_file(text: &str) -> bool {
    let is_extension = |end: &str| (1..=5).contains(&end.len()) && end.chars().all(|c| c.is_ascii_alphanumeric());
    text.contains(['/', '\\'])
        || text.rsplit_once('.').is_some_and(|(start, end)| !start.is_empty() && is_extension(end))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn of(content: &str) -> Result<Vec<String>, DatasetError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names.txt");
        std::fs::write(&path, content).unwrap();
        resolve(path.to_str().unwrap())
    }

    #[test]
    fn the_same_list_in_every_form() {
        for content in ["sky\nroad\n", "\u{feff}sky\r\nroad", "[\"sky\", \"road\"]\n", "[\n  \"sky\",\n  \"road\"\n]"] {
            assert_eq!(of(content).unwrap(), ["sky", "road"], "{content}");
        }
        assert_eq!(resolve("sky, road,").unwrap(), ["sky", "road"]);
        assert_eq!(resolve("[\"sky, blue\", \"road\"]").unwrap(), ["sky, blue", "road"]);
        assert!(resolve("[sky").unwrap_err().to_string().contains("is not JSON"));
        assert_eq!(of("[7, \"08\"]").unwrap(), ["7", "08"]);
        assert_eq!(of("a\n\nb\n\n").unwrap(), ["a", "", "b"]);
        assert!(of("").unwrap().is_empty());
    }

    #[test]
    fn names_are_read_without_blank_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names.txt");
        std::fs::write(&path, "a\n \n\nb\n").unwrap();
        assert_eq!(names_of(&path).unwrap(), ["a", "b"]);
        assert_eq!(resolve_names(path.to_str().unwrap()).unwrap(), ["a", "b"]);
    }

    #[test]
    fn another_form_is_named() {
        for (content, part) in [
            ("{\"sky\": 0}", "is a JSON object"),
            ("[\"sky\", [1]]", ", [1]: found [1]"),
            ("[\"sky\"", "is not JSON"),
            ("[NaN]", "NaN"),
            ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "a Git LFS pointer"),
        ] {
            let message = of(content).unwrap_err().to_string();
            assert!(message.contains("names.txt") && message.contains(part), "{content}: {message}");
        }
        for name in ["absent.txt", "lists/absent"] {
            assert!(resolve(name).unwrap_err().to_string().contains("there is no file"), "{name}");
        }
    }
}
