//! The three comparisons of `radapter quickstart`.

use anyhow::Context as _;
use radapter_datasets::shapes::{World, class_names};

use crate::{Budget, Experiment, LearningRates, classification, retrieval, segmentation};

/// A comparison that `radapter quickstart` can run.
#[derive(Debug)]
pub struct Quickstart {
    /// The task's name, also on the command line.
    pub name: &'static str,
    /// Title of the report.
    pub title: &'static str,
    /// The measure, such as top-1 accuracy.
    pub measure: &'static str,
    /// α of the claim, fixed before anything was measured: the paper's for the task.
    pub alpha: f64,
    /// The learning rates, chosen by `cargo xtask tune-quickstart` on in-distribution validation images of another world; see
    /// `docs/results.md`.
    pub rates: LearningRates,
    /// Validation images on which they were chosen.
    pub tuning_val_images: usize,
    /// The method that is full fine-tuning for the task.
    pub full_fine_tuning: &'static str,
    /// The budget of the documented results: under three minutes on two cores.
    pub full: fn() -> Budget,
    /// The smallest budget that runs everything; its results mean nothing.
    pub reduced: fn() -> Budget,
    /// Draws the data.
    pub draw: fn(&World, &Budget) -> anyhow::Result<Box<dyn Experiment>>,
}

/// All comparisons, classification first.
pub static QUICKSTARTS: [Quickstart; 3] = [
    Quickstart {
        name: "classification",
        title: "R-Adapter quickstart",
        measure: "top-1 accuracy",
        alpha: 0.5,
        rates: LearningRates { full_fine_tuning: 1e-3, r_adapter: 1e-2 },
        tuning_val_images: 240,
        full_fine_tuning: "full",
        full: || Budget {
            train_images: 16 * class_names().len(),
            val_images: 4 * class_names().len(),
            test_images: 6 * class_names().len(),
            steps: 60,
            batch_size: 64,
            seeds: vec![0, 1, 2],
            alphas: alphas(10),
        },
        reduced: || Budget {
            train_images: 4 * class_names().len(),
            val_images: class_names().len(),
            test_images: class_names().len(),
            steps: 4,
            batch_size: 32,
            seeds: vec![0],
            alphas: vec![0.0, 0.5, 1.0],
        },
        draw: |world, budget| Ok(Box::new(classification::Classification::draw(world, budget)?)),
    },
    Quickstart {
        name: "retrieval",
        title: "R-Adapter quickstart: retrieval",
        measure: "mean recall",
        alpha: 0.8,
        rates: LearningRates { full_fine_tuning: 1e-3, r_adapter: 1e-2 },
        tuning_val_images: 240,
        full_fine_tuning: "flyp",
        full: || Budget {
            train_images: 400,
            val_images: 100,
            test_images: 100,
            steps: 60,
            batch_size: 64,
            seeds: vec![0, 1, 2],
            alphas: alphas(5),
        },
        reduced: || Budget {
            train_images: 24,
            val_images: 8,
            test_images: 8,
            steps: 3,
            batch_size: 16,
            seeds: vec![0],
            alphas: vec![0.0, 0.8],
        },
        draw: |world, budget| Ok(Box::new(retrieval::Retrieval::draw(world, budget)?)),
    },
    Quickstart {
        name: "segmentation",
        title: "R-Adapter quickstart: segmentation",
        measure: "mIoU",
        alpha: 0.4,
        rates: LearningRates { full_fine_tuning: 1e-3, r_adapter: 3e-2 },
        tuning_val_images: 60,
        full_fine_tuning: "ovseg",
        full: || Budget {
            train_images: 200,
            val_images: 60,
            test_images: 60,
            steps: 60,
            batch_size: 64,
            seeds: vec![0, 1, 2],
            alphas: alphas(5),
        },
        reduced: || Budget {
            train_images: 16,
            val_images: 4,
            test_images: 4,
            steps: 3,
            batch_size: 16,
            seeds: vec![0],
            alphas: vec![0.0, 0.4],
        },
        draw: |world, budget| Ok(Box::new(segmentation::Segmentation::draw(world, budget)?)),
    },
];

/// The comparison of a task.
///
/// # Errors
/// If there is none of this name.
pub fn quickstart(name: &str) -> anyhow::Result<&'static Quickstart> {
    let found = QUICKSTARTS.iter().find(|quickstart| quickstart.name == name);
    let names = QUICKSTARTS.each_ref().map(|quickstart| quickstart.name);
    found.with_context(|| format!("there is no quickstart for `{name}`; expected one of {}", names.join(", ")))
}

/// From 0 to 1 in this many steps.
fn alphas(steps: u32) -> Vec<f64> {
    (0..=steps).map(|step| f64::from(step) / f64::from(steps)).collect()
}
