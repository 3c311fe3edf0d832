//! The same comparison on open-vocabulary segmentation: scenes of several shapes on their grounds, mIoU in place of accuracy,
//! and a quarter of the shapes kept apart, so that no model has met their names or regions in training.
//!
//! Full fine-tuning is OVSeg's (the image tower alone, texts locked, CLIP's own loss); α is 0.4 beforehand. The masks are the
//! annotations' own, so that only the naming can be wrong; the pictures show maps from built-in masks besides.

mod compare;
mod data;
mod pictures;
mod report;

pub use compare::{compare, train};
pub use data::{Data, TestScenes};

use std::path::Path;

use radapter_datasets::shapes::World;

use super::comparison::SceneBudget;
use super::results::{Claim, claim_at};
use super::{Ears, LearningRates, WORLD, table};
use crate::command::{Session, interrupt, output};
use crate::embedded::embedded;

/// α of the claim, fixed before anything was measured: the paper's for segmentation.
pub const CLAIMED_ALPHA: f64 = 0.4;

/// Chosen by `cargo xtask tune-quickstart --task segmentation` on in-distribution validation photos of another world.
pub const CHOSEN: LearningRates = LearningRates { full_fine_tuning: 1e-3, r_adapter: 3e-2 };

/// What the documented figures are made with.
pub fn full() -> SceneBudget {
    SceneBudget {
        train_images: 200,
        val_images: 60,
        test_images: 60,
        steps: 60,
        batch_size: 64,
        seeds: vec![0, 1, 2],
        alphas: (0..=5).map(|fifth| f64::from(fifth) / 5.0).collect(),
    }
}

/// Just enough to see that everything runs; its figures say nothing.
pub fn reduced() -> SceneBudget {
    SceneBudget {
        train_images: 16,
        val_images: 4,
        test_images: 4,
        steps: 3,
        batch_size: 16,
        seeds: vec![0],
        alphas: vec![0.0, 0.4],
    }
}

pub(super) fn run(out: &Path, is_reduced: bool, session: &Session) -> anyhow::Result<()> {
    output::check_empty_dir(out)?;
    let budget = if is_reduced { reduced() } else { full() };
    let device = session.device()?;
    let base = embedded();
    let data = Data::draw(&World::new(WORLD), &budget)?;
    output::make_dir(out)?;
    let ears = Ears { session_progress: session.progress, interrupt: interrupt::watch()? };
    let runs = out.join("runs");
    let compared = compare(&base, &data, &budget, &CHOSEN, &runs, &device, &ears)?;

    compared.write(out, &base)?;
    let claim: Option<Claim> = claim_at(&compared.rows, CLAIMED_ALPHA);
    let models = pictures::Models::open(&base, &runs, budget.seeds[0], &compared.merged, &device)?;
    let page = report::page(&compared.rows, claim.as_ref(), &budget, &data, &pictures::draw(&models, &data, &device)?)?;
    output::write_file(&out.join("report.html"), page.as_bytes())?;

    output::print(&table(&compared.rows).to_string())?;
    output::print(&format!(
        "\nThe figures are mIoU over {} labels; unseen are the {} that entered no batch.",
        data.names().len(),
        data.unseen.len()
    ))?;
    if let Some(claim) = claim {
        output::print(&format!("\n{claim}"))?;
    }
    super::print_places(out)
}
