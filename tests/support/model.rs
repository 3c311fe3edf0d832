//! A tiny CLIP, and the tensors of files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use radapter::clip::checkpoint::{Checkpoint, Format, SaveOptions};
use radapter::clip::config::ClipConfig;
use safetensors::SafeTensors;

/// A CLIP small enough for tests: two blocks per tower, CLIP's vocabulary.
pub(crate) fn tiny_config() -> ClipConfig {
    let mut config = ClipConfig::preset("ViT-B-32-quickgelu").unwrap();
    config.embed_dim = 16;
    let vision = &mut config.vision;
    (vision.image_size, vision.patch_size) = (24, 6);
    (vision.width, vision.heads, vision.layers, vision.mlp_width) = (32, 2, 2, 64);
    let text = &mut config.text;
    (text.width, text.heads, text.layers, text.mlp_width) = (16, 2, 2, 32);
    config
}

/// [`tiny_config`] with random weights.
pub(crate) fn tiny_checkpoint(seed: u64) -> Checkpoint {
    let config = tiny_config();
    let state = config.random_state(seed);
    Checkpoint::new(config, state, Format::OpenClip, "random").unwrap()
}

/// Writes [`tiny_checkpoint`] as an OpenCLIP directory.
pub(crate) fn tiny_model(path: &Path) -> PathBuf {
    tiny_checkpoint(0).save(path, &SaveOptions::new(Format::OpenClip)).unwrap();
    path.to_owned()
}

/// A tensor of a safetensors file, f32 or i32 as f32: shape and values.
pub(crate) fn tensor(path: &Path, name: &str) -> (Vec<usize>, Vec<f32>) {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let view = file.tensor(name).unwrap_or_else(|error| panic!("{}: {name}: {error}", path.display()));
    let (words, rest) = view.data().as_chunks::<4>();
    assert!(rest.is_empty());
    let value = |word: &[u8; 4]| match view.dtype() {
        safetensors::Dtype::F32 => f32::from_le_bytes(*word),
        safetensors::Dtype::I32 => i32::from_le_bytes(*word) as f32,
        other => panic!("{name} is {other:?}"),
    };
    (view.shape().to_vec(), words.iter().map(value).collect())
}

/// The rows of an embeddings tensor.
pub(crate) fn embeddings(path: &Path, name: &str) -> Vec<Vec<f32>> {
    let (shape, values) = tensor(path, name);
    values.chunks(shape[1]).map(<[f32]>::to_vec).collect()
}

/// The free-form metadata of a safetensors file.
pub(crate) fn safetensors_metadata(path: &Path) -> HashMap<String, String> {
    let bytes = std::fs::read(path).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    metadata.metadata().clone().unwrap_or_default()
}
