//! Both forms written, and read back.

use std::fs;
use std::path::Path;

use radapter_clip::checkpoint::{Checkpoint, CheckpointError, Format, SaveOptions};
use radapter_clip::state_dict::{RawTensor, StoredDtype};
use serde_json::Value;

use crate::support::{bf16_state, data, small_checkpoint, small_state};

#[test]
fn golden_directories_survive_export_in_both_formats() {
    let Some(golden) = data("RADAPTER_GOLDEN", "golden/clip-small") else { return };
    let folder = tempfile::tempdir().unwrap();
    for from in ["open_clip", "hf"] {
        let original = Checkpoint::open(golden.join(from), None).unwrap();
        for format in [Format::OpenClip, Format::HuggingFace] {
            let dir = folder.path().join(format!("{from}-{format}"));
            original.save(&dir, &SaveOptions::new(format)).unwrap();
            let again = Checkpoint::open(&dir, None).unwrap();
            assert_eq!(again.config, original.config);
            assert_eq!(again.state, original.state);
            assert_eq!(again.dtype, original.dtype);
        }
    }
}

/// Every dtype, both formats, and from one format to the other and back.
#[test]
fn exports_come_back_bit_equal() {
    let folder = tempfile::tempdir().unwrap();
    for dtype in [StoredDtype::F32, StoredDtype::F16, StoredDtype::BF16] {
        let mut checkpoint = small_checkpoint();
        checkpoint.state = checkpoint.state.cast(dtype).unwrap();
        for first in [Format::OpenClip, Format::HuggingFace] {
            let one = folder.path().join(format!("{dtype}-{first}"));
            checkpoint.save(&one, &SaveOptions::new(first)).unwrap();
            let once = Checkpoint::open(&one, None).unwrap();
            assert_eq!((once.format, once.dtype), (first, dtype));
            for second in [Format::OpenClip, Format::HuggingFace] {
                let two = folder.path().join(format!("{dtype}-{first}-{second}"));
                once.save(&two, &SaveOptions::new(second)).unwrap();
                let twice = Checkpoint::open(&two, None).unwrap();
                assert_eq!(twice.state, checkpoint.state, "{dtype} {first} {second}");
                assert_eq!(twice.config, checkpoint.config);
                assert_eq!(twice.state.hash(), small_state().hash(), "the hash is of the values, not of the dtype");
                if first == second {
                    let weights =
                        if first == Format::OpenClip { "open_clip_model.safetensors" } else { "model.safetensors" };
                    assert_eq!(fs::read(one.join(weights)).unwrap(), fs::read(two.join(weights)).unwrap());
                }
            }
        }
    }
}

#[test]
fn another_model_has_another_hash() {
    let hash = small_state().hash();
    assert_eq!(hash.len(), 64);
    let mut changed = small_state();
    let scale = changed.get("logit_scale").unwrap().to_f32()[0];
    changed.insert("logit_scale", RawTensor::from_f32(vec![], vec![scale + 1e-6]));
    assert_ne!(changed.hash(), hash);
    let mut renamed = small_state();
    let scale = renamed.remove("logit_scale").unwrap();
    renamed.insert("logit_scales", scale);
    assert_ne!(renamed.hash(), hash);
    let mut reshaped = small_state();
    let weight = reshaped.get("ln_final.weight").unwrap().reshape(vec![2, 2]).unwrap();
    reshaped.insert("ln_final.weight", weight);
    assert_ne!(reshaped.hash(), hash);
}

#[test]
fn exported_dtype_can_be_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("f16");
    let options = SaveOptions::new(Format::HuggingFace).with_dtype(StoredDtype::F16);
    small_checkpoint().save(&dir, &options).unwrap();
    let checkpoint = Checkpoint::open(&dir, None).unwrap();
    assert_eq!(checkpoint.dtype, StoredDtype::F16);
    assert_eq!(checkpoint.state, small_state().cast(StoredDtype::F16).unwrap());
    let config: Value = serde_json::from_str(&fs::read_to_string(dir.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["torch_dtype"], "float16");
}

