//! Validation of pretraining by zero-shot accuracy.

use std::error::Error;

use burn::tensor::{Tensor, TensorData};
use radapter::clip::config::ClipConfig;
use radapter::clip::model::Encoder;
use radapter::clip::tokenizer::Tokenizer;
use radapter::datasets::shapes::{Domain, Split, World, class_names};
use radapter::training::Validator;

/// Zero-shot accuracy on scenes of the validation split, by domain and on average.
pub(crate) struct ZeroShot {
    tokens: Vec<Vec<u32>>,
    domains: Vec<(Domain, Vec<f32>, Vec<usize>)>,
    size: usize,
}

impl ZeroShot {
    pub(crate) fn new(config: &ClipConfig, seed: u64, per_class: usize) -> Self {
        let size = config.vision.image_size;
        let world = World::new(seed);
        let preprocess = config.preprocessor();
        let tokenizer = Tokenizer::clip();
        let domains = Domain::ALL
            .into_iter()
            .map(|domain| {
                let scenes = (0..(per_class * class_names().len()) as u64).map(|i| world.scene(Split::Val, domain, i));
                let (mut pixels, mut classes) = (Vec::new(), Vec::new());
                for scene in scenes {
                    pixels.extend(preprocess.apply(&scene.image));
                    classes.push(scene.class);
                }
                (domain, pixels, classes)
            })
            .collect();
        let tokens = class_names()
            .iter()
            .map(|name| tokenizer.encode_unpadded(&format!("a photo of a {name}."), config.text.context_length))
            .collect();
        Self { tokens, domains, size }
    }
}

impl Validator for ZeroShot {
    fn validate(
        &mut self,
        model: &dyn Encoder,
        _head: Option<&Tensor<2>>,
    ) -> Result<Vec<(String, f64)>, Box<dyn Error + Send + Sync>> {
        let head = model.embed_texts(&self.tokens).transpose();
        let device = head.device();
        let stride = 3 * self.size * self.size;
        let mut values = Vec::new();
        for (domain, pixels, classes) in &self.domains {
            let mut right = 0;
            for (pixels, classes) in pixels.chunks(128 * stride).zip(classes.chunks(128)) {
                let data = TensorData::new(pixels.to_vec(), [classes.len(), 3, self.size, self.size]);
                let images = model.embed_images(Tensor::from_data(data, &device));
                let best = images.matmul(head.clone()).argmax(1).into_data().convert::<i64>();
                let best = best.try_into_vec::<i64>()?;
                right += best.iter().zip(classes).filter(|(best, class)| **best == **class as i64).count();
            }
            values.push((domain.name().to_owned(), right as f64 / classes.len() as f64));
        }
        let mean = values.iter().map(|(_, value)| value).sum::<f64>() / values.len() as f64;
        values.push(("zero_shot".to_owned(), mean));
        Ok(values)
    }
}
