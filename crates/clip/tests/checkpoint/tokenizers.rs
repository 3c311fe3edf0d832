//! The tokenizer of a Hugging Face directory: CLIP's is accepted in each of its forms, any other is refused.

use std::fs;
use std::path::{Path, PathBuf};

use radapter_clip::checkpoint::{Checkpoint, CheckpointError, Format, SaveOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{data, small_checkpoint, small_state};

const FILES: [&str; 5] =
    ["merges.txt", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.json"];

fn exported() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    small_checkpoint().save(&dir, &SaveOptions::new(Format::HuggingFace)).unwrap();
    (folder, dir)
}

/// Changes a JSON file of the directory.
fn change(dir: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let path = dir.join(file);
    let mut json = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut json);
    fs::write(&path, json.to_string()).unwrap();
}

fn assert_accepted(dir: &Path) {
    assert_eq!(Checkpoint::open(dir, None).map_err(|error| error.to_string()).unwrap().state, small_state());
}

fn assert_refused(dir: &Path, file: &str, part: &str) {
    let error = Checkpoint::open(dir, None).unwrap_err();
    assert!(matches!(error, CheckpointError::Tokenizer { .. }), "{file}: {error}");
    let text = error.to_string();
    assert!(text.contains(file) && text.contains(part), "{file}: {text}");
}

#[test]
fn a_directory_without_tokenizer_files_is_read() {
    let (_folder, dir) = exported();
    FILES.iter().for_each(|file| fs::remove_file(dir.join(file)).unwrap());
    assert_accepted(&dir);
    let Some(golden) = data("RADAPTER_GOLDEN", "golden/clip-small") else { return };
    assert!(Checkpoint::open(golden.join("hf"), None).is_ok());
}

/// As older and newer versions of transformers and tokenizers write it.
#[test]
fn other_forms_of_the_tokenizer_of_clip_are_read() {
    let (_folder, dir) = exported();
    change(&dir, "tokenizer.json", |json| {
        json["model"].as_object_mut().unwrap().remove("type");
        let pairs = json["model"]["merges"].as_array().unwrap().iter();
        json["model"]["merges"] =
            pairs.map(|pair| json!(pair.as_str().unwrap().split(' ').collect::<Vec<_>>())).collect();
    });
    change(&dir, "tokenizer_config.json", |json| json["tokenizer_class"] = json!("CLIPTokenizerFast"));
    assert_accepted(&dir);
    change(&dir, "tokenizer_config.json", |json| *json = json!({ "tokenizer_class": "TokenizersBackend" }));
    assert_accepted(&dir);

    fs::remove_file(dir.join("tokenizer.json")).unwrap();
    let merges = fs::read_to_string(dir.join("merges.txt")).unwrap();
    fs::write(dir.join("merges.txt"), merges + "one more\n\n").unwrap();
    assert_accepted(&dir);
}

#[test]
fn another_vocabulary_is_refused_with_what_differs() {
    let swap = |vocab: &mut Value| {
        let dog = vocab["dog</w>"].take();
        vocab["dog</w>"] = std::mem::replace(&mut vocab["cat</w>"], dog);
    };
    let more = |vocab: &mut Value| vocab["<concept>"] = json!(49408);
    type Change<'a> = &'a dyn Fn(&mut Value);
    let changes: [(&str, Change<'_>, &str); 9] = [
        ("tokenizer.json", &|json| swap(&mut json["model"]["vocab"]), "`model.vocab`: id of `cat</w>`: expected "),
        ("tokenizer.json", &|json| more(&mut json["model"]["vocab"]), "expected 49408 tokens, found 49409"),
        (
            "tokenizer.json",
            &|json| json["model"]["merges"].as_array_mut().unwrap().swap(3, 4),
            "`model.merges`, number 3",
        ),
        (
            "tokenizer.json",
            &|json| json["model"]["type"] = json!("Unigram"),
            "`model.type`: expected BPE, found Unigram",
        ),
        (
            "tokenizer.json",
            &|json| json["normalizer"] = json!({ "type": "NFC" }),
            "`normalizer`: expected one that lower",
        ),
        (
            "tokenizer.json",
            &|json| json["added_tokens"].as_array_mut().unwrap().push(json!({ "id": 49408, "content": "<concept>" })),
            "found 49409",
        ),
        (
            "tokenizer_config.json",
            &|json| json["tokenizer_class"] = json!("XLMRobertaTokenizerFast"),
            "`tokenizer_class`: expected CLIPTokenizer, found XLMRobertaTokenizerFast",
        ),
        ("tokenizer_config.json", &|json| json["do_lower_case"] = json!(false), "`do_lower_case`"),
        (
            "tokenizer_config.json",
            &|json| json["added_tokens_decoder"]["49408"] = json!({ "content": "<concept>" }),
            "`added_tokens_decoder`: id of `<concept>`: expected none, found 49408",
        ),
    ];
    for (file, changed, part) in changes {
        let (_folder, dir) = exported();
        change(&dir, file, changed);
        assert_refused(&dir, file, part);
    }
    let (_folder, dir) = exported();
    fs::write(dir.join("added_tokens.json"), "{\"<concept>\": 49408}").unwrap();
    assert_refused(&dir, "added_tokens.json", "<concept>");
}

/// Without `tokenizer.json`, the files that it would replace count.
#[test]
fn another_vocabulary_in_the_older_files_is_refused() {
    let (_folder, dir) = exported();
    fs::remove_file(dir.join("tokenizer.json")).unwrap();
    let (vocab, merges) = (dir.join("vocab.json"), dir.join("merges.txt"));
    let [whole_vocab, whole_merges] = [&vocab, &merges].map(|path| fs::read_to_string(path).unwrap());

    fs::write(&vocab, "{\"a\": 0}").unwrap();
    assert_refused(&dir, "vocab.json", "expected 49408 tokens, found 1");
    fs::write(&vocab, whole_vocab.replace("\"dog</w>\":", "\"chien</w>\":")).unwrap();
    assert_refused(&dir, "vocab.json", "id of `chien</w>`: expected none");
    fs::write(&vocab, whole_vocab).unwrap();
    fs::write(&merges, whole_merges.replacen("i n\n", "n i\n", 1)).unwrap();
    assert_refused(&dir, "merges.txt", "number 0: expected i n, found n i");
    fs::write(&merges, "#version: 0.2\ni n\n").unwrap();
    assert_refused(&dir, "merges.txt", "expected 48894, found 1");
    fs::write(&merges, whole_merges).unwrap();
    assert_accepted(&dir);
    fs::write(dir.join("vocab.txt"), "[PAD]\n").unwrap();
    assert_refused(&dir, "vocab.txt", "another kind");
}

#[test]
fn another_tokenizer_class_in_the_config_is_refused() {
    let (_folder, dir) = exported();
    change(&dir, "config.json", |json| json["tokenizer_class"] = json!("BertTokenizer"));
    let error = Checkpoint::open(&dir, None).unwrap_err().to_string();
    assert!(error.contains("config.json") && error.contains("`tokenizer_class` is \"BertTokenizer\""), "{error}");
    change(&dir, "config.json", |json| json["tokenizer_class"] = json!("CLIPTokenizer"));
    assert_accepted(&dir);
}
