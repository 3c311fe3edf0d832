//! The same comparison on retrieval: scenes of several shapes with five captions each, mean recall in place of accuracy.
//!
//! Full fine-tuning is FLYP's (both towers, CLIP's own loss, weight decay 0.1); α is 0.8 beforehand.

mod compare;
mod data;
mod report;

pub use compare::{compare, train};
pub use data::Data;

use std::path::Path;

use radapter_datasets::shapes::World;

use super::comparison::SceneBudget;
use super::results::{Claim, claim_at};
use super::{Ears, LearningRates, WORLD, table};
use crate::command::{Session, interrupt, output};
use crate::embedded::embedded;

/// α of the claim, fixed before anything was measured: the paper's for retrieval.
pub const CLAIMED_ALPHA: f64 = 0.8;

/// Chosen by `cargo xtask tune-quickstart --task retrieval` on in-distribution validation photos of another world.
pub const CHOSEN: LearningRates = LearningRates { full_fine_tuning: 1e-3, r_adapter: 1e-2 };

/// What the documented figures are made with.
pub fn full() -> SceneBudget {
    SceneBudget {
        train_images: 400,
        val_images: 100,
        test_images: 100,
        steps: 60,
        batch_size: 64,
        seeds: vec![0, 1, 2],
        alphas: (0..=5).map(|fifth| f64::from(fifth) / 5.0).collect(),
    }
}

/// Just enough to see that everything runs; its figures say nothing.
pub fn reduced() -> SceneBudget {
    SceneBudget {
        train_images: 24,
        val_images: 8,
        test_images: 8,
        steps: 3,
        batch_size: 16,
        seeds: vec![0],
        alphas: vec![0.0, 0.8],
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
    let compared = compare(&base, &data, &budget, &CHOSEN, &out.join("runs"), &device, &ears)?;

    compared.write(out, &base)?;
    let claim: Option<Claim> = claim_at(&compared.rows, CLAIMED_ALPHA);
    let page = report::page(&compared.rows, claim.as_ref(), &budget)?;
    output::write_file(&out.join("report.html"), page.as_bytes())?;

    output::print(&table(&compared.rows).to_string())?;
    output::print("\nThe figures are mean recalls: of R@1, R@5 and R@10, both ways.")?;
    if let Some(claim) = claim {
        output::print(&format!("\n{claim}"))?;
    }
    super::print_places(out)
}
