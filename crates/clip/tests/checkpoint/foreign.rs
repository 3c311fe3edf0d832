//! Files that are not a checkpoint of CLIP, each recognised for what it is.

use std::fs;
use std::path::{Path, PathBuf};

use radapter_clip::checkpoint::{
    Checkpoint, CheckpointError, Format, SaveOptions, architecture, read_safetensors, write_safetensors_file,
};
use radapter_clip::state_dict::{RawTensor, StateDict};
use tempfile::TempDir;

use crate::support::{data, small_checkpoint, small_config};

const LFS_POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 8165764\n";

fn saved(format: Format) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    small_checkpoint().save(&dir, &SaveOptions::new(format)).unwrap();
    (folder, dir)
}

fn assert_is_pointer(error: &CheckpointError, file: &str) {
    assert!(matches!(error, CheckpointError::LfsPointer(_)), "{file}: {error}");
    let text = error.to_string();
    assert!(text.contains(file) && text.contains("git lfs pull"), "{file}: {text}");
}

#[test]
fn a_git_lfs_pointer_is_named_in_place_of_any_file() {
    for (format, files) in [
        (Format::OpenClip, &["open_clip_config.json", "open_clip_model.safetensors"][..]),
        (Format::HuggingFace, &["config.json", "preprocessor_config.json", "model.safetensors"]),
    ] {
        for file in files {
            let (_folder, dir) = saved(format);
            fs::write(dir.join(file), LFS_POINTER).unwrap();
            assert_is_pointer(&Checkpoint::open(&dir, None).unwrap_err(), file);
        }
    }
    let (_folder, dir) = saved(Format::HuggingFace);
    fs::remove_file(dir.join("model.safetensors")).unwrap();
    for file in ["pytorch_model.bin", "model.safetensors.index.json"] {
        fs::write(dir.join(file), LFS_POINTER).unwrap();
        assert_is_pointer(&Checkpoint::open(&dir, None).unwrap_err(), file);
    }
    for file in ["pytorch_model.bin", "weights.pt", "weights"] {
        let path = dir.join(file);
        fs::write(&path, LFS_POINTER).unwrap();
        assert_is_pointer(&Checkpoint::open(&path, None).unwrap_err(), file);
        assert_is_pointer(&read_safetensors(&path).unwrap_err(), file);
    }
    let config = dir.join("config.json");
    fs::write(&config, LFS_POINTER).unwrap();
    assert_is_pointer(&architecture(&config.to_string_lossy()).unwrap_err(), "config.json");
}

#[test]
fn the_pointer_of_the_collected_case_is_named() {
    let Some(case) = data("RADAPTER_CASES", "cases/lfs-pointer") else { return };
    let error = Checkpoint::open(case.join("model"), None).unwrap_err();
    assert_is_pointer(&error, "open_clip_model.safetensors");
}

fn assert_is_peft(path: &Path) {
    for architecture in [None, Some(&small_config())] {
        let error = Checkpoint::open(path, architecture).unwrap_err();
        assert!(matches!(error, CheckpointError::Peft { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(&path.display().to_string()) && text.contains("merge_and_unload"), "{text}");
    }
}

/// With and without the config of the base model, which some training scripts save as well.
#[test]
fn adapters_of_peft_are_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("adapter_config.json"), "{\"peft_type\": \"LORA\"}").unwrap();
    let name = "base_model.model.text_model.encoder.layers.0.self_attn.q_proj.lora_A.weight".to_owned();
    let adapters = StateDict::from_iter([(name, RawTensor::from_f32(vec![1, 4], vec![0.0; 4]))]);
    let weights = folder.path().join("adapter_model.safetensors");
    write_safetensors_file(&weights, &adapters, &Default::default()).unwrap();
    assert_is_peft(&weights);
    assert_is_peft(folder.path());
    let config = small_config().to_open_clip_json();
    fs::write(folder.path().join("open_clip_config.json"), config).unwrap();
    assert_is_peft(folder.path());
}

#[test]
fn a_number_that_only_python_writes_is_named() {
    for (format, file, key) in [
        (Format::OpenClip, "open_clip_config.json", "\"embed_dim\": "),
        (Format::HuggingFace, "config.json", "\"projection_dim\": "),
        (Format::HuggingFace, "preprocessor_config.json", "\"rescale_factor\": "),
    ] {
        for number in ["NaN", "Infinity", "-Infinity"] {
            let (_folder, dir) = saved(format);
            let path = dir.join(file);
            let text = fs::read_to_string(&path).unwrap();
            let (before, after) = text.split_once(key).unwrap();
            let end = after.find([',', '\n']).unwrap();
            fs::write(&path, [before, key, number, &after[end..]].concat()).unwrap();
            let error = Checkpoint::open(&dir, None).unwrap_err().to_string();
            let expected = format!("`{number}` at line {}", before.lines().count());
            assert!(
                error.contains(file) && error.contains(&expected) && error.contains("JSON does not have"),
                "{error}"
            );
        }
    }
}
