//! Self-distillation: similarities within the batch stay those of the model's moving average.

use burn::tensor::Tensor;
use burn::tensor::activation::{log_softmax, softmax};

use super::Regularizer;
use crate::tuning::{Teacher, TeacherEmbeddings};

/// `weight · (CE(softmax(Z̃), softmax(Z)) + CE(softmax(Z̃ᵀ), softmax(Zᵀ)))`, means over the rows, where `Z` are the logits of the batch's
/// images and texts, and `Z̃` those of the moving average (Oh et al., NeurIPS 2024, arXiv 2311.01723, eq. 6).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelfDistillation {
    /// Coefficient of the term.
    pub weight: f64,
    /// Softmax temperature τ, of both models.
    pub temperature: f64,
}

impl Regularizer for SelfDistillation {
    fn teacher(&self) -> Teacher {
        Teacher::Average
    }

    fn penalty(
        &self,
        image: &Tensor<2>,
        text: Option<&Tensor<2>>,
        _views: Option<&Tensor<2>>,
        teacher: &TeacherEmbeddings,
    ) -> Option<Tensor<1>> {
        let logits = |image: &Tensor<2>, text: &Tensor<2>| {
            image.clone().matmul(text.clone().transpose()).div_scalar(self.temperature)
        };
        let (own, theirs) = (logits(image, text?), logits(&teacher.image, teacher.text.as_ref()?));
        let [batch, _] = own.dims();
        let one_way = |own: Tensor<2>, theirs: Tensor<2>| (softmax(theirs, 1) * log_softmax(own, 1)).sum();
        let sum = one_way(own.clone(), theirs.clone()) + one_way(own.transpose(), theirs.transpose());
        Some(sum.mul_scalar(-self.weight / batch as f64))
    }
}
