//! Checkpoints: every form in, both forms out, bit for bit.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod checkpoint_support;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use checkpoint_support::{data, small_checkpoint, small_config, small_state};
use radapter_clip::checkpoint::{Checkpoint, CheckpointError, Format, SaveOptions, architecture};
use radapter_clip::config::{Activation, ClipConfig, ResizeMode};
use radapter_clip::state_dict::{RawTensor, StateDict, StoredDtype};
use serde_json::{Value, json};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checkpoint").join(name)
}

fn bf16_state() -> StateDict {
    small_state().cast(StoredDtype::BF16).unwrap()
}

#[test]
fn golden_directories_hold_one_model() {
    let Some(golden) = data("RADAPTER_GOLDEN", "golden/clip-small") else { return };
    let open_clip = Checkpoint::open(golden.join("open_clip"), None).unwrap();
    let hugging_face = Checkpoint::open(golden.join("hf"), None).unwrap();
    assert_eq!(open_clip.format, Format::OpenClip);
    assert_eq!(hugging_face.format, Format::HuggingFace);
    assert_eq!(open_clip.config, hugging_face.config);
    assert_eq!(open_clip.state, hugging_face.state);
    assert_eq!(open_clip.state.hash(), hugging_face.state.hash());
    assert_eq!(open_clip.state.len(), open_clip.config.expected_tensors().len());
}

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

#[test]
fn a_real_checkpoint_opens() {
    let Some(weights) = data("RADAPTER_WEIGHTS", "weights") else { return };
    let checkpoint = Checkpoint::open(weights.join("real-small"), None).unwrap();
    assert_eq!(checkpoint.config.activation, Activation::QuickGelu);
    let scale = checkpoint.state.get("logit_scale").unwrap();
    assert_eq!(scale.shape(), [0usize; 0]);
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

/// Those that torch wrote, against values computed here.
#[test]
fn pytorch_files_are_read() {
    for (name, state, format) in [
        ("state_dict.pt", small_state(), Format::OpenClip),
        ("legacy.pt", small_state(), Format::OpenClip),
        ("training.pt", small_state(), Format::OpenClip),
        ("open_ai_f16.pt", small_state().cast(StoredDtype::F16).unwrap(), Format::OpenClip),
        ("hugging_face_bf16.bin", bf16_state(), Format::HuggingFace),
    ] {
        let checkpoint = Checkpoint::open(fixture(name), Some(&small_config())).unwrap();
        assert_eq!(checkpoint.state, state, "{name}");
        assert_eq!(checkpoint.format, format, "{name}");
    }
}

#[test]
fn directories_with_pytorch_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let open_clip = folder.path().join("open_clip");
    fs::create_dir(&open_clip).unwrap();
    fs::write(open_clip.join("open_clip_config.json"), small_config().to_open_clip_json()).unwrap();
    fs::copy(fixture("state_dict.pt"), open_clip.join("open_clip_pytorch_model.bin")).unwrap();
    assert_eq!(Checkpoint::open(&open_clip, None).unwrap().state, small_state());

    let hugging_face = folder.path().join("hf");
    fs::create_dir(&hugging_face).unwrap();
    fs::write(hugging_face.join("config.json"), small_config().to_hugging_face_json(StoredDtype::BF16)).unwrap();
    fs::copy(fixture("hugging_face_bf16.bin"), hugging_face.join("pytorch_model.bin")).unwrap();
    assert_eq!(Checkpoint::open(&hugging_face, None).unwrap().state, bf16_state());
}

/// Squash instead of crop, in the older file and in transformers 5's, which goes first.
#[test]
fn preprocessing_beside_a_hugging_face_config_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    let mut checkpoint = small_checkpoint();
    checkpoint.config.preprocess.resize_mode = ResizeMode::Squash;
    checkpoint.save(&dir, &SaveOptions::new(Format::HuggingFace)).unwrap();
    assert_eq!(Checkpoint::open(&dir, None).unwrap().config, checkpoint.config);

    let shortest = small_config().to_hugging_face_preprocessor_json().unwrap();
    let shortest: Value = serde_json::from_str(&shortest).unwrap();
    let path = dir.join("processor_config.json");
    fs::write(&path, json!({ "image_processor": shortest, "processor_class": "CLIPProcessor" }).to_string()).unwrap();
    assert_eq!(Checkpoint::open(&dir, None).unwrap().config, small_config());
    fs::write(&path, json!({ "image_processor": { "do_resize": false } }).to_string()).unwrap();
    let error = Checkpoint::open(&dir, None).unwrap_err().to_string();
    assert!(error.contains("processor_config.json") && error.contains("image_processor.do_resize"), "{error}");
    fs::write(&path, json!({ "processor_class": "CLIPProcessor" }).to_string()).unwrap();
    assert_eq!(Checkpoint::open(&dir, None).unwrap().config, checkpoint.config, "the older file says it then");
}

