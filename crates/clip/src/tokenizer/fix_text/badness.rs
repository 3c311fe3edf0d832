//! Detects mojibake: sequences of characters that are hardly ever intended.

use std::sync::LazyLock;

use regex::Regex;

use super::tables::{BADNESS, CATEGORIES};
use crate::tokenizer::white_space::PYTHON_SPACE_CLASS;

static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    let mut pattern = BADNESS.join("|").replace("{space}", PYTHON_SPACE_CLASS);
    for (name, characters) in CATEGORIES {
        pattern = pattern.replace(&format!("{{{name}}}"), characters);
    }
    Regex::new(&pattern).expect("the pattern is a constant")
});

/// ftfy's `is_bad`.
pub(super) fn is_bad(text: &str) -> bool {
    PATTERN.is_match(text)
}
