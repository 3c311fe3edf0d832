//! Splits a cleaned text into the words that byte-pair encoding works on, and caches their tokens: texts repeat their
//! words, above all class names under templates.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use regex::Regex;

/// CLIP's pattern: OpenCLIP's two special tokens, English contractions, runs of letters, single digits, runs of anything
/// else but blanks.
///
/// OpenCLIP ignores case in the whole pattern, so that U+0345 (a mark whose capital is a letter) is in none of Python's
/// classes and is dropped.
static WORD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i:<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d)|\p{L}+|\p{N}|[^\s\p{L}\p{N}\u{345}]+")
        .expect("the pattern is a constant")
});

/// The words of a cleaned text, in order.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    WORD.find_iter(text).map(|found| found.as_str())
}

/// Words kept; a caption collection's vocabulary is smaller.
const MAX_WORDS: usize = 1 << 16;

/// Longer words are rare and not worth their memory.
const MAX_WORD_BYTES: usize = 64;

/// Words and their tokens, shared between threads. Bounded: a full cache takes no more words.
#[derive(Default)]
pub(super) struct WordCache {
    words: RwLock<HashMap<String, Arc<[u32]>>>,
}

impl WordCache {
    /// Appends the word's tokens to `out`, encoding the word if it is not known.
    pub(super) fn extend(&self, out: &mut Vec<u32>, word: &str, encode: impl FnOnce() -> Vec<u32>) {
        if word.len() > MAX_WORD_BYTES {
            out.extend(encode());
            return;
        }
        // A panic elsewhere cannot leave a half-written map: entries are inserted whole.
        let known = self.words.read().unwrap_or_else(PoisonError::into_inner).get(word).cloned();
        let tokens = known.unwrap_or_else(|| {
            let tokens: Arc<[u32]> = encode().into();
            let mut words = self.words.write().unwrap_or_else(PoisonError::into_inner);
            if words.len() < MAX_WORDS {
                words.insert(word.to_owned(), tokens.clone());
            }
            tokens
        });
        out.extend_from_slice(&tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(words(text).collect::<Vec<_>>(), expected, "{text:?}");
    }

    #[test]
    fn splits_as_clip() {
        check("two people's dogs don't", &["two", "people", "'s", "dogs", "don", "'t"]);
        check("3.14 a1b22", &["3", ".", "1", "4", "a", "1", "b", "2", "2"]);
        check("<start_of_text>a <end_of_text", &["<start_of_text>", "a", "<", "end", "_", "of", "_", "text"]);
        check("<|startoftext|>", &["<|", "startoftext", "|>"]);
        // A contraction after other punctuation is swallowed by the run before it.
        check("what!'s", &["what", "!'", "s"]);
        // `ſ` folds to s, also in a contraction.
        check("it'ſ", &["it", "'ſ"]);
        check("a\u{345}b \u{345}!", &["a", "b", "!"]);
        check("", &[]);
    }
}
