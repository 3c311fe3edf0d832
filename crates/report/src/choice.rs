//! How a rule chose α, on a page.

use radapter_training::choice::{Choice, CurvePoint};

use crate::{Chart, Mark, Page, Scale, Series, percent};

/// Adds a section with the choice, and the curve that it was made on.
pub fn show_choice(page: &mut Page, choice: &Choice) {
    page.section("Choice of alpha");
    page.text(&format!("alpha = {} by the rule {}: {}.", choice.alphas, choice.rule, choice.measure));
    if !choice.validation.is_empty() {
        let values: Vec<String> =
            choice.validation.iter().map(|(name, value)| format!("{name} {}", percent(*value))).collect();
        page.text(&format!("On the validation data there: {} (in %).", values.join(", ")));
    }
    if !choice.curve.is_empty() {
        page.charts(&[curve(choice)]);
    }
    if choice.curve.iter().any(|point| point.error.is_some()) {
        page.caption("Bars: one standard error of the paired difference to the best point.");
    }
    for note in &choice.notes {
        page.text(note);
    }
}

/// The rule's measure over α, with the chosen one marked.
fn curve(choice: &Choice) -> Chart {
    let at = |point: &CurvePoint| (point.alpha.get(), point.value);
    let points: Vec<(f64, f64)> = choice.curve.iter().map(at).collect();
    let bar = |point: &CurvePoint| point.error.map(|error| (point.value - error, point.value + error));
    let bars = choice.curve.iter().filter_map(bar).collect();
    let mut series = vec![Series::new(choice.rule.clone(), 0, Mark::Dots, points).with_bars(bars)];
    if let Some(chosen) = choice.curve.iter().find(|point| Some(point.alpha) == choice.alphas.single()) {
        series.push(Series::new("chosen", 1, Mark::Points, vec![at(chosen)]));
    }
    Chart {
        title: choice.measure.clone(),
        x: ("alpha (0: the base model, 1: all of the tuning)".to_owned(), Scale::Plain),
        y: (String::new(), Scale::Plain),
        series,
    }
}
