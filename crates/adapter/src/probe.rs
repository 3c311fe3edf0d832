//! A batch for comparing two models.

use burn::tensor::{Device, Tensor, TensorData};
use radapter_clip::config::ClipConfig;
use radapter_clip::model::{Adapter, Clip, Context};
use radapter_clip::state_dict::StoredDtype;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::AdapterError;
use crate::draws::uniform;
use crate::weights::values;

/// Images and texts of the batch.
const IMAGES: usize = 4;
const TEXTS: usize = 6;

/// Pseudo-random images and texts of several lengths, the same for every model of the same sizes.
pub struct Probe {
    pixels: Tensor<4>,
    texts: Vec<Vec<u32>>,
}

/// A model's image and text embeddings of a [`Probe`].
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeEmbeddings {
    rows: Vec<Vec<f32>>,
}

/// Returns the distance allowed between two embeddings of length 1 that were computed in f32 by different orders of
/// operations, with the weights stored in this dtype: rounding a model's weights moves its embeddings by about one unit
/// of the dtype's precision.
///
/// Measured on a trained model of 10 million parameters and on a ViT-B/32 of random weights, with full-rank adapters: 1.6e-6 in f32, 9e-4 in
/// f16, 7e-3 in bf16. The margin is for deeper models.
pub fn tolerance(dtype: StoredDtype) -> f64 {
    match dtype {
        StoredDtype::F32 => 5e-5,
        StoredDtype::F16 => 5e-3,
        StoredDtype::BF16 => 4e-2,
    }
}

impl Probe {
    /// Creates the batch for a model's sizes, on its device.
    pub fn new<A: Adapter>(model: &Clip<A>) -> Self {
        let device = model.logit_scale.val().without_autodiff().device();
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        Self { pixels: pixels(&model.config, &mut rng, &device), texts: texts(&model.config, &mut rng) }
    }

    /// Embeds the batch.
    pub fn embed<A: Adapter>(&self, model: &Clip<A>) -> ProbeEmbeddings {
        let context = Context::inference();
        let rows = |embeddings: Tensor<2>| {
            let [_, width] = embeddings.dims();
            values(embeddings.without_autodiff()).chunks(width).map(<[f32]>::to_vec).collect::<Vec<_>>()
        };
        let mut all = rows(model.encode_image(self.pixels.clone(), &context));
        all.extend(rows(model.encode_text(&self.texts, &context)));
        ProbeEmbeddings { rows: all }
    }
}

impl ProbeEmbeddings {
    /// Returns the largest distance between two embeddings of the same image or text; NaN if an embedding holds one.
    pub fn difference(&self, other: &Self) -> f64 {
        let distance = |(a, b): (&Vec<f32>, &Vec<f32>)| {
            let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
            squares.sum::<f64>().sqrt()
        };
        let distances: Vec<f64> = self.rows.iter().zip(&other.rows).map(distance).collect();
        // `f64::max` ignores NaN.
        if self.rows.len() != other.rows.len() || distances.iter().any(|distance| distance.is_nan()) {
            return f64::NAN;
        }
        distances.into_iter().fold(0.0, f64::max)
    }

    /// Returns the difference if it is at most `tolerance`.
    ///
    /// # Errors
    /// [`AdapterError::MergeDiffers`] if it is larger or NaN.
    pub fn check(&self, other: &Self, tolerance: f64) -> Result<f64, AdapterError> {
        let difference = self.difference(other);
        if difference <= tolerance { Ok(difference) } else { Err(AdapterError::MergeDiffers { difference, tolerance }) }
    }
}

/// Pixels within about two standard deviations, as normalised ones are.
fn pixels(config: &ClipConfig, rng: &mut ChaCha8Rng, device: &Device) -> Tensor<4> {
    let size = config.vision.image_size;
    let values: Vec<f32> = (0..IMAGES * 3 * size * size).map(|_| (4.0 * uniform(rng) - 2.0) as f32).collect();
    Tensor::from_data(TensorData::new(values, [IMAGES, 3, size, size]), device)
}

/// Texts from an empty one to a full context. The last two ids of the vocabulary are the start and the end of a text.
fn texts(config: &ClipConfig, rng: &mut ChaCha8Rng) -> Vec<Vec<u32>> {
    let (start, end) = (config.text.vocab_size - 2, config.text.vocab_size - 1);
    (0..TEXTS)
        .map(|text| {
            let longest = config.text.context_length.saturating_sub(2);
            let length = longest * text / (TEXTS - 1);
            let words = (0..length).map(|_| (uniform(rng) * start as f64) as u32);
            [start as u32].into_iter().chain(words).chain([end as u32]).collect()
        })
        .collect()
}
