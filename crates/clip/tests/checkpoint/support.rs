//! The small model of the checkpoint tests, the same as in `xtask/peers/checkpoint_fixtures.py`.

use std::path::{Path, PathBuf};

use radapter_clip::checkpoint::{Checkpoint, Format};
use radapter_clip::config::{Activation, ClipConfig, TextConfig, VisionConfig};
use radapter_clip::state_dict::{RawTensor, StateDict, StoredDtype};
use radapter_images::PreprocessConfig;

/// Images of 4 pixels, patches of 2, width 4, one layer.
pub(crate) fn small_config() -> ClipConfig {
    ClipConfig {
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
        preprocess: PreprocessConfig::default(),
    }
}

/// Multiples of 1/64, exact in every dtype.
pub(crate) fn small_state() -> StateDict {
    let mut tensors = small_config().expected_tensors();
    tensors.sort();
    tensors
        .into_iter()
        .enumerate()
        .map(|(index, (name, shape))| {
            let count: usize = shape.iter().product();
            let value = |k: usize| match shape.first() {
                Some(49408) => index as f32 / 64.0,
                _ => (((7 * k + 13 * index) % 64) as f32 - 32.0) / 64.0,
            };
            (name, RawTensor::from_f32(shape.clone(), (0..count).map(value).collect()))
        })
        .collect()
}

/// Config and tensors together.
pub(crate) fn small_checkpoint() -> Checkpoint {
    Checkpoint::new(small_config(), small_state(), Format::OpenClip, "small").expect("the small model is whole")
}

/// A folder of the project's data, or `None` with a note on the terminal.
pub(crate) fn data(variable: &str, default: &str) -> Option<PathBuf> {
    let path = match std::env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(default),
    };
    if !path.is_dir() {
        eprintln!("skipped: {} is not there; {variable} names it", path.display());
        return None;
    }
    Some(path)
}

/// A file that `xtask/peers/checkpoint_fixtures.py` made.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checkpoint").join(name)
}

pub(crate) fn bf16_state() -> StateDict {
    small_state().cast(StoredDtype::BF16).unwrap()
}
