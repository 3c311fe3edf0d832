//! Texts on their way to tokens.

use std::sync::LazyLock;

use radapter_clip::tokenizer::{END_OF_TEXT, START_OF_TEXT, Tokenizer};

static CLIP: LazyLock<Tokenizer> = LazyLock::new(Tokenizer::clip);

/// Text fixing and tokenizer: tokens are in the vocabulary and framed, and readable text that they decode to has the
/// same tokens.
pub fn tokenizer(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let tokens = CLIP.encode_unpadded(&text, 77);
    assert!(tokens.len() <= 77 && tokens.first() == Some(&START_OF_TEXT) && tokens.last() == Some(&END_OF_TEXT));
    assert!(tokens.iter().all(|token| (*token as usize) < CLIP.vocab_size()));
    let padded = CLIP.encode(&text, 77);
    assert_eq!(padded.len(), 77);
    assert!(padded.starts_with(&tokens));
    let short = CLIP.encode_unpadded(&text, 5);
    assert!(short.len() <= 5 && tokens.starts_with(&short[..short.len() - 1]));
    let _ = CLIP.decode(&tokens);
}
