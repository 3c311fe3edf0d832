//! Files of texts.

use std::path::Path;

use anyhow::{Context, bail};
use radapter_datasets::list;

use super::failure::{Usage, of_option};

/// Reads the texts of a file in order: a `.json` list of strings, or lines. Lines end at `\n` only, a blank one is the empty
/// text, a final newline adds none. What names no file is a list as other options take it: JSON, or texts with commas between.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<String>> {
    let name = path.display();
    if !path.exists() {
        let texts = of_option("--texts", path, list::resolve(&path.to_string_lossy()))?;
        return match texts.is_empty() {
            true => Err(Usage("--texts has no texts; expected at least one".into()).into()),
            false => Ok(texts),
        };
    }
    tracing::debug!("reading the texts {name}");
    let bytes = std::fs::read(path).with_context(|| format!("cannot read the texts in `{name}`"))?;
    if radapter_files::is_lfs_pointer(&bytes) {
        bail!("`{name}` is {}", radapter_files::LFS_POINTER);
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let line = 1 + error.as_bytes()[..valid].iter().filter(|&&byte| byte == b'\n').count();
            bail!("`{name}`, line {line}: not UTF-8 (byte {valid}); save the file as UTF-8");
        }
    };
    let is_json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    let texts = match serde_json::from_str(&text) {
        // Whatever the extension: a list of strings is not meant as lines.
        Ok(texts) => texts,
        Err(error) if is_json => {
            let reason = radapter_files::json_reason(text.as_bytes(), &error);
            bail!("`{name}`: expected a JSON list of strings: {reason}");
        }
        Err(_) => lines(&text),
    };
    if texts.is_empty() {
        bail!("`{name}` has no texts; expected at least one");
    }
    Ok(texts)
}

fn lines(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    text.strip_suffix('\n').unwrap_or(text).split('\n').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_pointer_of_git_lfs_is_no_list_of_texts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("texts.txt");
        std::fs::write(&path, "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("a Git LFS pointer"));
    }

    #[test]
    fn lines_end_at_newlines_only() {
        assert_eq!(lines("a\nb\n"), ["a", "b"]);
        assert_eq!(lines("a\n\nb"), ["a", "", "b"]);
        assert_eq!(lines("a\n\n"), ["a", ""]);
        assert_eq!(lines("\n"), [""]);
        assert_eq!(lines("a\r\nb\u{2028}c\u{b}d"), ["a\r", "b\u{2028}c\u{b}d"]);
        assert!(lines("").is_empty());
    }
}
