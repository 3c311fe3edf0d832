use radapter_datasets::label_map::colour;

use super::super::comparison::SceneBudget;
use super::super::report::{Shown, curves, frontier, pair, table};
use super::super::{Claim, Row, mean_rows};
use super::pictures::{COLUMNS, Strip};
use super::{CLAIMED_ALPHA, Data};
use crate::command::report::{Page, SegmentedImage, Swatch};
use crate::command::table::percent;

const SEGMENTATION: Shown = Shown { measure: "mIoU", alpha: CLAIMED_ALPHA };

/// The page of the comparison on segmentation.
pub(super) fn page(
    rows: &[Row],
    claim: Option<&Claim>,
    budget: &SceneBudget,
    data: &Data,
    strips: &[Strip],
) -> anyhow::Result<String> {
    let means = mean_rows(rows);
    let seeds = budget.seeds.len();
    let mut page = Page::new(
        "R-Adapter quickstart: segmentation",
        &format!(
            "The embedded CLIP, fine-tuned on the regions of {} drawn photos, and measured on {} photos and on as many scenes of \
             each domain it was not tuned on: mIoU over {} labels, with the annotations' own masks. {} of the labels entered no \
             batch. Means of {seeds} seed{}.",
            budget.train_images,
            budget.test_images,
            data.names().len(),
            data.unseen.len(),
            if seeds == 1 { "" } else { "s" }
        ),
    );
    if let Some(claim) = claim {
        page.facts(&[
            ("zero-shot, in / out of distribution", pair(&claim.zero_shot)),
            ("full fine-tuning", pair(&claim.full_fine_tuning)),
            ("R-Adapter, alpha 0.4", pair(&claim.r_adapter)),
        ]);
    }
    page.section("In distribution against out of distribution");
    page.charts(&[frontier(&means, SEGMENTATION)?, curves(&means, SEGMENTATION)?]);
    page.section("Table");
    table(&mut page, &means, SEGMENTATION);
    page.section("Maps");
    let unseen: Vec<&str> = data.unseen.iter().map(|&label| data.names()[label].as_str()).collect();
    page.text(&format!("{COLUMNS} Kept apart in training: {}.", unseen.join(", ")));
    let card = |strip: &Strip| {
        let swatch = |label: usize| Swatch { name: data.names()[label].clone(), colour: colour(label as u16) };
        SegmentedImage {
            png: strip.png.clone(),
            link: None,
            title: strip.domain.clone(),
            classes: strip.labels.iter().map(|&(label, share)| (swatch(label), percent(share))).collect(),
        }
    };
    page.strips(&strips.iter().map(card).collect::<Vec<_>>());
    Ok(page.finish())
}
