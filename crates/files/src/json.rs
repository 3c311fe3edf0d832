//! Explains JSON that a parser refuses.

use std::fmt::Display;

use crate::{LFS_POINTER, is_lfs_pointer};

/// What Python's `json` writes for floats that JSON does not have.
const PYTHON_NUMBERS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];

/// Returns why a parser refused `text`: that it is a pointer of Git LFS, or holds a `NaN` or `Infinity`, and where, else the
/// parser's `error`.
///
/// ```
/// let reason = radapter_files::json_reason(b"{\n \"loss\": NaN}", &"expected value");
/// assert_eq!(reason, "`NaN` at line 2 column 10: Python writes it, but JSON does not have it; expected a number or null");
/// ```
pub fn json_reason(text: &[u8], error: &dyn Display) -> String {
    if is_lfs_pointer(text) {
        return format!("the file is {LFS_POINTER}");
    }
    let Some((at, number)) = python_number(text) else { return error.to_string() };
    let before = &text[..at];
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let (number, column) = (number.escape_ascii(), at - start + 1);
    format!(
        "`{number}` at line {line} column {column}: Python writes it, but JSON does not have it; expected a number or null"
    )
}

/// The first of Python's numbers outside strings, and its offset.
fn python_number(text: &[u8]) -> Option<(usize, &'static [u8])> {
    let (mut in_string, mut escaped) = (false, false);
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'N' | b'I' | b'-' if !in_string => {
                if let Some(number) = PYTHON_NUMBERS.into_iter().find(|number| text[at..].starts_with(number)) {
                    return Some((at, number));
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_number_and_its_place() {
        for (text, expected) in [
            (&b"NaN"[..], "`NaN` at line 1 column 1"),
            (b"[1,\n 2, -Infinity]", "`-Infinity` at line 2 column 5"),
            (b"{\"NaN\": \"\\\"NaN\",\r\n\r\n\"b\": Infinity}", "`Infinity` at line 3 column 6"),
        ] {
            let reason = json_reason(text, &"refused");
            assert!(reason.starts_with(expected), "{reason}");
        }
    }

    #[test]
    fn names_a_pointer_of_git_lfs() {
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 81\n";
        assert_eq!(json_reason(pointer, &"refused"), format!("the file is {LFS_POINTER}"));
    }

    #[test]
    fn other_text_keeps_the_error_of_the_parser() {
        for text in [&b"{\"a\": \"NaN\", }"[..], b"[\"-Infinity", b"[\"\\\\\", \"NaN\"", b"", b"[-1,]", b"\xff"] {
            assert_eq!(json_reason(text, &"refused"), "refused");
        }
    }
}
