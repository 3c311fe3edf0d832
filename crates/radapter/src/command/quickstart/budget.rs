/// How much of everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Training photos of each class.
    pub train_per_class: usize,
    /// Validation photos of each class.
    pub val_per_class: usize,
    /// Test images of each class and domain.
    pub test_per_class: usize,
    /// Optimizer steps of a run.
    pub steps: u64,
    /// Images of a step.
    pub batch_size: usize,
    /// Seeds of the runs.
    pub seeds: Vec<u64>,
    /// Where R-Adapter is measured, 0.5 among them.
    pub alphas: Vec<f64>,
}

impl Budget {
    /// What the documented figures are made with: under three minutes on two cores.
    pub fn full() -> Self {
        Self {
            train_per_class: 16,
            val_per_class: 4,
            test_per_class: 6,
            steps: 60,
            batch_size: 64,
            seeds: vec![0, 1, 2],
            alphas: (0..=10).map(|tenth| f64::from(tenth) / 10.0).collect(),
        }
    }

    /// Just enough to see that everything runs; its figures say nothing.
    pub fn reduced() -> Self {
        Self {
            train_per_class: 4,
            val_per_class: 1,
            test_per_class: 1,
            steps: 4,
            batch_size: 32,
            seeds: vec![0],
            alphas: vec![0.0, 0.5, 1.0],
        }
    }
}
