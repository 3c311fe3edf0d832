//! The size of a comparison.

/// The size of a comparison: images, steps, seeds, values of α.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say what is counted")]
pub struct Budget {
    pub train_images: usize,
    pub val_images: usize,
    /// Test images of each domain.
    pub test_images: usize,
    /// Optimizer steps per run.
    pub steps: u64,
    /// Samples per step.
    pub batch_size: usize,
    pub seeds: Vec<u64>,
    /// Values of α at which R-Adapter is evaluated; they include the α of the claim.
    pub alphas: Vec<f64>,
}
