//! Checkpoints and adapter files that cannot be used.

use std::path::{Path, PathBuf};

use radapter::adapter::{AdapterConfig, AdapterFile, AdapterSet};
use radapter::clip::state_dict::{RawTensor, StateDict};

use crate::support::{Folder, radapter, tiny_checkpoint, tiny_config, tiny_model};

const WEIGHTS: &str = "open_clip_model.safetensors";

/// The tiny model with a changed weights file.
fn damaged(folder: &Folder, name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> PathBuf {
    let model = tiny_model(&folder.join(name));
    let path = model.join(WEIGHTS);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, change(bytes)).unwrap();
    model
}

/// The tiny model with other tensors.
fn with_tensors(folder: &Folder, name: &str, change: impl FnOnce(&mut StateDict)) -> PathBuf {
    let mut state = tiny_checkpoint(0).state;
    change(&mut state);
    let model = tiny_model(&folder.join(name));
    radapter::clip::checkpoint::write_safetensors_file(model.join(WEIGHTS), &state, &Default::default()).unwrap();
    model
}

/// Checks that every subcommand that reads a model refuses it with these words and writes nothing.
fn refused(folder: &Folder, model: &Path, words: &[&str]) {
    radapter("inspect").args([model]).fail(1, words);
    let texts = folder.file("texts.txt", "a cat");
    let out = folder.join("out.safetensors");
    radapter("embed").with("--model", model).with("--texts", texts).with("--out", &out).fail(1, words);
    assert!(!out.exists());
}

#[test]
fn a_checkpoint_that_is_truncated_or_inconsistent() {
    let folder = Folder::new();
    let model = damaged(&folder, "half", |bytes| bytes[..bytes.len() / 2].to_vec());
    refused(&folder, &model, &[WEIGHTS]);
    let model = damaged(&folder, "empty", |_| Vec::new());
    refused(&folder, &model, &[WEIGHTS, "empty"]);
    let model = damaged(&folder, "text", |_| b"this is no checkpoint at all".to_vec());
    refused(&folder, &model, &[WEIGHTS]);
    let model = damaged(&folder, "long", |mut bytes| {
        bytes[..8].copy_from_slice(&(u64::MAX / 2).to_le_bytes());
        bytes
    });
    refused(&folder, &model, &[WEIGHTS, "header"]);
    // The header claims a tensor larger than its bytes.
    let model = damaged(&folder, "size", |bytes| {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap();
        let lie = header.replacen("[16,16]", "[61,16]", 1);
        assert_ne!(lie, header);
        [&bytes[..8], lie.as_bytes(), &bytes[8 + length..]].concat()
    });
    refused(&folder, &model, &[WEIGHTS]);
}

#[test]
fn tensors_that_are_missing_extra_misshapen_or_not_finite() {
    let folder = Folder::new();
    let model = with_tensors(&folder, "missing", |state| drop(state.remove("visual.proj")));
    refused(&folder, &model, &["visual.proj", "[32, 16]"]);
    let model = with_tensors(&folder, "extra", |state| {
        state.insert("visual.attn_pool.query", RawTensor::from_f32([2], vec![0.0; 2]));
    });
    refused(&folder, &model, &["visual.attn_pool.query"]);
    let model = with_tensors(&folder, "shape", |state| {
        state.insert("visual.proj", RawTensor::from_f32([16, 32], vec![0.0; 512]));
    });
    refused(&folder, &model, &["visual.proj", "[32, 16]", "[16, 32]"]);
    let model = with_tensors(&folder, "nan", |state| {
        state.insert("text_projection", RawTensor::from_f32([16, 16], vec![f32::NAN; 256]));
    });
    refused(&folder, &model, &["text_projection", "256 NaN"]);
}

#[test]
fn configs_that_would_change_the_network() {
    let folder = Folder::new();
    let change = |name: &str, from: &str, to: &str| {
        let path = tiny_model(&folder.join(name)).join("open_clip_config.json");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        folder.join(name)
    };
    let model = change("unknown", "\"embed_dim\"", "\"swiglu\": true,\n \"embed_dim\"");
    refused(&folder, &model, &["swiglu"]);
    let model = change("unsupported", "\"patch_size\"", "\"attentional_pool\": true,\n \"patch_size\"");
    refused(&folder, &model, &["attentional_pool"]);
    let model = change("broken", "{", "[");
    refused(&folder, &model, &["open_clip_config.json"]);
}

#[test]
fn models_that_are_not_there() {
    let folder = Folder::new();
    refused(&folder, &folder.join("absent"), &["absent"]);
    std::fs::create_dir(folder.join("hollow")).unwrap();
    refused(&folder, &folder.join("hollow"), &["hollow", "open_clip_config.json"]);
    radapter("inspect hf://only-one-part").fail(1, &["hf://only-one-part"]);
}

#[test]
fn adapters_that_do_not_belong() {
    let folder = Folder::new();
    let model = tiny_model(&folder.join("model"));
    let hash = tiny_checkpoint(0).state.hash();
    let set = |config: &radapter::clip::config::ClipConfig| {
        AdapterSet::initial(config, &AdapterConfig::default(), 0).unwrap()
    };
    let mut larger = tiny_config();
    (larger.vision.width, larger.vision.mlp_width) = (64, 128);
    let mut deeper = tiny_config();
    deeper.vision.layers = 3;
    let write = |name: &str, file: AdapterFile| {
        let path = folder.join(name);
        file.write(&path).unwrap();
        path
    };
    let file = |adapters, base: Option<&str>| AdapterFile { adapters, base: base.map(str::to_owned), config: None };
    let cases = [
        (write("other.safetensors", file(set(&tiny_config()), Some("0123"))), vec!["another model", "0123", &hash]),
        (write("larger.safetensors", file(set(&larger), None)), vec!["visual.0.attn.weight", "[64, 64]"]),
        (write("deeper.safetensors", file(set(&deeper), None)), vec!["visual.2.attn"]),
        (folder.file("text.safetensors", "no tensors"), vec!["text.safetensors"]),
        (model.join(WEIGHTS), vec!["format"]),
        (folder.join("absent.safetensors"), vec!["absent.safetensors"]),
    ];
    for (adapters, words) in cases {
        radapter("merge --alpha 1")
            .with("--model", &model)
            .with("--adapters", &adapters)
            .with("--out", folder.join("out"))
            .fail(1, &words);
        assert!(!folder.join("out").exists());
    }
}

#[test]
fn a_hub_repository_without_its_scheme_is_recognised() {
    let folder = Folder::new();
    radapter("embed --model openai/clip-vit-base-patch32")
        .with("--texts", folder.file("texts.txt", "a cat\n"))
        .with("--out", folder.join("out.safetensors"))
        .fail(1, &["did you mean the hub's `hf://openai/clip-vit-base-patch32`?"]);
}
