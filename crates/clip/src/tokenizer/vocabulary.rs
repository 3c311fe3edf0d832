//! The vocabulary: bytes, bytes at the end of a word, merges of two tokens, and the two special tokens.
//!
//! The merges are data that come with OpenAI's CLIP (`assets/bpe_merges.txt`, the first 48 894 of
//! `bpe_simple_vocab_16e6.txt.gz`; its licence is beside it). A token's id is its place in that order, so the file is
//! the vocabulary.

use std::collections::HashMap;

/// One merge per line, the most frequent first.
const MERGES: &str = include_str!("../../assets/bpe_merges.txt");

/// Suffix of a token that ends a word.
pub(super) const END_OF_WORD: &str = "</w>";

/// Id of the first token that is a merge.
const FIRST_MERGE: u32 = 512;

/// The special tokens as Hugging Face's files name them.
const SPECIAL: [&str; 2] = ["<|startoftext|>", "<|endoftext|>"];

pub(super) struct Vocabulary {
    /// Each token's text, in the printable alphabet that stands for bytes.
    tokens: Vec<String>,
    /// The token that two tokens merge into.
    merges: HashMap<(u32, u32), u32>,
    /// The token of each byte.
    byte_tokens: [u32; 256],
    /// The byte that each letter of the alphabet stands for.
    bytes: HashMap<char, u8>,
}

impl Vocabulary {
    pub(super) fn new() -> Self {
        let alphabet = byte_alphabet();
        let mut byte_tokens = [0; 256];
        for (id, (byte, _)) in (0..).zip(&alphabet) {
            byte_tokens[usize::from(*byte)] = id;
        }
        let mut tokens: Vec<String> = alphabet.iter().map(|(_, letter)| letter.to_string()).collect();
        tokens.extend(alphabet.iter().map(|(_, letter)| format!("{letter}{END_OF_WORD}")));
        let mut ids: HashMap<String, u32> = (0..).zip(&tokens).map(|(id, token)| (token.clone(), id)).collect();
        let mut merges = HashMap::new();
        for (id, line) in (FIRST_MERGE..).zip(MERGES.lines()) {
            let (first, second) = line.split_once(' ').expect("a line of the merges is two tokens");
            let known = |token| *ids.get(token).expect("a merge is of tokens that come before it");
            merges.insert((known(first), known(second)), id);
            let token = [first, second].concat();
            ids.insert(token.clone(), id);
            tokens.push(token);
        }
        tokens.extend(SPECIAL.map(String::from));
        let bytes = alphabet.into_iter().map(|(byte, letter)| (letter, byte)).collect();
        Self { tokens, merges, byte_tokens, bytes }
    }

    /// The tokens in the order of their ids.
    pub(super) fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// The token that the two merge into. A lower id is a merge that comes first.
    pub(super) fn merged(&self, first: u32, second: u32) -> Option<u32> {
        self.merges.get(&(first, second)).copied()
    }

    /// The token of a byte inside a word.
    pub(super) fn byte(&self, byte: u8) -> u32 {
        self.byte_tokens[usize::from(byte)]
    }

    /// The token of a byte that ends a word.
    pub(super) fn last_byte(&self, byte: u8) -> u32 {
        self.byte(byte) + 256
    }

    /// The bytes that a token stands for; nothing for letters that stand for none.
    pub(super) fn token_bytes(&self, token: &str) -> impl Iterator<Item = u8> {
        token.chars().filter_map(|letter| self.bytes.get(&letter).copied())
    }
}

/// The merges in order, each as `first second`.
pub(super) fn merges() -> impl Iterator<Item = &'static str> {
    MERGES.lines()
}

/// Bytes as printable letters, in the order of the ids: those that are printable in Latin-1 stand for themselves, the
/// others take the letters from U+0100 on.
fn byte_alphabet() -> Vec<(u8, char)> {
    let printable = |b: u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let (plain, rest): (Vec<u8>, Vec<u8>) = (0..=u8::MAX).partition(|b| printable(*b));
    let plain = plain.into_iter().map(|b| (b, char::from(b)));
    plain.chain(rest.into_iter().zip('\u{100}'..)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_size_of_clip() {
        let vocabulary = Vocabulary::new();
        assert_eq!(vocabulary.tokens().len(), 49_408);
        assert_eq!(vocabulary.merges.len(), 48_894, "two merges of the same tokens");
        assert_eq!(&vocabulary.tokens()[49_406..], SPECIAL);
    }

    /// The merging in [`super::super::bpe`] relies on both.
    #[test]
    fn merges_come_after_their_parts_and_are_unique() {
        let vocabulary = Vocabulary::new();
        for ((first, second), merged) in &vocabulary.merges {
            assert!(first < merged && second < merged);
        }
        let unique: std::collections::HashSet<_> = vocabulary.tokens().iter().collect();
        assert_eq!(unique.len(), vocabulary.tokens().len());
    }
}
