use burn::tensor::Tensor;

/// Sums of the squares of parts of a tensor, whose own sum, which is the host's, is the squared norm. The parts are the same on
/// any number of threads. The tensor is outside graphs.
///
/// # Shapes
/// `[count]` → `[parts]`
pub fn square_sums(x: Tensor<1>) -> Tensor<1> {
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&x) {
        use burn::backend::Dispatch;

        return Tensor::from_dispatch(<Dispatch as crate::ops::Steps>::square_sums(x.into_dispatch()));
    }
    // Rows of a fixed length: a sum over a whole tensor may be split among threads in any order.
    const ROW: usize = 1024;
    let ([count], device) = (x.dims(), x.device());
    let squares = x.square();
    let whole = count - count % ROW;
    let mut sums = Vec::new();
    if whole > 0 {
        let rows = squares.clone().narrow(0, 0, whole).reshape([whole / ROW, ROW]);
        sums.push(rows.sum_dim(1).reshape([whole / ROW]));
    }
    if count > whole {
        sums.push(squares.narrow(0, whole, count - whole).sum());
    }
    if sums.is_empty() { Tensor::zeros([1], &device) } else { Tensor::cat(sums, 0) }
}
