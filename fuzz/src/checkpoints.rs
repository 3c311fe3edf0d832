//! Weights, configs and tokenizers of models, adapter files, hub references.

use std::sync::LazyLock;

use radapter_adapter::AdapterFile;
use radapter_clip::checkpoint::hub::HubReference;
use radapter_clip::checkpoint::{Checkpoint, read_safetensors_bytes};
use radapter_clip::config::{Activation, ClipConfig, TextConfig, VisionConfig};
use radapter_clip::state_dict::StoredDtype;

use crate::scratch;

/// The model of the fixtures in `crates/clip/tests/fixtures/checkpoint`.
static SMALL: LazyLock<ClipConfig> = LazyLock::new(|| ClipConfig {
    embed_dim: 4,
    activation: Activation::QuickGelu,
    vision: VisionConfig {
        image_size: 4,
        patch_size: 2,
        width: 4,
        layers: 1,
        heads: 2,
        mlp_width: 16,
        layer_norm_eps: 1e-5,
    },
    text: TextConfig {
        context_length: 8,
        vocab_size: 49408,
        width: 4,
        heads: 2,
        layers: 1,
        mlp_width: 16,
        layer_norm_eps: 1e-5,
    },
    preprocess: Default::default(),
});

/// OpenCLIP's config: what is written from it is the same config.
pub fn open_clip_config(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(config) = ClipConfig::from_open_clip_json(text) else { return };
    if config.validate().is_ok() {
        assert_eq!(ClipConfig::from_open_clip_json(&config.to_open_clip_json()).unwrap(), config);
    }
}

/// Hugging Face's config, and after a NUL its preprocessor: what is written from them is the same config.
pub fn hugging_face_config(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (config, preprocessor) = match text.split_once('\0') {
        Some((config, preprocessor)) => (config, Some(preprocessor)),
        None => (text, None),
    };
    let Ok(config) = ClipConfig::from_hugging_face_json(config, preprocessor) else { return };
    let Ok(preprocessor) = config.to_hugging_face_preprocessor_json() else { return };
    if config.validate().is_ok() {
        let written = config.to_hugging_face_json(StoredDtype::F32);
        assert_eq!(ClipConfig::from_hugging_face_json(&written, Some(&preprocessor)).unwrap(), config);
    }
}

/// The tokenizer files beside Hugging Face's weights. The first byte chooses which file the rest is.
pub fn tokenizer_json(data: &[u8]) {
    const FILES: [&str; 4] = ["tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"];
    let Some((choice, content)) = data.split_first() else { return };
    let name = FILES[*choice as usize % FILES.len()];
    static CONFIG: LazyLock<String> = LazyLock::new(|| SMALL.to_hugging_face_json(StoredDtype::F32));
    let folder = format!("tokenizer-{name}");
    let config = scratch::path(&folder).join("config.json");
    if !config.exists() {
        scratch::file(&format!("{folder}/config.json"), CONFIG.as_bytes());
    }
    scratch::file(&format!("{folder}/{name}"), content);
    Checkpoint::open(scratch::path(&folder), None).unwrap_err();
}

/// Safetensors: the tensors have as many bytes as their shapes take.
pub fn safetensors(data: &[u8]) {
    let Ok(file) = read_safetensors_bytes(data.to_vec(), "weights") else { return };
    for (name, tensor) in file.tensors.iter() {
        let values: usize = tensor.shape().iter().product();
        assert_eq!(tensor.bytes().len(), values * tensor.dtype().size(), "{name}");
    }
}

/// An index of weights. It names files beside it, one of which exists.
pub fn weight_index(data: &[u8]) {
    scratch::file("index/a.safetensors", b"\x02\0\0\0\0\0\0\0{}");
    let path = scratch::file("index/model.safetensors.index.json", data);
    Checkpoint::open(path, Some(&SMALL)).unwrap_err();
}

/// What `torch.save` writes: zip archives, and the pickles of early versions.
pub fn torch_archive(data: &[u8]) {
    let path = scratch::file("weights.pt", data);
    let Ok(checkpoint) = Checkpoint::open(&path, Some(&SMALL)) else { return };
    assert_eq!(checkpoint.config, *SMALL);
}

/// Adapter files: what is written from one is read as the same.
pub fn adapter_file(data: &[u8]) {
    let Ok(file) = AdapterFile::from_bytes(data.to_vec(), "adapters") else { return };
    let mut written = Vec::new();
    file.write_to(&mut written).unwrap();
    let again = AdapterFile::from_bytes(written, "written").unwrap();
    assert!(again == file, "{again:?} was written from {file:?}");
    // Whether they fit is checked before they are used.
    let _ = file.check_base("", &SMALL);
}

/// `hf://owner/name@revision`: nothing in it leaves the cache's folder, and it is written as it is read.
pub fn hub_reference(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(reference) = text.parse::<HubReference>() else { return };
    for part in reference.repo.split('/').chain(reference.revision.split('/')) {
        assert!(!part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0', ':']), "{text:?}");
    }
    assert_eq!(reference.to_string().parse::<HubReference>().unwrap(), reference);
}
