//! CLIP's tokenizer in the files that transformers reads.

use serde_json::{Map, Value, json};

use crate::tokenizer::{END_OF_TEXT, START_OF_TEXT, Tokenizer};

/// Names and contents of the files, for texts of up to `context_length` tokens.
pub(super) fn contents(context_length: usize) -> Vec<(&'static str, String)> {
    let tokenizer = Tokenizer::clip();
    let vocab: Map<String, Value> = tokenizer.vocab().map(|(token, id)| (token.to_owned(), json!(id))).collect();
    let merges: Vec<&str> = tokenizer.merges().collect();
    vec![
        ("merges.txt", format!("#version: 0.2\n{}\n", merges.join("\n"))),
        ("special_tokens_map.json", special_tokens_map()),
        ("tokenizer.json", tokenizer_json(&vocab, &merges)),
        ("tokenizer_config.json", tokenizer_config(context_length)),
        ("vocab.json", Value::Object(vocab).to_string()),
    ]
}

fn special_tokens_map() -> String {
    let map = json!({
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
    });
    format!("{map:#}\n")
}

fn tokenizer_config(context_length: usize) -> String {
    let token = |text: &str, normalized: bool| {
        json!({
            "content": text,
            "lstrip": false,
            "normalized": normalized,
            "rstrip": false,
            "single_word": false,
            "special": true,
        })
    };
    let config = json!({
        "add_prefix_space": false,
        "added_tokens_decoder": {
            START_OF_TEXT.to_string(): token("<|startoftext|>", true),
            END_OF_TEXT.to_string(): token("<|endoftext|>", false),
        },
        "bos_token": "<|startoftext|>",
        "clean_up_tokenization_spaces": true,
        "do_lower_case": true,
        "eos_token": "<|endoftext|>",
        "errors": "replace",
        "model_max_length": context_length,
        "pad_token": "<|endoftext|>",
        "processor_class": "CLIPProcessor",
        "tokenizer_class": "CLIPTokenizer",
        "unk_token": "<|endoftext|>",
    });
    format!("{config:#}\n")
}

/// The whole tokenizer for the `tokenizers` library, as transformers converts CLIP's.
fn tokenizer_json(vocab: &Map<String, Value>, merges: &[&str]) -> String {
    let token = |id: u32, text: &str, normalized: bool| {
        json!({
            "id": id,
            "content": text,
            "single_word": false,
            "lstrip": false,
            "rstrip": false,
            "normalized": normalized,
            "special": true,
        })
    };
    // The pieces that splitting keeps: the special tokens, English contractions, letters, a digit, other signs.
    let words = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
    let byte_level = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [
            token(START_OF_TEXT, "<|startoftext|>", true),
            token(END_OF_TEXT, "<|endoftext|>", false),
        ],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                { "type": "NFC" },
                { "type": "Replace", "pattern": { "Regex": r"\s+" }, "content": " " },
                { "type": "Lowercase" },
            ],
        },
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                { "type": "Split", "pattern": { "Regex": words }, "behavior": "Removed", "invert": true },
                byte_level,
            ],
        },
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": ["<|endoftext|>", END_OF_TEXT],
            "cls": ["<|startoftext|>", START_OF_TEXT],
            "trim_offsets": false,
            "add_prefix_space": false,
        },
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": "<|endoftext|>",
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>",
            "fuse_unk": false,
            "vocab": vocab,
            "merges": merges,
        },
    });
    tokenizer.to_string()
}
