//! The report of a comparison.

use radapter_report::{Chart, Frontier, FrontierPoint, Mark, Page, Scale, Series, Term, counted, percent};

use super::contender::ZERO_SHOT;
use super::results::{Difference, Estimate, Results};
use super::table::{Mean, cells, explained, means};

/// The page, complete in itself.
pub(super) fn page(results: &Results) -> String {
    let means = means(results);
    let seeds = counted(results.seeds.len(), "seed", "seeds");
    let lead = format!(
        "The model {}, fine-tuned by several methods on the same data ({seeds}) and measured on the same test data: {}.",
        results.model, results.measure
    );
    let mut page = Page::new("Comparison of methods", &lead);
    page.verdict(&verdict(results, &means));
    page.terms(if results.has_ood() { &[Term::Id, Term::Ood, Term::Alpha] } else { &[Term::Alpha] });
    page.facts(&facts(results, &means));
    if results.has_ood() {
        frontier(&mut page, results, &means)
    } else {
        curves(&mut page, results, &means)
    }
    page.section("Table");
    let (names, rows) = cells(results, true);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    page.sortable(&names, &rows, &cells(results, false).1);
    page.caption(&explained(results));
    differences(&mut page, results);
    tried(&mut page, results);
    page.finish()
}

/// The best methods.
fn verdict(results: &Results, means: &[Mean]) -> String {
    let best = |value: &dyn Fn(&Mean) -> Option<f64>| {
        let values = means.iter().filter_map(|mean| Some((mean.title, value(mean)?)));
        values.reduce(|best, one| if one.1 > best.1 { one } else { best })
    };
    let said = |what: &str, best: Option<(&str, f64)>| {
        best.map(|(title, value)| format!("Highest {what}: {title}, {}. ", percent(value))).unwrap_or_default()
    };
    let id = best(&|mean| Some(mean.figure(|figures| Some(figures.id))?.value));
    let ood = best(&|mean| Some(mean.figure(|figures| figures.ood_average)?.value));
    let failed = means.iter().filter(|mean| !mean.errors.is_empty()).map(|mean| mean.title).collect::<Vec<_>>();
    let failed = if failed.is_empty() { String::new() } else { format!("Not complete: {}.", failed.join(", ")) };
    let text = format!(
        "{}{}{failed}",
        said(if results.has_ood() { "in distribution" } else { results.measure }, id),
        said("OOD average", ood)
    );
    if text.is_empty() { "No method could be measured.".to_owned() } else { text.trim_end().to_owned() }
}

/// In and out of distribution of the methods that the others are judged by.
fn facts(results: &Results, means: &[Mean]) -> Vec<(String, String)> {
    let shown = [ZERO_SHOT, results.full_fine_tuning, "r-adapter"];
    let fact = |name: &str| {
        let mean = means.iter().find(|mean| mean.method == name)?;
        let id = percent(mean.figure(|figures| Some(figures.id))?.value);
        Some(match mean.figure(|figures| figures.ood_average) {
            Some(ood) => (format!("{}, ID / OOD", mean.title), format!("{id} / {}", percent(ood.value))),
            None => (mean.title.to_owned(), id),
        })
    };
    shown.into_iter().filter_map(fact).collect()
}

/// Each method with a free alpha over it, where there is one kind of test data.
fn curves(page: &mut Page, results: &Results, means: &[Mean]) {
    let series = means.iter().enumerate().filter_map(|(index, mean)| {
        let curve = mean.curve(|figures| Some(figures.id));
        let points = curve.iter().map(|(alpha, value)| (*alpha, value.value)).collect();
        let bars = curve.iter().filter(|_| mean.rows.len() > 1).map(|(_, value)| (value.low, value.high)).collect();
        (curve.len() > 1).then(|| Series::new(mean.title, index, Mark::Dots, points).with_bars(bars))
    });
    let chart = Chart {
        title: format!("{} over alpha", results.measure),
        x: ("alpha (0: the base model, 1: all of the tuning)".to_owned(), Scale::Plain),
        y: (results.measure.to_owned(), Scale::Percent),
        series: series.collect(),
    };
    if !chart.series.is_empty() {
        page.section("Over alpha");
        page.charts(&[chart]);
        page.caption(spread(results));
    }
}

