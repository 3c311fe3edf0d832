//! The tokenizer against OpenCLIP's.
//!
//! `xtask/fixtures/tokenizer.py` writes the fixture, and more texts of the same kind for
//! `RADAPTER_TOKENIZER_FUZZ=FILE cargo test -p radapter-clip --test tokenizer`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and say what it skips")]

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use radapter_clip::tokenizer::{END_OF_TEXT, START_OF_TEXT, Tokenizer};
use serde::Deserialize;

const CONTEXT: usize = 77;

/// A text and its expected ids.
type Case = (String, Vec<u32>);

fn fixture() -> Vec<Case> {
    #[derive(Deserialize)]
    struct Fixture {
        cases: Vec<Case>,
    }
    serde_json::from_str::<Fixture>(include_str!("fixtures/tokenizer.json")).unwrap().cases
}

fn check(cases: &[Case]) {
    let tokenizer = Tokenizer::clip();
    let wrong: Vec<_> = cases
        .iter()
        .map(|(text, ids)| (text, ids, tokenizer.encode_unpadded(text, CONTEXT)))
        .filter(|(_, expected, found)| *expected != found)
        .map(|(text, expected, found)| {
            format!("{text:?}\n  expected {}\n  found    {}", tokenizer.decode(expected), tokenizer.decode(&found))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong[..wrong.len().min(20)].join("\n"));
}

#[test]
fn nasty_texts_get_open_clip_s_ids() {
    let cases = fixture();
    assert!(cases.len() > 300);
    check(&cases);
}

#[test]
fn random_texts_get_open_clip_s_ids() {
    let Ok(path) = std::env::var("RADAPTER_TOKENIZER_FUZZ") else {
        println!("skipped: RADAPTER_TOKENIZER_FUZZ names no file");
        return;
    };
    let lines = std::fs::read_to_string(path).unwrap();
    let cases: Vec<Case> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    check(&cases);
    println!("{} texts are equal", cases.len());
}

/// The texts of the golden folder, whose expected tokens are a tensor of i32.
#[test]
fn golden_texts_get_the_golden_ids() {
    let Some(folder) = golden() else {
        println!("skipped: no golden folder; set RADAPTER_GOLDEN");
        return;
    };
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let bytes = std::fs::read(folder.join("expected.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tokens = tensors.tensor("tokens").unwrap();
    let width = tokens.shape()[1];
    let expected: Vec<u32> = tokens.data().as_chunks::<4>().0.iter().map(|id| u32::from_le_bytes(*id)).collect();
    let texts: Vec<&str> = manifest["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let found = Tokenizer::clip().encode_batch(&texts, width);
    assert_eq!(found.concat(), expected);
}

fn golden() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden/clip-small");
    let folder = std::env::var_os("RADAPTER_GOLDEN").map_or(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

#[test]
fn truncation_keeps_the_end_token() {
    let tokenizer = Tokenizer::clip();
    let text = "word ".repeat(200);
    for context in 2..80 {
        let ids = tokenizer.encode(&text, context);
        assert_eq!(ids.len(), context);
        assert_eq!((ids[0], ids[context - 1]), (START_OF_TEXT, END_OF_TEXT));
    }
    // OpenCLIP's result for these two, where it has one.
    assert_eq!(tokenizer.encode("word", 1), [END_OF_TEXT]);
    assert!(tokenizer.encode("word", 0).is_empty());
}

#[test]
fn padding_is_zeros_behind_the_end_token() {
    let tokenizer = Tokenizer::clip();
    let unpadded = tokenizer.encode_unpadded("a photo of a cat.", CONTEXT);
    assert_eq!(unpadded, [START_OF_TEXT, 320, 1125, 539, 320, 2368, 269, END_OF_TEXT]);
    let padded = tokenizer.encode("a photo of a cat.", CONTEXT);
    assert_eq!(padded[..8], unpadded);
    assert_eq!(padded[8..], [0; 69]);
}

#[test]
fn decodes_for_people() {
    let tokenizer = Tokenizer::clip();
    let there_and_back = |text: &str| tokenizer.decode(&tokenizer.encode(text, CONTEXT));
    assert_eq!(there_and_back("A photo of  a CAT"), "a photo of a cat");
    assert_eq!(there_and_back("naïve café 🎉"), "naïve café 🎉");
    assert_eq!(there_and_back(""), "");
    assert_eq!(tokenizer.decode(&[START_OF_TEXT, 320, 4_000_000_000, END_OF_TEXT, 320]), "a");
}

/// What Hugging Face's `vocab.json` and `merges.txt` hold.
#[test]
fn lists_vocabulary_and_merges() {
    let tokenizer = Tokenizer::clip();
    let vocab: Vec<(&str, u32)> = tokenizer.vocab().collect();
    assert_eq!(vocab.len(), tokenizer.vocab_size());
    for expected in [("!", 0), ("!</w>", 256), ("in", 512), ("a</w>", 320), ("cat</w>", 2368)] {
        assert_eq!(vocab[expected.1 as usize], expected);
    }
    assert_eq!(&vocab[49_406..], [("<|startoftext|>", START_OF_TEXT), ("<|endoftext|>", END_OF_TEXT)]);
    let merges: Vec<&str> = tokenizer.merges().collect();
    assert_eq!((merges.len(), merges[0], merges[48_893]), (48_894, "i n", "jeky ll</w>"));
}

/// Texts that would take quadratic time or worse if any step did.
#[test]
fn long_texts_take_no_more_than_their_length() {
    let tokenizer = Tokenizer::clip();
    let start = std::time::Instant::now();
    for piece in
        ["a", "&", "&amp;", "amp;", "é", "Ã©", "Ã", "\u{1b}[", "\u{301}", "'", "&#x26;", "â€œ", "<", "\u{fffd}"]
    {
        let text = format!("&{}", piece.repeat(200_000));
        let ids = tokenizer.encode(&text, CONTEXT);
        assert_eq!(ids[0], START_OF_TEXT);
    }
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_has_a_start_and_an_end_and_fits(text in any::<String>(), context in 2usize..100) {
        let ids = Tokenizer::clip().encode_unpadded(&text, context);
        prop_assert!((2..=context).contains(&ids.len()));
        prop_assert_eq!(ids[0], START_OF_TEXT);
        prop_assert_eq!(ids[ids.len() - 1], END_OF_TEXT);
        prop_assert!(ids.iter().all(|id| *id <= END_OF_TEXT));
    }

    /// Characters that the repair of text has rules for, in any order.
    #[test]
    fn broken_text_does_no_harm(text in "[&#;a-zA-Z0-9<'Ã©â€™œžŸ¢£ÅÐÑð˜\u{80}-\u{ff}\u{1a}\u{fffd}√∂вЂβ\u{1b}\\[ \r\n]{0,40}") {
        let tokenizer = Tokenizer::clip();
        let ids = tokenizer.encode(&text, CONTEXT);
        prop_assert_eq!(ids.len(), CONTEXT);
        // Cleaning and the cache give every thread the same.
        prop_assert_eq!(tokenizer.encode(&text, CONTEXT), ids);
    }
}
