use super::super::comparison::SceneBudget;
use super::super::report::{Shown, curves, frontier, pair, table};
use super::super::{Claim, Row, mean_rows};
use super::CLAIMED_ALPHA;
use crate::command::report::Page;

const RETRIEVAL: Shown = Shown { measure: "mean recall", alpha: CLAIMED_ALPHA };

/// The page of the comparison on retrieval.
pub(super) fn page(rows: &[Row], claim: Option<&Claim>, budget: &SceneBudget) -> anyhow::Result<String> {
    let means = mean_rows(rows);
    let seeds = budget.seeds.len();
    let mut page = Page::new(
        "R-Adapter quickstart: retrieval",
        &format!(
            "The embedded CLIP, fine-tuned on {} drawn photos with five captions each, and measured on {} photos and on as many \
             scenes of each domain it was not tuned on. Mean recall: of R@1, R@5 and R@10, texts by images and images by \
             texts. Means of {seeds} seed{}.",
            budget.train_images,
            budget.test_images,
            if seeds == 1 { "" } else { "s" }
        ),
    );
    if let Some(claim) = claim {
        page.facts(&[
            ("zero-shot, in / out of distribution", pair(&claim.zero_shot)),
            ("full fine-tuning", pair(&claim.full_fine_tuning)),
            ("R-Adapter, alpha 0.8", pair(&claim.r_adapter)),
        ]);
    }
    page.section("In distribution against out of distribution");
    page.charts(&[frontier(&means, RETRIEVAL)?, curves(&means, RETRIEVAL)?]);
    page.section("Table");
    table(&mut page, &means, RETRIEVAL);
    Ok(page.finish())
}