/// What the error bars are.
fn spread(results: &Results) -> &'static str {
    match results.seeds.len() {
        1 => "One seed, so that the spread is not known.",
        _ => "Means over the seeds; bars reach from the lowest to the highest seed.",
    }
}

fn frontier(page: &mut Page, results: &Results, means: &[Mean]) {
    let mut frontier = Frontier::new().of(results.measure);
    for mean in means {
        let curve: Vec<(Option<f64>, Estimate, Estimate)> = match mean.curve(|figures| Some(figures.id)) {
            ids if ids.len() > 1 => {
                let oods = mean.curve(|figures| figures.ood_average);
                ids.into_iter().zip(oods).map(|((alpha, id), (_, ood))| (Some(alpha), id, ood)).collect()
            }
            _ => {
                let id = mean.figure(|figures| Some(figures.id));
                let ood = mean.figure(|figures| figures.ood_average);
                id.zip(ood).map(|(id, ood)| (None, id, ood)).into_iter().collect()
            }
        };
        let points: Vec<FrontierPoint> = curve
            .iter()
            .map(|(alpha, id, ood)| FrontierPoint { alpha: *alpha, id: id.value, ood: ood.value })
            .collect();
        if points.is_empty() {
            continue;
        }
        let marked = mean.rows.first().and_then(|row| row.alpha.as_ref()?.parse().ok());
        frontier = frontier.method(mean.title, &points, marked);
        if mean.rows.len() > 1 {
            frontier = frontier.with_bars(curve.iter().map(|(_, _, ood)| (ood.low, ood.high)).collect());
        }
    }
    page.section("In distribution against out of distribution");
    page.charts(&[frontier.chart("Up and to the right is better", &results.id)]);
    page.caption(&format!("{} Curves begin at the base model.", spread(results)));
}

/// Differences to zero-shot and to full fine-tuning.
fn differences(page: &mut Page, results: &Results) {
    if results.differences.is_empty() {
        return;
    }
    let cell = |estimate: &Estimate| {
        let [value, low, high] =
            [estimate.value, estimate.low, estimate.high].map(|value| format!("{:+.1}", 100.0 * value));
        format!("{value} [{low}, {high}]").replace("+0.0", "0.0").replace("-0.0", "0.0").replace('-', "\u{2212}")
    };
    let has_ood = results.has_ood();
    let row = |difference: &Difference| {
        let mut cells = vec![difference.method.to_owned(), cell(&difference.id)];
        cells.extend(has_ood.then(|| difference.ood_average.as_ref().map_or_else(String::new, cell)));
        cells
    };
    let columns: &[&str] = if has_ood { &["method", "ID>", "OOD average>"] } else { &["method", "difference>"] };
    for (against, title) in [(ZERO_SHOT, "Against zero-shot"), (results.full_fine_tuning, "Against full fine-tuning")] {
        let rows: Vec<Vec<String>> = results.differences.iter().filter(|one| one.against == against).map(row).collect();
        if !rows.is_empty() {
            page.section(title);
            page.table(columns, &rows, &[]);
        }
    }
    page.caption(
        "Differences in percentage points on the same images, means over the seeds, with 95 % intervals by the bootstrap over images. \
         The intervals do not contain the spread of training runs, which the table shows.",
    );
}

/// The combinations of the grid.
fn tried(page: &mut Page, results: &Results) {
    if results.tried.iter().all(|one| one.settings.is_empty()) {
        return;
    }
    page.section("Settings tried");
    let text = |value: Option<f64>| value.map_or_else(String::new, percent);
    let rows: Vec<Vec<String>> = results
        .tried
        .iter()
        .map(|one| {
            let error = one.error.clone().unwrap_or_default();
            vec![one.method.to_owned(), one.settings.join(", "), one.seed.to_string(), text(one.validation), error]
        })
        .collect();
    page.table(&["method", "settings", "seed>", "validation>", "note"], &rows, &[]);
    page.caption("Each method keeps the settings with the best mean over the seeds on the validation data, which no test set enters.");
}
