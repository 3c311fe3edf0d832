//! Arguments of the operations besides tensors.

/// The layout of a product's right factor.
#[cfg(feature = "flex")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Layout {
    /// torch's, of a linear's weight: `[out, in]`
    #[default]
    OutIn,
    /// A plain factor: `[in, out]`
    InOut,
}

/// Options of a matrix product.
#[cfg(feature = "flex")]
#[derive(Clone, Debug, Default)]
pub(crate) struct ProductArguments {
    pub(crate) layout: Layout,
    /// Where the right factor in the matrix unit's order is kept.
    pub(crate) packed: Option<crate::PackedWeight>,
    /// Applied to the result.
    pub(crate) activation: Option<crate::Activation>,
}

/// The layout of an attention's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the name says it")]
pub struct Heads {
    pub count: usize,
    /// Positions of each sample.
    pub tokens: usize,
    /// Whether a position attends only to itself and those before it.
    pub causal: bool,
}

/// One step of AdamW (Loshchilov and Hutter, arXiv 1711.05101), as torch's: with `g` the gradient times its factor,
/// `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`,
/// `θ ← (1 − lr·wd) θ − lr · m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    pub(crate) rate: f32,
    /// `1 − lr·wd`
    pub(crate) decay: f32,
    pub(crate) betas: [f32; 2],
    /// `1 − β`, rounded from its exact value.
    pub(crate) complements: [f32; 2],
    /// `1 − β₁ᵗ`
    pub(crate) first_correction: f32,
    /// `1 − β₂ᵗ`
    pub(crate) second_correction: f32,
    pub(crate) epsilon: f32,
    pub(crate) gradient_factor: f32,
}

impl AdamW {
    /// Creates the step numbered `time`, counted from 1, with decoupled weight decay `weight_decay`; gradients are
    /// multiplied by `gradient_factor` first, as clipping by the global norm needs.
    pub fn new(lr: f64, betas: [f64; 2], epsilon: f64, weight_decay: f64, time: u64, gradient_factor: f64) -> Self {
        let correction = |beta: f64| 1.0 - beta.powf(time as f64);
        Self {
            rate: lr as f32,
            decay: (1.0 - lr * weight_decay) as f32,
            betas: betas.map(|beta| beta as f32),
            complements: betas.map(|beta| (1.0 - beta) as f32),
            first_correction: correction(betas[0]) as f32,
            second_correction: correction(betas[1]) as f32,
            epsilon: epsilon as f32,
            gradient_factor: gradient_factor as f32,
        }
    }
}
