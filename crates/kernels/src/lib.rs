//! What CLIP's training spends its time on besides matrix products, as single operations with their own backward.
//!
//! burn's CPU backend composes such functions of several passes over memory, on one thread, with the exponential of the C library.
//! Here each is one pass, in vectors of the processor at hand, on all cores. Results do not hang on the number of
//! threads; those without matrix products do not hang on the width of vectors either, as every element is computed by the same
//! sequence of rounded operations (no fused multiply-add). Matrix products are the `gemm` crate's, whose last bits differ between
//! processors with other vectors or caches.
//!
//! On other backends, on other element types than f32, and without the feature `flex`, the functions are composed of burn's own.

mod adamw;
mod attention;
#[cfg(feature = "flex")]
mod curve;
#[cfg(feature = "flex")]
mod flex;
mod gelu;
mod layer_norm;
mod matmul_add;
#[cfg(feature = "flex")]
mod ops;
mod quick_gelu;
mod square_sums;

pub use adamw::{AdamW, Tracked};
pub use attention::{Heads, attention, packed_attention};
pub use gelu::gelu;
pub use layer_norm::layer_norm;
pub use matmul_add::{linear, matmul_add};
pub use quick_gelu::quick_gelu;
pub use square_sums::square_sums;
