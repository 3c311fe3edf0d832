//! Reading every form of a checkpoint.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use radapter_clip::checkpoint::{Checkpoint, CheckpointError, Format, SaveOptions};
use radapter_clip::config::Activation;
use radapter_clip::state_dict::{StateDict, StoredDtype};
use radapter_images::ResizeMode;
use serde_json::{Value, json};

use crate::support::{bf16_state, data, fixture, small_checkpoint, small_config, small_state};

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
fn a_real_checkpoint_opens() {
    let Some(weights) = data("RADAPTER_WEIGHTS", "weights") else { return };
    let checkpoint = Checkpoint::open(weights.join("real-small"), None).unwrap();
    assert_eq!(checkpoint.config.activation, Activation::QuickGelu);
    let scale = checkpoint.state.get("logit_scale").unwrap();
    assert_eq!(scale.shape(), [0usize; 0]);
}

/// Files that torch wrote, against values computed here.
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

/// Squash instead of crop, in the older file and in transformers 5's, which is preferred.
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
    assert!(matches!(error, CheckpointError::Io(_)), "{error}");
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
