use burn::tensor::Tensor;

/// Scales each row to length 1, as `torch.nn.functional.normalize`: a row shorter than 1e-12 is divided by 1e-12, so that a
/// zero row stays zero.
///
/// # Shapes
/// `[rows, width]` → `[rows, width]`
pub fn l2_normalize(x: Tensor<2>) -> Tensor<2> {
    let norm = x.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
    x / norm
}
