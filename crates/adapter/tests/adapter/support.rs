//! Small random models, adapters and batches.

use burn::tensor::{Device, Tensor, TensorData};
use radapter_adapter::{AdapterConfig, AdapterSet};
use radapter_clip::config::{Activation, ClipConfig, TextConfig, VisionConfig};
use radapter_clip::model::{Adapter, Clip, Context};
use radapter_clip::state_dict::{RawTensor, StateDict};
use radapter_clip::tokenizer::{END_OF_TEXT as END, START_OF_TEXT as START};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Towers of different width and depth, so that nothing fits the other by accident.
pub(crate) fn config() -> ClipConfig {
    ClipConfig {
        embed_dim: 12,
        activation: Activation::QuickGelu,
        vision: VisionConfig {
            image_size: 8,
            patch_size: 4,
            width: 16,
            layers: 3,
            heads: 2,
            mlp_width: 24,
            layer_norm_eps: 1e-5,
        },
        text: TextConfig {
            context_length: 9,
            vocab_size: 49_408,
            width: 8,
            heads: 2,
            layers: 2,
            mlp_width: 20,
            layer_norm_eps: 1e-5,
        },
        preprocess: Default::default(),
    }
}

/// Random weights with biases that are not zero, which [`ClipConfig::random_state`]'s are.
pub(crate) fn state(seed: u64) -> StateDict {
    let random = config().random_state(seed);
    let biases = noise(seed, 0.3);
    random
        .into_iter()
        .map(|(name, tensor)| match name.ends_with("bias") {
            true => (name, biases(&tensor)),
            false => (name, tensor),
        })
        .collect()
}

pub(crate) fn clip(seed: u64) -> Clip {
    Clip::from_state(&config(), &state(seed), &Device::flex()).unwrap()
}

/// Replaces tensors by uniform noise, each call by other noise.
fn noise(seed: u64, bound: f32) -> impl Fn(&RawTensor) -> RawTensor {
    let rng = std::cell::RefCell::new(ChaCha8Rng::seed_from_u64(seed));
    move |tensor| {
        let mut rng = rng.borrow_mut();
        let values = (0..tensor.len()).map(|_| bound * symmetric(&mut rng)).collect();
        RawTensor::from_f32(tensor.shape(), values)
    }
}

/// Uniform in (−1, 1).
fn symmetric(rng: &mut ChaCha8Rng) -> f32 {
    (f64::from(rng.next_u32()) / f64::from(1_u32 << 31) - 1.0) as f32
}

/// Adapters of these settings with random values everywhere, scales included.
pub(crate) fn random_set(adapter: &AdapterConfig, seed: u64, bound: f32) -> AdapterSet {
    let noise = noise(seed, bound);
    let initial = AdapterSet::initial(&config(), adapter, seed).unwrap();
    let tensors = initial.to_tensors().iter().map(|(key, tensor)| (key.to_owned(), noise(tensor))).collect();
    AdapterSet::from_tensors(&tensors).unwrap()
}

pub(crate) fn rows(rows: usize, columns: usize, seed: u64, device: &Device) -> Tensor<2> {
    let shape = RawTensor::from_f32([rows, columns], vec![0.0; rows * columns]);
    Tensor::from_data(TensorData::new(noise(seed, 1.0)(&shape).to_f32(), [rows, columns]), device)
}

/// A batch of three images and three texts.
pub(crate) fn batch(device: &Device) -> (Tensor<4>, Vec<Vec<u32>>) {
    let pixels = rows(3 * 3 * 8, 8, 77, device).reshape([3, 3, 8, 8]);
    (pixels, vec![vec![START, END], vec![START, 5, 17, 3, END], vec![START, 1, 2, 3, 4, 5, 6, 7, END]])
}

/// Image and text embeddings of the batch, one after the other.
pub(crate) fn embed<A: Adapter>(model: &Clip<A>, context: &Context) -> Vec<f32> {
    let (pixels, texts) = batch(&Device::flex());
    let mut all = numbers(model.encode_image(pixels, context));
    all.extend(numbers(model.encode_text(&texts, context)));
    all
}

pub(crate) fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.without_autodiff().into_data().try_into_vec().unwrap()
}

pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The largest difference between two numbers of the same position.
pub(crate) fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().chain(b).all(|value| value.is_finite()), "values that are no numbers");
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
