//! Lipsum-FT: similarities to random texts stay those of the base model.

use burn::tensor::Tensor;
use radapter_clip::tokenizer::{END_OF_TEXT, START_OF_TEXT};
use radapter_datasets::seed::{self, Draw as _};

use super::Regularizer;
use crate::tuning::{Teacher, TeacherEmbeddings};

/// Random texts of a step.
const TEXTS: usize = 80;
/// Random tokens of a text.
const TOKENS: usize = 8;

/// `weight · mean over images of ‖Z(x) − Z₀(x)‖² / (2M)`, where `Z` are the logits of an image for M = 80 texts of 8 random tokens,
/// drawn anew in each step, and `Z₀` those of the base model (Nam et al., ICLR 2024, arXiv 2404.00860). The texts are embedded by the base
/// model, also where the text tower is tuned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lipsum {
    /// Coefficient λ of the term.
    pub weight: f64,
    /// Softmax temperature τ, the reciprocal of the logit scale.
    pub temperature: f64,
}

impl Regularizer for Lipsum {
    fn teacher(&self) -> Teacher {
        Teacher::Base
    }

    fn probes(&self, seed: u64, step: u64, length: usize) -> Vec<Vec<u32>> {
        let tokens = TOKENS.min(length.saturating_sub(2));
        let mut random = seed::rng("lipsum", &[seed, step]);
        let mut text = || {
            let words = (0..tokens).map(|_| random.below(START_OF_TEXT as usize) as u32);
            std::iter::once(START_OF_TEXT).chain(words).chain([END_OF_TEXT]).collect()
        };
        (0..TEXTS).map(|_| text()).collect()
    }

    fn penalty(
        &self,
        image: &Tensor<2>,
        _text: Option<&Tensor<2>>,
        _views: Option<&Tensor<2>>,
        teacher: &TeacherEmbeddings,
    ) -> Option<Tensor<1>> {
        let probes = teacher.probes.as_ref()?;
        let [images, _] = image.dims();
        let [texts, _] = probes.dims();
        let moved = (image.clone() - teacher.image.clone()).matmul(probes.clone().transpose());
        let scale = self.weight / (2.0 * texts as f64 * images as f64 * self.temperature.powi(2));
        Some(moved.powi_scalar(2).sum().mul_scalar(scale))
    }
}
