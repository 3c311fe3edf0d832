//! The report of a comparison.

use radapter_report::{Frontier, FrontierPoint, Page, Term, counted, percent, points};

use super::contender::ZERO_SHOT;
use super::results::{Difference, Estimate, Results};
use super::table::{Mean, cells, explained, means};

/// The page, complete in itself.
pub(super) fn page(results: &Results) -> String {
    let means = means(results);
    let seeds = counted(results.seeds.len(), "seed", "seeds");
    let lead = format!(
        "{} of {}, fine-tuned by several methods on the same data ({seeds}) and measured on the same test data.",
        results.measure, results.model
    );
    let mut page = Page::new("Comparison of methods", &lead);
    page.verdict(&verdict(&means));
    page.terms(&[Term::Id, Term::Ood, Term::Alpha]);
    page.facts(&facts(results, &means));
    frontier(&mut page, results, &means);
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
fn verdict(means: &[Mean]) -> String {
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
    let text = format!("{}{}{failed}", said("in distribution", id), said("OOD average", ood));
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

fn frontier(page: &mut Page, results: &Results, means: &[Mean]) {
    let has_ood = means.iter().any(|mean| mean.figure(|figures| figures.ood_average).is_some());
    if !has_ood {
        return;
    }
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
    page.caption(match results.seeds.len() {
        1 => "One seed, so that the spread is not known.",
        _ => "Means over the seeds; bars reach from the lowest to the highest seed of the OOD average.",
    });
}

/// Differences to zero-shot and to full fine-tuning.
fn differences(page: &mut Page, results: &Results) {
    if results.differences.is_empty() {
        return;
    }
    page.section("Paired differences");
    let cell = |estimate: &Estimate| {
        let Estimate { value, low, high } = *estimate;
        format!("{} [{:+.1}, {:+.1}]", points(value), 100.0 * low, 100.0 * high).replace('-', "\u{2212}")
    };
    let row = |difference: &Difference| {
        let Difference { method, against, id, ood_average } = difference;
        vec![(*method).to_owned(), (*against).to_owned(), cell(id), ood_average.as_ref().map_or_else(String::new, cell)]
    };
    let rows: Vec<Vec<String>> = results.differences.iter().map(row).collect();
    page.table(&["method", "against", "ID>", "OOD average>"], &rows, &[]);
    page.caption(&format!(
        "Differences on the same images, means over the seeds, with 95 % intervals by the bootstrap over images. The intervals do \
         not contain the spread of training runs, which the table shows. {ZERO_SHOT} is the base model."
    ));
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
