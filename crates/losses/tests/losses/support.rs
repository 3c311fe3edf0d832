//! Tensors from rows, autodiff results as numbers, and norms in double precision.

use burn::tensor::{Device, Tensor, TensorData};
use radapter_losses::{LossError, MpmNceConfig, Positives, mpm_nce};

pub(crate) type Rows = Vec<Vec<f64>>;

pub(crate) fn tensor(rows: &Rows, device: &Device) -> Tensor<2> {
    let values: Vec<f32> = rows.iter().flatten().map(|&value| value as f32).collect();
    Tensor::from_data(TensorData::new(values, [rows.len(), rows[0].len()]), device)
}

pub(crate) fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// Loss and gradients of a function of two embeddings.
pub(crate) fn with_gradients(
    image: &Rows,
    text: &Rows,
    loss: impl FnOnce(Tensor<2>, Tensor<2>) -> Result<Tensor<1>, LossError>,
) -> (f64, Vec<f64>, Vec<f64>) {
    let device = Device::flex().autodiff();
    let image = tensor(image, &device).require_grad();
    let text = tensor(text, &device).require_grad();
    let loss = loss(image.clone(), text.clone()).unwrap();
    let gradients = loss.backward();
    (numbers(loss)[0], numbers(image.grad(&gradients).unwrap()), numbers(text.grad(&gradients).unwrap()))
}

pub(crate) fn mpm_nce_value(image: &Rows, text: &Rows, labels: &[i64], config: &MpmNceConfig) -> f64 {
    let device = Device::flex();
    let loss = mpm_nce(tensor(image, &device), tensor(text, &device), &Positives::from_labels(labels), config);
    numbers(loss.unwrap())[0]
}

/// ‖found − expected‖ / ‖expected‖.
pub(crate) fn relative_distance(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let distance: f64 = found.iter().zip(expected).map(|(found, expected)| (found - expected).powi(2)).sum();
    let norm: f64 = expected.iter().map(|expected| expected.powi(2)).sum();
    (distance / norm).sqrt()
}
