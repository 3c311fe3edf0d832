//! Fused operations for training CLIP on the CPU, each with its own backward pass: those that take most of the time
//! besides plain matrix products.
//!
//! burn's CPU backend composes such functions of several passes over memory, on one thread, with the exponential of the C library.
//! Here each is one pass, vectorised, on all cores. Results do not depend on the thread count. Those without matrix products do
//! not depend on the vector width either: every element is computed by the same sequence of rounded operations (no fused
//! multiply-add). Matrix products of
//! f32 are the `gemm` crate's, whose last bits differ between processors with other vectors or caches; those of bfloat16 are the processor's
//! matrix unit's where it has one (AMX).
//!
//! On other backends, on other element types than f32 and bfloat16, and without the feature `flex`, the functions are composed of burn's own
//! operations.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use radapter_kernels::{linear, quick_gelu};
//!
//! let device = Device::flex().autodiff();
//! let x = Tensor::<2>::ones([2, 3], &device).require_grad();
//! let (weight, bias) = (Tensor::<2>::ones([4, 3], &device), Tensor::<1>::zeros([4], &device));
//! // The first half of an MLP and its gradient.
//! let hidden = quick_gelu(linear(x.clone(), weight, bias));
//! let gradients = hidden.clone().sum().backward();
//! assert_eq!(hidden.dims(), [2, 4]);
//! assert_eq!(x.grad(&gradients).map(|gradient| gradient.dims()), Some([2, 3]));
//! ```
//!
//! | function | what it computes |
//! |---|---|
//! | [`attention`], [`packed_attention`] | multi-head self-attention, scores recomputed in the backward pass |
//! | [`linear`], [`matmul`], [`matmul_add`], [`matmul_add_two`], [`matmul_add_repeated`], [`product_add`] | a matrix product added to a bias or other tensors |
//! | [`Weights`], [`PackedWeight`] | a linear layer with a residual sum or an activation in the same pass, and its weight in a matrix unit's order |
//! | [`layer_norm`], [`layer_norm_in_residual`] | layer normalisation |
//! | [`cut_patches`] | images as rows of patches |
//! | [`add`] | a sum |
//! | [`gelu`], [`quick_gelu`] | the activations of an MLP |
//! | [`AdamW`], [`square_sums`] | an optimizer step with a moving average, and the squared gradient norm |

mod activation;
mod add;
mod arguments;
mod attention;
#[cfg(feature = "flex")]
mod flex;
mod layer_norm;
mod matmul_add;
#[cfg(feature = "flex")]
mod ops;
mod optimizer;
mod packed_weight;
mod patches;
mod weights;

/// Checks whether the processor has a matrix unit for bfloat16, which the kernels use. Without one they compute products of bfloat16
/// matrices in f32.
///
/// # Errors
/// The reason that there is no unit.
pub fn bf16_unit() -> Result<(), &'static str> {
    #[cfg(feature = "flex")]
    return flex::bf16_unit();
    #[cfg(not(feature = "flex"))]
    Err("the kernels for the CPU are not compiled in")
}

pub use activation::{Activation, gelu, quick_gelu};
pub use add::add;
pub use arguments::{AdamW, Heads};
pub use attention::{attention, packed_attention};
pub use layer_norm::{layer_norm, layer_norm_in_residual};
pub use matmul_add::{linear, matmul, matmul_add, matmul_add_repeated, matmul_add_two, product_add};
pub use optimizer::{Tracked, square_sums};
pub use packed_weight::PackedWeight;
pub use patches::{Patches, cut_patches};
pub use weights::Weights;
