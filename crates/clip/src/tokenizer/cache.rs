//! Tokens of words that were encoded before: texts repeat their words, above all class names under templates.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Words kept; a caption collection's vocabulary is smaller.
const MAX_WORDS: usize = 1 << 16;

/// Longer words are rare and not worth their memory.
const MAX_WORD_BYTES: usize = 64;

/// Words and their tokens, shared between threads. Bounded: when it is full it keeps what it has.
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
