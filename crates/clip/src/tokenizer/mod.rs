//! CLIP's tokenizer: the ids that OpenCLIP's `SimpleTokenizer` gives with its default cleaning.
//!
//! A text is cleaned (repaired as ftfy does, HTML references decoded, white space collapsed, lower case), split into
//! words, and each word is byte-pair encoded. The ids are equal to OpenCLIP's for any text, with these exceptions:
//! characters whose Unicode properties changed between the versions of Unicode in use on both sides, and the limits
//! that the module `fix_text` names.
//!
//! The special tokens are written `<start_of_text>` and `<end_of_text>` in a text, as OpenCLIP reads them;
//! `<|startoftext|>`, the spelling of Hugging Face's files, is ordinary text, as in OpenCLIP.

mod bpe;
mod clean;
mod fix_text;
mod html;
mod vocabulary;
mod white_space;
mod words;

use std::fmt;
use std::sync::{Arc, LazyLock};

use vocabulary::{END_OF_WORD, Vocabulary};
use words::WordCache;

/// Id of the token that every text starts with.
pub const START_OF_TEXT: u32 = 49406;

/// Id of the token that every text ends with, at which the text tower is pooled.
pub const END_OF_TEXT: u32 = 49407;

/// CLIP's tokenizer. A clone shares vocabulary and cache.
#[derive(Clone)]
pub struct Tokenizer {
    shared: Arc<Shared>,
}

struct Shared {
    vocabulary: Vocabulary,
    words: WordCache,
}

impl Tokenizer {
    /// Returns the tokenizer of OpenAI's CLIP and of OpenCLIP's default. The vocabulary is built once in a process.
    pub fn clip() -> Self {
        static CLIP: LazyLock<Tokenizer> = LazyLock::new(|| {
            let shared = Shared { vocabulary: Vocabulary::new(), words: WordCache::default() };
            Tokenizer { shared: Arc::new(shared) }
        });
        CLIP.clone()
    }

    /// Encodes a text: its ids between [`START_OF_TEXT`] and [`END_OF_TEXT`], padded with zeros to `context_length`. A
    /// text that is too long is truncated; its last id is still [`END_OF_TEXT`].
    ///
    /// # Shapes
    /// `[context_length]`
    pub fn encode(&self, text: &str, context_length: usize) -> Vec<u32> {
        let mut tokens = self.encode_unpadded(text, context_length);
        tokens.resize(context_length, 0);
        tokens
    }

    /// As [`encode`](Self::encode), without the padding.
    ///
    /// # Shapes
    /// `[n]`, n ≤ `context_length`
    pub fn encode_unpadded(&self, text: &str, context_length: usize) -> Vec<u32> {
        if context_length == 0 {
            return Vec::new();
        }
        let Shared { vocabulary, words: cache } = &*self.shared;
        let mut tokens = vec![START_OF_TEXT];
        for word in words::words(&clean::clean(text)) {
            match word {
                "<start_of_text>" => tokens.push(START_OF_TEXT),
                "<end_of_text>" => tokens.push(END_OF_TEXT),
                _ => cache.extend(&mut tokens, word, || bpe::encode_word(vocabulary, word)),
            }
            if tokens.len() >= context_length {
                break;
            }
        }
        tokens.truncate(context_length - 1);
        tokens.push(END_OF_TEXT);
        tokens
    }

    /// As [`encode`](Self::encode), for many texts.
    ///
    /// # Shapes
    /// `[texts, context_length]`
    pub fn encode_batch<T: AsRef<str>>(&self, texts: &[T], context_length: usize) -> Vec<Vec<u32>> {
        texts.iter().map(|text| self.encode(text.as_ref(), context_length)).collect()
    }

    /// Decodes the ids between the start and the end token to readable text, words separated by one space. Unknown ids
    /// are skipped, invalid UTF-8 becomes U+FFFD.
    ///
    /// This does not restore the original text: cleaning and the spaces around punctuation are not undone.
    pub fn decode(&self, tokens: &[u32]) -> String {
        let Shared { vocabulary, .. } = &*self.shared;
        let mut bytes = Vec::new();
        let text = tokens.iter().skip_while(|id| **id == START_OF_TEXT).take_while(|id| **id != END_OF_TEXT);
        for id in text.filter(|id| **id != START_OF_TEXT) {
            let Some(token) = vocabulary.tokens().get(*id as usize) else { continue };
            let (letters, ends_word) = match token.strip_suffix(END_OF_WORD) {
                Some(letters) => (letters, true),
                None => (token.as_str(), false),
            };
            bytes.extend(vocabulary.token_bytes(letters));
            if ends_word {
                bytes.push(b' ');
            }
        }
        String::from_utf8_lossy(&bytes).trim_end().to_owned()
    }

    /// Returns the number of ids, 49 408.
    pub fn vocab_size(&self) -> usize {
        self.shared.vocabulary.tokens().len()
    }

    /// Returns the token of an id, as [`vocab`](Self::vocab) names it.
    pub fn token(&self, id: u32) -> Option<&str> {
        self.shared.vocabulary.tokens().get(id as usize).map(String::as_str)
    }

    /// Lists every token with its id, in the order of the ids: the content of Hugging Face's `vocab.json`, whose names
    /// for the special tokens, `<|startoftext|>` and `<|endoftext|>`, it uses.
    pub fn vocab(&self) -> impl Iterator<Item = (&str, u32)> {
        self.shared.vocabulary.tokens().iter().map(String::as_str).zip(0..)
    }

    /// Lists every merge in order, as `first second`: the lines of Hugging Face's `merges.txt` after its first,
    /// `#version: 0.2`.
    pub fn merges(&self) -> impl Iterator<Item = &'static str> {
        vocabulary::merges()
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokenizer").field("vocab_size", &self.vocab_size()).finish_non_exhaustive()
    }
}
