//! Small models, batches and comparisons that the tests of several crates share. They panic where a test should fail.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::RefCell;

use burn::tensor::{Device, Tensor, TensorData};
use radapter_clip::config::{Activation, ClipConfig, TextConfig, VisionConfig};
use radapter_clip::model::{Adapter, Clip, Context};
use radapter_clip::state_dict::{RawTensor, StateDict};
use radapter_clip::tokenizer::{END_OF_TEXT as END, START_OF_TEXT as START};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A model for tests that decode images and tokenize texts: two blocks of width 16 in each tower, CLIP's own vocabulary.
/// The image size is a multiple of 8.
pub fn small_config(image_size: usize, context_length: usize) -> ClipConfig {
    ClipConfig {
        embed_dim: 12,
        activation: Activation::QuickGelu,
        vision: VisionConfig {
            image_size,
            patch_size: 8,
            width: 16,
            layers: 2,
            heads: 2,
            mlp_width: 32,
            layer_norm_eps: 1e-5,
        },
        text: TextConfig {
            context_length,
            vocab_size: 49_408,
            width: 16,
            heads: 2,
            layers: 2,
            mlp_width: 32,
            layer_norm_eps: 1e-5,
        },
        preprocess: Default::default(),
    }
}

/// Towers of different width and depth, so that one tower's tensors never fit the other by accident.
pub fn uneven_config() -> ClipConfig {
    let ClipConfig { vision, text, .. } = small_config(8, 9);
    ClipConfig {
        vision: VisionConfig { patch_size: 4, layers: 3, mlp_width: 24, ..vision },
        text: TextConfig { width: 8, mlp_width: 20, ..text },
        ..small_config(8, 9)
    }
}

/// Random weights with nonzero biases, unlike [`ClipConfig::random_state`]'s.
pub fn uneven_state(seed: u64) -> StateDict {
    let biases = noise(seed, 0.3);
    let random = uneven_config().random_state(seed).into_iter();
    random.map(|(name, tensor)| if name.ends_with("bias") { (name, biases(&tensor)) } else { (name, tensor) }).collect()
}

/// [`uneven_config`] with the weights of [`uneven_state`].
pub fn uneven_clip(seed: u64, device: &Device) -> Clip {
    Clip::from_state(&uneven_config(), &uneven_state(seed), device).unwrap()
}

/// Replaces tensors by uniform noise in (−bound, bound), different in each call.
pub fn noise(seed: u64, bound: f32) -> impl Fn(&RawTensor) -> RawTensor {
    let rng = RefCell::new(ChaCha8Rng::seed_from_u64(seed));
    move |tensor| {
        let mut rng = rng.borrow_mut();
        let mut symmetric = || (f64::from(rng.next_u32()) / f64::from(1_u32 << 31) - 1.0) as f32;
        RawTensor::from_f32(tensor.shape(), (0..tensor.len()).map(|_| bound * symmetric()).collect())
    }
}

/// Uniform noise in (−1, 1).
pub fn random_rows(rows: usize, columns: usize, seed: u64, device: &Device) -> Tensor<2> {
    let shape = RawTensor::from_f32([rows, columns], vec![0.0; rows * columns]);
    Tensor::from_data(TensorData::new(noise(seed, 1.0)(&shape).to_f32(), [rows, columns]), device)
}

/// Three images and three texts of different length for [`uneven_config`].
pub fn uneven_batch(device: &Device) -> (Tensor<4>, Vec<Vec<u32>>) {
    let pixels = random_rows(3 * 3 * 8, 8, 77, device).reshape([3, 3, 8, 8]);
    (pixels, vec![vec![START, END], vec![START, 5, 17, 3, END], vec![START, 1, 2, 3, 4, 5, 6, 7, END]])
}

/// Embeddings of [`uneven_batch`]: those of the images, then those of the texts.
pub fn embed<A: Adapter>(model: &Clip<A>, context: &Context) -> Vec<f32> {
    let (pixels, texts) = uneven_batch(&Device::flex());
    let mut all = numbers(model.encode_image(pixels, context));
    all.extend(numbers(model.encode_text(&texts, context)));
    all
}

/// A tensor's values in row-major order.
pub fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.without_autodiff().into_data().try_into_vec().unwrap()
}

/// The bit patterns of values, for exact comparison.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The largest difference between two numbers at the same position.
pub fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().chain(b).all(|value| value.is_finite()), "values that are not finite");
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
