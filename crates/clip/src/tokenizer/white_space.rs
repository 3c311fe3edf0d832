//! White space as Python sees it.

/// What Python's `str.isspace` accepts: Unicode's white space and the four ASCII separators U+001C to U+001F.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// The same set as a regex class; Python's `\s` for text.
pub(super) const PYTHON_SPACE_CLASS: &str =
    r"[\t-\r\x1c-\x20\u{85}\u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}]";

/// `" ".join(text.split())`: runs of white space become one space, the ends are trimmed.
pub(super) fn collapse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(is_python_space).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn class_and_function_are_the_same_set() {
        let class = regex::Regex::new(PYTHON_SPACE_CLASS).unwrap();
        for c in '\0'..=char::MAX {
            assert_eq!(class.is_match(c.encode_utf8(&mut [0; 4])), is_python_space(c), "{c:?}");
        }
    }

    #[test]
    fn collapses_every_kind() {
        assert_eq!(collapse(" \u{3000}a\u{1c}\u{85}b\t\n c\u{a0}"), "a b c");
        assert_eq!(collapse(" \n"), "");
    }
}
