use burn::tensor::{Device, Tensor, TensorData};

/// Values of every size that activations have, and some that they do not; another series for each seed.
pub(crate) fn values(seed: usize, shape: &[usize]) -> TensorData {
    let value = |at: usize| ((at as f32 * 0.731 + seed as f32 * 2.3).sin() * 12.0).powi(3) / 60.0;
    TensorData::new((0..shape.iter().product()).map(value).collect::<Vec<f32>>(), shape.to_vec())
}

/// Values of about one, as weights and normalised activations have.
pub(crate) fn small(seed: usize, shape: &[usize]) -> TensorData {
    let value = |at: usize| (at as f32 * 1.37 + seed as f32 * 0.77).sin() + 0.3 * (at as f32 * 0.113).cos();
    TensorData::new((0..shape.iter().product()).map(value).collect::<Vec<f32>>(), shape.to_vec())
}

pub(crate) fn tensor<const D: usize>(data: TensorData, device: &Device) -> Tensor<D> {
    Tensor::from_data(data, device)
}

/// Equal within `limit` of the largest expected value.
pub(crate) fn close<const D: usize>(what: &str, found: Tensor<D>, expected: Tensor<D>, limit: f32) {
    let (found, expected) = (found.into_data(), expected.into_data());
    assert_eq!(found.shape(), expected.shape(), "{what}");
    let largest = expected.iter::<f32>().fold(1e-30_f32, |largest, value| largest.max(value.abs()));
    for (at, (found, expected)) in found.iter::<f32>().zip(expected.iter::<f32>()).enumerate() {
        assert!((found - expected).abs() <= limit * largest, "{what} at {at}: {found}, expected {expected}");
    }
}
