//! Byte-pair encoding of one word.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::vocabulary::Vocabulary;

/// A pair of neighbours that can merge, in the order of merging: the lowest id of the merged token first, from the
/// left.
type Candidate = Reverse<(u32, usize, usize)>;

/// The tokens of a word: its bytes, neighbours merged until no merge is left, the earliest merge of the list first.
///
/// A queue of candidates over a linked list takes O(n log n), where searching the whole word for each merge would take a
/// long word's length squared. Both give the same tokens because a merge's token comes after its parts' in the list:
/// what a merge makes possible is never due before the merges that were possible already.
pub(super) fn encode_word(vocabulary: &Vocabulary, word: &str) -> Vec<u32> {
    let Some((last, front)) = word.as_bytes().split_last() else { return Vec::new() };
    let mut list = List {
        tokens: front.iter().map(|b| vocabulary.byte(*b)).chain([vocabulary.last_byte(*last)]).collect(),
        next: (1..=word.len()).collect(),
        previous: (0..word.len()).map(|i| i.wrapping_sub(1)).collect(),
    };
    let mut candidates: BinaryHeap<Candidate> =
        (0..word.len()).filter_map(|left| list.candidate(vocabulary, left)).collect();
    while let Some(Reverse((merged, left, right))) = candidates.pop() {
        // A candidate is stale once one of its two has merged with another neighbour.
        if list.next[left] != right || list.merged(vocabulary, left) != Some(merged) {
            continue;
        }
        list.merge(left, merged);
        candidates.extend(list.candidate(vocabulary, left));
        let before = list.previous[left];
        if before != NONE {
            candidates.extend(list.candidate(vocabulary, before));
        }
    }
    list.into_tokens()
}

/// No neighbour on the left.
const NONE: usize = usize::MAX;

/// A word's tokens, linked, so that a merge moves nothing. `next` past the end is the length.
struct List {
    tokens: Vec<u32>,
    next: Vec<usize>,
    previous: Vec<usize>,
}

impl List {
    /// What the token at `left` and the one after it merge into.
    fn merged(&self, vocabulary: &Vocabulary, left: usize) -> Option<u32> {
        vocabulary.merged(self.tokens[left], *self.tokens.get(self.next[left])?)
    }

    fn candidate(&self, vocabulary: &Vocabulary, left: usize) -> Option<Candidate> {
        Some(Reverse((self.merged(vocabulary, left)?, left, self.next[left])))
    }

    /// Puts `merged` in place of the token at `left` and the one after it.
    fn merge(&mut self, left: usize, merged: u32) {
        let gone = self.next[left];
        let after = self.next[gone];
        self.tokens[left] = merged;
        self.next[left] = after;
        if let Some(previous) = self.previous.get_mut(after) {
            *previous = left;
        }
        // Nothing after `gone` points here any more, and a candidate that starts here is stale.
        self.next[gone] = NONE;
    }

    fn into_tokens(self) -> Vec<u32> {
        let mut at = 0;
        std::iter::from_fn(|| {
            let token = *self.tokens.get(at)?;
            at = self.next[at];
            Some(token)
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition: merge every occurrence of the earliest merge, from the left, until none is left.
    fn by_definition(vocabulary: &Vocabulary, word: &str) -> Vec<u32> {
        let bytes = word.as_bytes();
        let mut tokens: Vec<u32> = bytes.iter().map(|b| vocabulary.byte(*b)).collect();
        if let Some(last) = tokens.last_mut() {
            *last += 256;
        }
        while let Some(merged) = tokens.windows(2).filter_map(|pair| vocabulary.merged(pair[0], pair[1])).min() {
            let mut at = 0;
            while at + 1 < tokens.len() {
                if vocabulary.merged(tokens[at], tokens[at + 1]) == Some(merged) {
                    tokens.splice(at..at + 2, [merged]);
                }
                at += 1;
            }
        }
        tokens
    }

    #[test]
    fn merges_as_defined() {
        let vocabulary = Vocabulary::new();
        let long = "abracadabra".repeat(40) + &"a".repeat(301) + &"🎉ééé".repeat(20);
        for word in ["a", "cat", "photograph", "aaaaaaaa", "ananananas", "!!!!!!!!!!", "日本語", &long] {
            assert_eq!(encode_word(&vocabulary, word), by_definition(&vocabulary, word), "{word}");
        }
        assert!(encode_word(&vocabulary, "").is_empty());
    }

    #[test]
    fn a_word_of_a_million_letters_is_no_trouble() {
        let word: String = ('a'..='z').cycle().take(1_000_000).collect();
        assert!(encode_word(&Vocabulary::new(), &word).len() > 100_000);
    }
}
