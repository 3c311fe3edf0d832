//! The report of a comparison and its table.

use anyhow::Context as _;
use image::{ImageFormat, RgbImage};
use radapter_report::{
    Change, Chart, Frontier, FrontierPoint, Interval, Mark, Page, Scale, Series, Table, Term, grouped, percent, verdict,
};

use crate::results::{Row, mean_rows};
use crate::{Compared, Comparison, Contender, Quickstart};

/// The page with facts, curves, table and examples.
pub(crate) fn page(comparison: &Comparison<'_>, compared: &Compared) -> anyhow::Result<String> {
    let Comparison { quickstart, experiment, budget, device, .. } = comparison;
    let means = mean_rows(&compared.rows);
    let seeds = budget.seeds.len();
    let plural = if seeds == 1 { "" } else { "s" };
    let lead = format!("The embedded CLIP, fine-tuned on {} Means of {seeds} seed{plural}.", experiment.lead());
    let mut page = Page::new(quickstart.title, &lead);
    page.verdict(&conclusion(comparison, &compared.rows));
    page.terms(&[Term::Id, Term::Ood, Term::Alpha]);
    if let Some(claim) = comparison.claim(&compared.rows) {
        page.facts(&[
            ("base model (zero-shot), ID / OOD", pair(&claim.zero_shot)),
            ("full fine-tuning, ID / OOD", pair(&claim.full_fine_tuning)),
            (&format!("R-Adapter at alpha {}, ID / OOD", quickstart.alpha), pair(&claim.r_adapter)),
        ]);
    }
    page.section("In distribution against out of distribution");
    page.charts(&[frontier(&means, quickstart), curves(&means, &compared.rows, quickstart)]);
    page.caption(&match seeds {
        1 => "No error bars: one seed says nothing of the spread.".to_owned(),
        _ => format!("Lines: means of {seeds} seeds. Bars: from the lowest to the highest seed."),
    });
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

/// R-Adapter and full fine-tuning against the base model, in a sentence each.
fn conclusion(comparison: &Comparison<'_>, rows: &[Row]) -> String {
    if let Some(caveat) = comparison.caveat() {
        return caveat.to_owned();
    }
    let Some(claim) = comparison.claim(rows) else {
        return "No comparison: the results of a method are missing.".to_owned();
    };
    let against = |tuned: &Row| {
        let change = |value: fn(&Row) -> f64| {
            Change::between(over_seeds(rows, &claim.zero_shot, value), over_seeds(rows, tuned, value))
        };
        verdict(change(|row| row.id), Some(change(|row| row.ood_average)))
    };
    format!(
        "R-Adapter at alpha {}: {} Full fine-tuning: {}",
        comparison.quickstart.alpha,
        against(&claim.r_adapter),
        against(&claim.full_fine_tuning)
    )
}

/// The mean over the seeds, from the lowest to the highest.
fn over_seeds(rows: &[Row], mean: &Row, value: impl Fn(&Row) -> f64) -> Interval {
    let same = rows.iter().filter(|row| row.method == mean.method && row.alpha == mean.alpha).map(&value);
    let (low, high) = same.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    Interval { value: value(mean), low, high }
}

fn frontier(means: &[Row], quickstart: &Quickstart) -> Chart {
    let mut frontier = Frontier::new().of(quickstart.measure);
    for method in [Contender::ZeroShot, Contender::FullFineTuning, Contender::RAdapter] {
        let rows = means.iter().filter(|row| row.method == method);
        let points: Vec<FrontierPoint> =
            rows.map(|row| FrontierPoint { alpha: row.alpha, id: row.id, ood: row.ood_average }).collect();
        frontier = frontier.method(method.title(), &points, Some(quickstart.alpha));
    }
    frontier.chart("Up and to the right is better", "photo")
}

/// R-Adapter on each set over α.
fn curves(means: &[Row], all: &[Row], quickstart: &Quickstart) -> Chart {
    let rows: Vec<&Row> = means.iter().filter(|row| row.method == Contender::RAdapter).collect();
    let over = |value: &dyn Fn(&Row) -> Option<f64>| -> Vec<(f64, f64)> {
        rows.iter().filter_map(|row| Some((row.alpha?, value(row)?))).collect()
    };
    let several = rows
        .iter()
        .any(|mean| all.iter().filter(|row| (row.method, row.alpha) == (mean.method, mean.alpha)).count() > 1);
    let bars = |value: fn(&Row) -> f64| -> Vec<(f64, f64)> {
        let bar = |row: &&Row| over_seeds(all, row, value);
        rows.iter().filter(|_| several).map(bar).map(|interval| (interval.low, interval.high)).collect()
    };
    let id = Series::new("photo (ID)", 0, Mark::Dots, over(&|row| Some(row.id))).with_bars(bars(|row| row.id));
    let mut series = vec![id];
    let names: Vec<&String> = rows.first().map(|row| row.ood.keys().collect()).unwrap_or_default();
    for (index, name) in names.iter().enumerate() {
        series.push(Series::new(name.as_str(), index + 1, Mark::Line, over(&|row| row.ood.get(*name).copied())));
    }
    let average = Series::new("OOD average", names.len() + 1, Mark::Dots, over(&|row| Some(row.ood_average)));
    series.push(average.with_bars(bars(|row| row.ood_average)));
    Chart {
        title: format!("R-Adapter's {} over alpha", quickstart.measure),
        x: ("alpha (0: the base model, 1: the adapters in full)".to_owned(), Scale::Plain),
        y: (quickstart.measure.to_owned(), Scale::Percent),
        series,
    }
}

/// An image as a PNG file.
pub(crate) fn png(image: &RgbImage) -> anyhow::Result<Vec<u8>> {
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png).context("cannot encode an image")?;
    Ok(png.into_inner())
}
