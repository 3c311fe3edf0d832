//! `--arch`: the sizes of a model whose files do not record them.

use std::fs;

use radapter_clip::checkpoint::{Checkpoint, CheckpointError, Format, SaveOptions, architecture};
use radapter_clip::config::{Activation, ClipConfig};
use radapter_clip::state_dict::StoredDtype;
use serde_json::Value;

use crate::support::{fixture, small_checkpoint, small_config, small_state};

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
