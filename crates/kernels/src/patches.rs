//! Images cut into patches, as a vision transformer's first layer needs them.

use burn::tensor::{DType, Tensor};

/// The layout of patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the name says it")]
pub struct Patches {
    /// Pixels of a side.
    pub size: usize,
    /// Rows of zeros before the patches of each image, for class tokens.
    pub lead: usize,
    /// Type of the result.
    pub dtype: DType,
}

/// Cuts images into patches, row by row from the top left, each a row of its channels' pixels: what a convolution whose stride is its
/// kernel's size multiplies with. Pixels beyond the last whole patch are left out.
///
/// # Shapes
/// `[batch, channels, height, width]` → `[batch · (lead + patches), channels · size²]`
///
/// # Panics
/// If `size` is 0.
pub fn cut_patches(pixels: Tensor<4>, patches: Patches) -> Tensor<2> {
    let Patches { size, lead, dtype } = patches;
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&pixels) && pixels.dtype() == DType::F32 && matches!(dtype, DType::F32 | DType::BF16) {
        use burn::backend::Dispatch;

        return Tensor::from_dispatch(<Dispatch as crate::ops::Kernels>::cut_patches(pixels.into_dispatch(), patches));
    }
    let [batch, channels, height, width] = pixels.dims();
    let (down, across) = (height / size, width / size);
    let cut = pixels
        .slice([0..batch, 0..channels, 0..down * size, 0..across * size])
        .cast(dtype)
        .reshape([batch, channels, down, size, across, size])
        .permute([0, 2, 4, 1, 3, 5])
        .reshape([batch, down * across, channels * size * size]);
    let rows = match lead {
        0 => cut,
        _ => {
            let zeros = Tensor::zeros([batch, lead, channels * size * size], (&cut.device(), dtype));
            Tensor::cat(vec![zeros, cut], 1)
        }
    };
    rows.reshape([batch * (lead + down * across), channels * size * size])
}
