//! Cross-entropy over class logits, as PyTorch defines it.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, TensorData};

use crate::LossError;
use crate::mpm_nce::validate_smoothing;

/// Computes the mean cross-entropy of the softmax of `logits`, with label smoothing ε as
/// `torch.nn.functional.cross_entropy(logits, labels, label_smoothing=ε)`: the target is `(1−ε)·onehot(label) + ε/C`,
/// the label's own class included in the smoothing (unlike [`mpm_nce`](crate::mpm_nce)'s, which smooths over negatives
/// only).
///
/// # Shapes
///
/// * `logits`: `[B, C]`
/// * `labels`: B class indices below C
/// * result: `[1]`
///
/// # Errors
///
/// [`LossError`] for an empty batch, another number of labels than of rows, a label that is not a column, and a
/// smoothing outside `[0, 1)`.
pub fn cross_entropy(logits: Tensor<2>, labels: &[usize], smoothing: f64) -> Result<Tensor<1>, LossError> {
    validate_smoothing(smoothing)?;
    let [batch, classes] = logits.dims();
    if batch == 0 || classes == 0 {
        return Err(LossError::EmptyBatch);
    }
    if labels.len() != batch {
        return Err(LossError::Shape { what: "labels", expected: vec![batch], found: vec![labels.len()] });
    }

    let mut target = vec![(smoothing / classes as f64) as f32; batch * classes];
    for (index, (&label, row)) in labels.iter().zip(target.chunks_exact_mut(classes)).enumerate() {
        let entry = row.get_mut(label).ok_or(LossError::Label { index, label, classes })?;
        *entry = (1.0 - smoothing + smoothing / classes as f64) as f32;
    }
    let target = Tensor::<2>::from_data(TensorData::new(target, [batch, classes]), (&logits.device(), logits.dtype()));
    Ok((target * log_softmax(logits, 1)).sum().div_scalar(-(batch as f64)))
}
