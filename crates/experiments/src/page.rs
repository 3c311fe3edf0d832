//! The report of a comparison and its table.

use anyhow::Context as _;
use image::{ImageFormat, RgbImage};
use radapter_report::{
    Change, Chart, Frontier, FrontierPoint, Interval, Mark, Page, Scale, Series, Table, Term, counted, grouped,
    percent, verdict,
};

use crate::results::{Row, mean_rows};
use crate::{Compared, Comparison, Contender, Quickstart};

/// The page with facts, curves, table and examples.
pub(crate) fn page(comparison: &Comparison<'_>, compared: &Compared) -> anyhow::Result<String> {
    let Comparison { quickstart, experiment, budget, device, .. } = comparison;
    let means = mean_rows(&compared.rows);
    let seeds = budget.seeds.len();
    let means_of = counted(seeds, "seed", "seeds");
    let lead = format!("The embedded CLIP, fine-tuned on {} Means of {means_of}.", experiment.lead());
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
    let charts = [frontier(&means, quickstart), curves(&means, &compared.rows, quickstart)];
    page.charts(&charts);
    let [frontier, curves] = charts.map(|chart| chart.title);
    page.caption(&match seeds {
        1 => "Both charts have no error bars: one seed says nothing of the spread.".to_owned(),
        _ => format!(
            "\"{frontier}\": means of {seeds} seeds, without error bars. \"{curves}\": lines are means of {seeds} seeds, bars reach \
             from the lowest to the highest seed."
        ),
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
    let images = comparison.experiment.is_mean_over_images().then_some(comparison.budget.test_images as u64);
    let against = |tuned: &Row| against(rows, &claim.zero_shot, tuned, images);
    format!(
        "R-Adapter at alpha {}: {} Full fine-tuning: {}",
        comparison.quickstart.alpha,
        against(&claim.r_adapter),
        against(&claim.full_fine_tuning)
    )
}

/// The mean of a tuned model's seeds against the base model. `images` are those of each test set; without them the sampling error
/// is not known.
fn against(rows: &[Row], base: &Row, tuned: &Row, images: Option<u64>) -> String {
    let change = |value: fn(&Row) -> f64, interval: fn(&Row, u64) -> Interval| {
        let change = match images {
            Some(count) => Change::between(interval(base, count), interval(tuned, count)),
            None => Change::new(value(base), value(tuned)),
        };
        let several = seeds(rows, tuned).nth(1).is_some();
        change.with_seeds(several.then(|| over_seeds(rows, tuned, value).margin()))
    };
    let id = change(|row| row.id, |row, count| Interval::wilson(row.id, count));
    let ood = change(
        |row| row.ood_average,
        |row, count| {
            let sets: Vec<Interval> = row.ood.values().map(|value| Interval::wilson(*value, count)).collect();
            Interval::mean_of_independent(&sets)
        },
    );
    verdict(id, ood)
}

/// The rows of a mean.
fn seeds<'a>(rows: &'a [Row], mean: &Row) -> impl Iterator<Item = &'a Row> {
    let of = (mean.method, mean.alpha);
    rows.iter().filter(move |row| (row.method, row.alpha) == of)
}

/// The mean over the seeds, from the lowest to the highest.
fn over_seeds(rows: &[Row], mean: &Row, value: impl Fn(&Row) -> f64) -> Interval {
    let values = seeds(rows, mean).map(&value);
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
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
    let several = rows.iter().any(|mean| seeds(all, mean).nth(1).is_some());
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::Figures;

    fn row(method: Contender, seed: u64, id: f64, ood: f64) -> Row {
        Row::new(method, seed, &Figures::by_domain(vec![("photo".to_owned(), id), ("sketch".to_owned(), ood)]))
    }

    /// The verdict on full fine-tuning with these results in and out of distribution, one per seed; the base model has 50 %.
    fn judged(tuned: &[(f64, f64)], images: Option<u64>) -> String {
        let base = row(Contender::ZeroShot, 0, 0.5, 0.5);
        let row = |(seed, &(id, ood)): (usize, &(f64, f64))| row(Contender::FullFineTuning, seed as u64, id, ood);
        let rows: Vec<Row> = tuned.iter().enumerate().map(row).collect();
        against(&rows, &base, mean_rows(&rows).first().unwrap(), images)
    }

    #[test]
    fn equal_seeds_do_not_make_a_small_difference_a_claim() {
        let verdict = judged(&[(0.52, 0.51); 3], Some(100));
        assert!(verdict.starts_with("No clear change: +2.0 points"), "{verdict}");
        let verdict = judged(&[(0.8, 0.8); 3], Some(100));
        assert!(verdict.starts_with("Robust: +30.0 points"), "{verdict}");
        let verdict = judged(&[(0.8, 0.5); 3], Some(100));
        assert!(verdict.starts_with("Better on the task's data; no clear change on other data"), "{verdict}");
    }

    #[test]
    fn the_spread_of_seeds_is_noise_too() {
        let verdict = judged(&[(0.5, 0.8), (0.9, 0.8)], Some(10_000));
        assert!(verdict.starts_with("Better on other data only: +20.0 points"), "{verdict}");
    }

    #[test]
    fn one_seed_or_an_unknown_sampling_error_gives_figures_only() {
        for verdict in [judged(&[(0.8, 0.8)], Some(100)), judged(&[(0.8, 0.8); 3], None)] {
            assert!(verdict.starts_with("+30.0 points") && verdict.contains("is not known"), "{verdict}");
        }
    }
}
