//! The size of a comparison.

/// The size of a comparison: images, steps, seeds, values of α.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Training photos.
    pub train_images: usize,
    /// Validation photos.
    pub val_images: usize,
    /// Test images of each domain.
    pub test_images: usize,
    /// Optimizer steps of a run.
    pub steps: u64,
    /// Samples of a step.
    pub batch_size: usize,
    /// Seeds of the runs.
    pub seeds: Vec<u64>,
    /// Values of α at which R-Adapter is measured; they include the α of the claim.
    pub alphas: Vec<f64>,
}
