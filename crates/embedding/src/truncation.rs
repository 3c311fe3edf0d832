//! Texts with more tokens than a model's context, which are truncated.

use std::collections::HashMap;

use radapter_clip::tokenizer::Tokenizer;
use rayon::prelude::*;

/// Returns the positions of the texts that have more tokens than the context.
pub fn truncated<T: AsRef<str> + Sync>(texts: &[T], context_length: usize) -> Vec<usize> {
    let tokenizer = Tokenizer::clip();
    // A token has at least one byte, and two are added.
    let is_long = |text: &str| {
        text.len() + 2 > context_length && tokenizer.encode_unpadded(text, usize::MAX).len() > context_length
    };
    texts.par_iter().enumerate().filter(|(_, text)| is_long(text.as_ref())).map(|(place, _)| place).collect()
}

/// Warns of texts that are truncated, and of those that become equal by it.
pub(crate) fn warn<T: AsRef<str> + Sync>(texts: &[T], context_length: usize) {
    let long = truncated(texts, context_length);
    let Some(&first) = long.first() else { return };
    let text = |place: usize| texts[place].as_ref();
    tracing::warn!(
        "{} of {} texts have more than {context_length} tokens and are truncated, the first: \"{}\"",
        long.len(),
        texts.len(),
        text(first)
    );
    let mut seen: HashMap<Vec<u32>, usize> = HashMap::new();
    for place in long {
        let other = *seen.entry(Tokenizer::clip().encode_unpadded(text(place), context_length)).or_insert(place);
        if text(other) != text(place) {
            tracing::warn!("\"{}\" and \"{}\" are the same text after truncation", text(other), text(place));
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_beyond_the_context_are_long() {
        // Seven words and two marks are nine tokens.
        let texts = ["a cat", "one two three four five six seven", "one two three four five six seven eight"];
        assert_eq!(truncated(&texts, 9), [2]);
        assert_eq!(truncated(&texts, 8), [1, 2]);
        assert_eq!(truncated(&texts, 77), [0_usize; 0]);
    }
}
