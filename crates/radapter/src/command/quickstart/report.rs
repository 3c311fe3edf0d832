use std::io::Cursor;

use anyhow::Context;
use radapter_classification::suite::TestSet;
use radapter_images::DecodeOptions;

use super::{Budget, Compared, Data, Method, Row, UNSEEN, claim, mean_rows, unseen};
use crate::command::report::{Chart, Frontier, FrontierPoint, ImageCard, Mark, Page, Scale, Series};
use crate::command::table::{grouped, percent};

/// Pictures shown of each set.
const SHOWN: usize = 6;

/// The page with the table, the curves and the pictures.
pub(super) fn page(compared: &Compared, data: &Data, budget: &Budget) -> anyhow::Result<String> {
    let means = mean_rows(&compared.rows);
    let seeds = budget.seeds.len();
    let mut page = Page::new(
        "R-Adapter quickstart",
        &format!(
            "The embedded CLIP, fine-tuned on {} drawn photos of {} classes and measured on photos and on domains it was not \
             tuned on. Means of {seeds} seed{}.",
            data.training.train.samples.len(),
            data.training.train.classes.len(),
            if seeds == 1 { "" } else { "s" }
        ),
    );
    if let Some(claim) = claim(&compared.rows) {
        page.facts(&[
            ("zero-shot, in / out of distribution", pair(&claim.zero_shot)),
            ("full fine-tuning", pair(&claim.full_fine_tuning)),
            ("R-Adapter, alpha 0.5", pair(&claim.r_adapter)),
        ]);
    }
    page.section("In distribution against out of distribution");
    page.charts(&[frontier(&means, CLASSIFICATION)?, curves(&means, CLASSIFICATION)?]);
    page.section("Table");
    table(&mut page, &means, CLASSIFICATION);
    page.section("What the models answer");
    page.text("Test pictures of each domain with the answers of the first seed's models: zero-shot, full fine-tuning, and R-Adapter at alpha 0.5.");
    for set in data.suite.sets() {
        page.text(&set.name);
        page.images(&cards(compared, set)?);
    }
    Ok(page.finish())
}

/// What is measured, and the α that was fixed beforehand.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    pub(super) measure: &'static str,
    pub(super) alpha: f64,
}

const CLASSIFICATION: Shown = Shown { measure: "top-1 accuracy", alpha: super::results::CLAIMED_ALPHA };

pub(super) fn pair(row: &Row) -> String {
    format!("{} / {}", percent(row.id), percent(row.ood_average))
}

pub(super) fn frontier(means: &[Row], shown: Shown) -> anyhow::Result<String> {
    let points = |method: Method| -> Vec<FrontierPoint> {
        let rows = means.iter().filter(|row| row.method == method);
        rows.map(|row| FrontierPoint { alpha: row.alpha, id: row.id, ood: row.ood_average }).collect()
    };
    Frontier::new()
        .method("zero-shot", &points(Method::ZeroShot), None)
        .method("full fine-tuning", &points(Method::FullFineTuning), None)
        .method("R-Adapter", &points(Method::RAdapter), Some(shown.alpha))
        .of(shown.measure)
        .chart("Up and to the right is better", "photo")
        .svg()
}

/// R-Adapter on each set over α.
pub(super) fn curves(means: &[Row], shown: Shown) -> anyhow::Result<String> {
    let rows: Vec<&Row> = means.iter().filter(|row| row.method == Method::RAdapter).collect();
    let over = |value: &dyn Fn(&Row) -> Option<f64>| -> Vec<(f64, f64)> {
        rows.iter().filter_map(|row| Some((row.alpha?, value(row)?))).collect()
    };
    let mut series = vec![Series::new("photo (ID)", 0, Mark::Dots, over(&|row| Some(row.id)))];
    let names: Vec<&String> = rows.first().map(|row| row.ood.keys().collect()).unwrap_or_default();
    for (index, name) in names.iter().enumerate() {
        series.push(Series::new(name.as_str(), index + 1, Mark::Line, over(&|row| row.ood.get(*name).copied())));
    }
    series.push(Series::new("OOD average", names.len() + 1, Mark::Dots, over(&|row| Some(row.ood_average))));
    Chart {
        title: format!("R-Adapter's {} over alpha", shown.measure),
        x: ("alpha (0: the base model, 1: the adapters in full)".to_owned(), Scale::Plain),
        y: (String::new(), Scale::Percent),
        series,
    }
    .svg()
}

pub(super) fn table(page: &mut Page, means: &[Row], shown: Shown) {
    let names: Vec<String> =
        means.first().map(|row| row.ood.keys().map(|name| format!("{name}>")).collect()).unwrap_or_default();
    let mut columns = vec!["method", "alpha>", "photo (ID)>"];
    columns.extend(names.iter().map(String::as_str));
    columns.push("OOD average>");
    if means.iter().any(|row| row.unseen_id.is_some()) {
        columns.extend(UNSEEN);
    }
    columns.extend(["tuned parameters>", "seconds>", "bytes to store>"]);
    let rows: Vec<Vec<String>> = means
        .iter()
        .map(|row| {
            let mut cells =
                vec![row.method.to_string(), row.alpha.map_or(String::new(), |a| format!("{a:.1}")), percent(row.id)];
            cells.extend(row.ood.values().map(|value| percent(*value)));
            cells.push(percent(row.ood_average));
            cells.extend(unseen(row));
            cells.extend([grouped(row.tuned_parameters as u64), format!("{:.1}", row.seconds), grouped(row.bytes)]);
            cells
        })
        .collect();
    let strong = |row: &Row| row.alpha == Some(shown.alpha);
    let strong: Vec<usize> = (0..means.len()).filter(|&index| strong(&means[index])).collect();
    page.table(&columns, &rows, &strong);
}

/// A name that fits under a small picture.
fn short(method: Method) -> &'static str {
    match method {
        Method::ZeroShot => "zero-shot",
        Method::FullFineTuning => "full",
        Method::RAdapter => "R-Adapter",
    }
}

fn cards(compared: &Compared, set: &TestSet) -> anyhow::Result<Vec<ImageCard>> {
    // Classes take turns in a set; a stride shows different ones.
    let stride = (set.samples.len() / SHOWN).max(1) | 1;
    (0..SHOWN)
        .map(|k| k * stride % set.samples.len())
        .map(|index| {
            let sample = &set.samples[index];
            let image = sample.source.load(&DecodeOptions::default()).with_context(|| sample.name.clone())?;
            let mut png = Cursor::new(Vec::new());
            image.write_to(&mut png, image::ImageFormat::Png)?;
            let mut predictions = Vec::new();
            let mut label = String::new();
            for (method, sets) in &compared.answers {
                let answers = sets.iter().find(|(name, _)| *name == set.name).map(|(_, answers)| answers);
                if let Some(answer) = answers.and_then(|answers| answers.get(index)) {
                    label.clone_from(&answer.label);
                    let best = answer.best.first().map_or("", |best| best.class.as_str());
                    predictions.push((short(*method).to_owned(), best.to_owned(), best == answer.label));
                }
            }
            Ok(ImageCard { png: png.into_inner(), caption: label, predictions })
        })
        .collect()
}
