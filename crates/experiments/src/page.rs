//! The report of a comparison and its table.

use anyhow::Context as _;
use image::{ImageFormat, RgbImage};
use radapter_report::{Chart, Frontier, FrontierPoint, Mark, Page, Scale, Series, Table, grouped, percent};

use crate::results::{Row, mean_rows};
use crate::{Compared, Comparison, Contender, Quickstart};

/// The page with facts, curves, table and examples.
pub(crate) fn page(comparison: &Comparison<'_>, compared: &Compared) -> anyhow::Result<String> {
    let Comparison { quickstart, experiment, budget, device, .. } = comparison;
    let means = mean_rows(&compared.rows);
    let seeds = budget.seeds.len();
    let plural = if seeds == 1 { "" } else { "s" };
    let caveat = comparison.caveat().map_or_else(String::new, |caveat| format!("{caveat} "));
    let lead = format!("{caveat}The embedded CLIP, fine-tuned on {} Means of {seeds} seed{plural}.", experiment.lead());
    let mut page = Page::new(quickstart.title, &lead);
    if let Some(claim) = comparison.claim(&compared.rows) {
        page.facts(&[
            ("zero-shot, in / out of distribution", pair(&claim.zero_shot)),
            ("full fine-tuning", pair(&claim.full_fine_tuning)),
            (&format!("R-Adapter, alpha {}", quickstart.alpha), pair(&claim.r_adapter)),
        ]);
    }
    page.section("In distribution against out of distribution");
    page.charts(&[frontier(&means, quickstart)?, curves(&means, quickstart)?]);
    page.section("Table");
    let (columns, rows) = cells(&means);
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let claimed: Vec<usize> = (0..means.len()).filter(|&index| means[index].alpha == Some(quickstart.alpha)).collect();
    page.table(&columns, &rows, &claimed);
    experiment.illustrate(&mut page, compared, device)?;
    Ok(page.finish())
}

/// The means over the seeds for the terminal.
pub fn table(rows: &[Row]) -> Table {
    let (columns, rows) = cells(&mean_rows(rows));
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut table = Table::new(&columns);
    rows.into_iter().for_each(|row| table.row(row));
    table
}

/// Column names, with `>` for numeric ones, and the cells of each row.
fn cells(means: &[Row]) -> (Vec<String>, Vec<Vec<String>>) {
    let mut columns: Vec<String> = ["method", "alpha>", "photo (ID)>"].map(str::to_owned).to_vec();
    columns.extend(means.iter().take(1).flat_map(|row| row.ood.keys()).map(|set| format!("{set}>")));
    columns.push("OOD average>".to_owned());
    if means.iter().any(|row| row.unseen_id.is_some()) {
        columns.extend(["unseen (ID)>", "unseen (OOD)>"].map(str::to_owned));
    }
    columns.extend(["tuned parameters>", "seconds>", "bytes to store>"].map(str::to_owned));
    let row = |row: &Row| {
        let alpha = row.alpha.map_or(String::new(), |alpha| format!("{alpha:.1}"));
        let mut cells = vec![row.method.to_string(), alpha, percent(row.id)];
        cells.extend(row.ood.values().map(|value| percent(*value)));
        cells.push(percent(row.ood_average));
        cells.extend([row.unseen_id, row.unseen_ood_average].into_iter().flatten().map(percent));
        cells.extend([grouped(row.tuned_parameters as u64), format!("{:.1}", row.seconds), grouped(row.bytes)]);
        cells
    };
    (columns, means.iter().map(row).collect())
}

fn pair(row: &Row) -> String {
    format!("{} / {}", percent(row.id), percent(row.ood_average))
}

fn frontier(means: &[Row], quickstart: &Quickstart) -> anyhow::Result<String> {
    let mut frontier = Frontier::new().of(quickstart.measure);
    for method in [Contender::ZeroShot, Contender::FullFineTuning, Contender::RAdapter] {
        let rows = means.iter().filter(|row| row.method == method);
        let points: Vec<FrontierPoint> =
            rows.map(|row| FrontierPoint { alpha: row.alpha, id: row.id, ood: row.ood_average }).collect();
        frontier = frontier.method(method.title(), &points, Some(quickstart.alpha));
    }
    Ok(frontier.chart("Up and to the right is better", "photo").svg()?)
}

/// R-Adapter on each set over α.
fn curves(means: &[Row], quickstart: &Quickstart) -> anyhow::Result<String> {
    let rows: Vec<&Row> = means.iter().filter(|row| row.method == Contender::RAdapter).collect();
    let over = |value: &dyn Fn(&Row) -> Option<f64>| -> Vec<(f64, f64)> {
        rows.iter().filter_map(|row| Some((row.alpha?, value(row)?))).collect()
    };
    let mut series = vec![Series::new("photo (ID)", 0, Mark::Dots, over(&|row| Some(row.id)))];
    let names: Vec<&String> = rows.first().map(|row| row.ood.keys().collect()).unwrap_or_default();
    for (index, name) in names.iter().enumerate() {
        series.push(Series::new(name.as_str(), index + 1, Mark::Line, over(&|row| row.ood.get(*name).copied())));
    }
    series.push(Series::new("OOD average", names.len() + 1, Mark::Dots, over(&|row| Some(row.ood_average))));
    let chart = Chart {
        title: format!("R-Adapter's {} over alpha", quickstart.measure),
        x: ("alpha (0: the base model, 1: the adapters in full)".to_owned(), Scale::Plain),
        y: (String::new(), Scale::Percent),
        series,
    };
    Ok(chart.svg()?)
}

/// An image as a PNG file.
pub(crate) fn png(image: &RgbImage) -> anyhow::Result<Vec<u8>> {
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png).context("cannot encode an image")?;
    Ok(png.into_inner())
}
