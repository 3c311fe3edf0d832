//! Terms beside the loss that keep a model close to another one, for any method.
//!
//! A regularizer is a file, and a value of [`RegularizerKind`].

mod lipsum;
mod mask_fill;
mod self_distill;

use std::fmt::Debug;
use std::sync::Arc;

use burn::tensor::Tensor;

use crate::config::{RegularizerKind, TrainSettings};
use crate::tuning::{Images, Teacher, TeacherEmbeddings};

pub use self::lipsum::Lipsum;
pub use self::mask_fill::MaskFill;
pub use self::self_distill::SelfDistillation;

/// A term that is added to the loss of a batch.
pub trait Regularizer: Debug + Send + Sync {
    /// Returns the model that the trained one is kept close to.
    fn teacher(&self) -> Teacher;

    /// Returns texts, as at most `length` tokens, that the teacher embeds in a step; none by default.
    fn probes(&self, _seed: u64, _step: u64, _length: usize) -> Vec<Vec<u32>> {
        Vec::new()
    }

    /// Returns more images for a step, as [`Tuning::views`](crate::Tuning::views) does; none by default. The teacher embeds them too.
    fn views(&self, _images: &Images<'_>) -> Vec<f32> {
        Vec::new()
    }

    /// Computes the term, of shape `[1]`.
    ///
    /// # Shapes
    /// * `image`, `text`: `[batch, embed_dim]`, L2-normalised; no text if images are compared with a classifier
    /// * `views`: `[views, embed_dim]`, L2-normalised
    fn penalty(
        &self,
        image: &Tensor<2>,
        text: Option<&Tensor<2>>,
        views: Option<&Tensor<2>>,
        teacher: &TeacherEmbeddings,
    ) -> Option<Tensor<1>>;
}

/// Keeps the derivative of the root finite where a projection is exactly orthonormal.
const TINY: f64 = 1e-12;

/// Computes `‖PᵀP − I‖`, the Frobenius norm, of the image projection (Oh et al., NeurIPS 2024, arXiv 2311.01723).
///
/// # Shapes
/// * `projection`: `[width, embed_dim]`
/// * result: `[1]`
pub fn orthogonality(projection: Tensor<2>) -> Tensor<1> {
    let [_, columns] = projection.dims();
    let identity = Tensor::<2>::eye(columns, &projection.device()).cast(projection.dtype());
    (projection.clone().transpose().matmul(projection) - identity).powi_scalar(2).sum().add_scalar(TINY).sqrt()
}

/// Returns the regularizer that the settings ask for.
pub(crate) fn of(settings: &TrainSettings) -> Option<Arc<dyn Regularizer>> {
    let (weight, mask, temperature) =
        (settings.regularizer.weight, settings.regularizer.mask, settings.loss.temperature);
    match settings.regularizer.kind {
        RegularizerKind::None => None,
        RegularizerKind::Lipsum => Some(Arc::new(Lipsum { weight, temperature })),
        RegularizerKind::MaskFill => Some(Arc::new(MaskFill { weight, mask })),
        RegularizerKind::SelfDistill => Some(Arc::new(SelfDistillation { weight, temperature })),
    }
}