/// OpenAI's weights mix f16 and f32; a merged model is written in the dtypes it was read in.
#[test]
fn mixed_dtypes_are_kept() {
    let mut base = small_state();
    for (name, tensor) in small_state() {
        if name.ends_with(".weight") && tensor.shape().len() == 2 {
            base.insert(name, tensor.cast(StoredDtype::F16).unwrap());
        }
    }
    let merged = small_state().cast_like(&base).unwrap();
    assert_eq!(merged, base);
    let folder = tempfile::tempdir().unwrap();
    for format in [Format::OpenClip, Format::HuggingFace] {
        let mut checkpoint = small_checkpoint();
        checkpoint.state = merged.clone();
        let dir = folder.path().join(format.to_string());
        checkpoint.save(&dir, &SaveOptions::new(format)).unwrap();
        assert_eq!(Checkpoint::open(&dir, None).unwrap().state, base);
    }
}

/// The library that defines the format reads ours, and we read its.
#[test]
fn safetensors_agree_with_the_library() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tensors.safetensors");
    let mut tensors = bf16_state();
    tensors.insert("scalar", RawTensor::from_f32(vec![], vec![1.5]));
    tensors.insert("empty", RawTensor::from_f32(vec![0, 3], vec![]));
    tensors.insert("half", RawTensor::from_f32(vec![1], vec![0.25]).cast(StoredDtype::F16).unwrap());
    let metadata = [("format".to_owned(), "pt".to_owned()), ("a \"quoted\" key".to_owned(), "ä".to_owned())].into();
    radapter_clip::checkpoint::write_safetensors_file(&path, &tensors, &metadata).unwrap();
    let bytes = fs::read(&path).unwrap();
    let library = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(library.len(), tensors.len());
    for (name, tensor) in tensors.iter() {
        let view = library.tensor(name).unwrap();
        assert_eq!((view.shape(), view.data()), (tensor.shape(), tensor.bytes()), "{name}");
        let offset = view.data().as_ptr() as usize - bytes.as_ptr() as usize;
        assert_eq!(offset % tensor.dtype().size(), 0, "{name} is aligned");
    }
    let theirs = safetensors::serialize(library.tensors(), Some(metadata.clone().into_iter().collect())).unwrap();
    let again = radapter_clip::checkpoint::read_safetensors_bytes(theirs, "theirs").unwrap();
    assert_eq!(again.tensors, tensors);
    assert_eq!(again.metadata, metadata);
}

#[test]
fn an_export_does_not_replace_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    fs::create_dir(&dir).unwrap();
    let options = SaveOptions::new(Format::OpenClip);
    small_checkpoint().save(&dir, &options).unwrap();
    fs::write(dir.join("notes.txt"), "mine").unwrap();
    let error = small_checkpoint().save(&dir, &options).unwrap_err();
    assert!(matches!(error, CheckpointError::Exists { .. }), "{error}");
    assert!(dir.join("notes.txt").exists());

    small_checkpoint().save(&dir, &options.with_overwrite(true)).unwrap();
    assert!(!dir.join("notes.txt").exists());
    assert!(Checkpoint::open(&dir, None).is_ok());
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["model"], "nothing temporary stays");

    let error = small_checkpoint().save(dir.join("open_clip_config.json"), &options.with_overwrite(true)).unwrap_err();
    assert!(matches!(error, CheckpointError::Io { .. }), "a file is no directory: {error}");
}

#[cfg(unix)]
#[test]
fn an_export_has_usual_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let by_hand = folder.path().join("by-hand");
    fs::create_dir(&by_hand).unwrap();
    let dir = folder.path().join("model");
    small_checkpoint().save(&dir, &SaveOptions::new(Format::OpenClip)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&dir), mode(&by_hand));
}

#[test]
fn what_cannot_be_exported_is_named_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    let mut checkpoint = small_checkpoint();
    checkpoint.state.insert("ln_final.bias", RawTensor::from_f32(vec![4], vec![0.0, 70_000.0, -80_000.0, 1.0]));
    let error = checkpoint.save(&dir, &SaveOptions::new(Format::OpenClip).with_dtype(StoredDtype::F16)).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("ln_final.bias") && text.contains("-80000") && text.contains("f16"), "{text}");
    checkpoint.state.insert("ln_final.bias", RawTensor::from_f32(vec![4], vec![0.0, f32::NAN, f32::INFINITY, 1.0]));
    let text = checkpoint.save(&dir, &SaveOptions::new(Format::OpenClip)).unwrap_err().to_string();
    assert!(text.contains("ln_final.bias") && text.contains("1 NaN and 1 infinite"), "{text}");
    checkpoint.state.remove("ln_final.bias");
    let text = checkpoint.save(&dir, &SaveOptions::new(Format::HuggingFace)).unwrap_err().to_string();
    assert!(text.contains("missing `ln_final.bias`"), "{text}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