#[test]
fn torch_script_is_refused_with_what_to_do() {
    for architecture in [None, Some(&small_config())] {
        let error = Checkpoint::open(fixture("torch_script.pt"), architecture).unwrap_err();
        assert!(matches!(error, CheckpointError::TorchScript { .. }), "{error}");
        assert!(error.to_string().contains("torch.jit.load"), "{error}");
    }
}

#[test]
fn doubles_are_refused_by_name() {
    let error = Checkpoint::open(fixture("f64.pt"), Some(&small_config())).unwrap_err();
    assert!(matches!(&error, CheckpointError::Dtype { found, .. } if found == "F64"), "{error}");
    assert!(error.to_string().contains("f64.pt") && error.to_string().contains("ln_final.bias"), "{error}");
}

#[test]
fn a_file_of_weights_needs_an_architecture() {
    let error = Checkpoint::open(fixture("state_dict.pt"), None).unwrap_err();
    assert!(matches!(error, CheckpointError::NeedsArchitecture { .. }), "{error}");
    assert!(error.to_string().contains("ViT-B-32-quickgelu"), "{error}");
}

#[test]
fn an_architecture_is_a_name_or_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let file = path.to_str().unwrap();
    let open_clip: Value = serde_json::from_str(&small_config().to_open_clip_json()).unwrap();
    for json in [&open_clip, &open_clip["model_cfg"]] {
        fs::write(&path, json.to_string()).unwrap();
        assert_eq!(architecture(file).unwrap(), small_config());
    }
    fs::write(&path, small_config().to_hugging_face_json(StoredDtype::F32)).unwrap();
    assert_eq!(architecture(file).unwrap(), small_config());
    assert_eq!(architecture("ViT-B/16").unwrap(), ClipConfig::preset("ViT-B-16").unwrap());

    fs::write(&path, "not JSON").unwrap();
    for name in [file, "ViT-B-31", "missing.json"] {
        let error = architecture(name).unwrap_err();
        assert!(matches!(error, CheckpointError::Config { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_directory_of_weights_alone_takes_an_architecture() {
    let folder = tempfile::tempdir().unwrap();
    let error = Checkpoint::open(folder.path(), None).unwrap_err();
    assert!(matches!(error, CheckpointError::NoConfig { .. }), "{error}");
    let error = Checkpoint::open(folder.path(), Some(&small_config())).unwrap_err();
    assert!(matches!(error, CheckpointError::NoWeights { .. }), "{error}");
    fs::copy(fixture("state_dict.pt"), folder.path().join("open_clip_pytorch_model.bin")).unwrap();
    assert_eq!(Checkpoint::open(folder.path(), Some(&small_config())).unwrap().state, small_state());
}

#[test]
fn an_architecture_may_not_contradict_the_directory() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    small_checkpoint().save(&dir, &SaveOptions::new(Format::OpenClip)).unwrap();
    assert!(Checkpoint::open(&dir, Some(&small_config())).is_ok());
    let other = ClipConfig { activation: Activation::Gelu, ..small_config() };
    let error = Checkpoint::open(&dir, Some(&other)).unwrap_err();
    assert!(matches!(error, CheckpointError::ArchitectureConflict { .. }), "{error}");
}

/// Splits a Hugging Face export's weights into two files with an index.
fn shard(dir: &Path) -> Value {
    let file = radapter_clip::checkpoint::read_safetensors(dir.join("model.safetensors")).unwrap();
    let mut map = HashMap::new();
    let mut shards = [StateDict::new(), StateDict::new()];
    for (index, (name, tensor)) in file.tensors.iter().enumerate() {
        shards[index % 2].insert(name, tensor.clone());
        map.insert(name.to_owned(), format!("model-0000{}-of-00002.safetensors", index % 2 + 1));
    }
    for (index, tensors) in shards.iter().enumerate() {
        let path = dir.join(format!("model-0000{}-of-00002.safetensors", index + 1));
        radapter_clip::checkpoint::write_safetensors_file(&path, tensors, &file.metadata).unwrap();
    }
    fs::remove_file(dir.join("model.safetensors")).unwrap();
    json!({ "metadata": { "total_size": 1 }, "weight_map": map })
}

#[test]
fn shards_are_read_together() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    small_checkpoint().save(&dir, &SaveOptions::new(Format::HuggingFace)).unwrap();
    let index = shard(&dir);
    let path = dir.join("model.safetensors.index.json");
    fs::write(&path, index.to_string()).unwrap();
    assert_eq!(Checkpoint::open(&dir, None).unwrap().state, small_state());

    let broken = |change: &dyn Fn(&mut Value)| {
        let mut index = index.clone();
        change(&mut index);
        fs::write(&path, index.to_string()).unwrap();
        Checkpoint::open(&dir, None).unwrap_err()
    };
    let error = broken(&|index| index["weight_map"]["logit_scale"] = json!("../../etc/passwd"));
    assert!(matches!(&error, CheckpointError::Damaged { key: Some(key), .. } if key == "logit_scale"), "{error}");
    let error = broken(&|index| index["weight_map"]["logit_scale"] = json!("model-00003-of-00002.safetensors"));
    assert!(matches!(error, CheckpointError::NotFound { .. }), "{error}");
    let error = broken(&|index| index["weight_map"]["nothing"] = json!("model-00001-of-00002.safetensors"));
    assert!(matches!(&error, CheckpointError::Damaged { key: Some(key), .. } if key == "nothing"), "{error}");
    let error = broken(&|index| index["weight_map"] = json!([]));
    assert!(matches!(&error, CheckpointError::Damaged { key: Some(key), .. } if key == "weight_map"), "{error}");
    let mut twice = radapter_clip::checkpoint::read_safetensors(dir.join("model-00002-of-00002.safetensors")).unwrap();
    let first = radapter_clip::checkpoint::read_safetensors(dir.join("model-00001-of-00002.safetensors")).unwrap();
    let (name, tensor) = first.tensors.iter().next().unwrap();
    twice.tensors.insert(name, tensor.clone());
    radapter_clip::checkpoint::write_safetensors_file(
        dir.join("model-00002-of-00002.safetensors"),
        &twice.tensors,
        &twice.metadata,
    )
    .unwrap();
    let error = broken(&|_| {});
    assert!(matches!(&error, CheckpointError::Damaged { key: Some(key), .. } if key == name), "{error}");
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

/// OpenAI's weights mix f16 and f32; a merged model goes out as they came in.
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

/// OpenCLIP's names: resized as open_clip does. transformers' names: refused as transformers does.
#[test]
fn position_embeddings_of_another_size() {
    let larger = {
        let mut config = small_config();
        config.vision.image_size = 6;
        config.text.context_length = 12;
        config
    };
    let checkpoint = Checkpoint::open(fixture("state_dict.pt"), Some(&larger)).unwrap();
    assert_eq!(checkpoint.config, larger);
    let expected = small_checkpoint().with_image_size(6).unwrap().with_context_length(12).unwrap();
    assert_eq!(checkpoint.state, expected.state);
    assert_eq!(expected.state.get("visual.positional_embedding").unwrap().shape(), [10, 4]);
    assert_eq!(expected.state.get("positional_embedding").unwrap().shape(), [12, 4]);

    let error = Checkpoint::open(fixture("hugging_face_bf16.bin"), Some(&larger)).unwrap_err().to_string();
    assert!(
        error.contains("`vision_model.embeddings.position_embedding.weight`: expected [10, 4], found [5, 4]"),
        "{error}"
    );
    let error = small_checkpoint().with_image_size(5).unwrap_err();
    assert!(matches!(error, CheckpointError::Config { .. }), "{error}");
}
