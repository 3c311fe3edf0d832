//! The table and the plot of CamVid.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use radapter_report::{Chart, Mark, Scale, Series};

use super::measure::Quality;
use super::row::{Measured, Row};
use super::{CLAIMED, CLASSES};
use crate::page;
use crate::repro::row::Spread;

/// Writes all rows, the table into `docs/results/camvid.md` between its marks, and the plot.
pub(super) fn write(rows: &[Row], proposals: Quality, epochs: u64, out: &Path, docs: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    page::save(&out.join("results.json"), &serde_json::to_string_pretty(rows)?)?;
    let table = table(rows)?;
    print!("{table}");
    let chance = 100.0 / CLASSES.len() as f64;
    let Quality { recall, seconds_per_image } = proposals;
    let mut text = String::new();
    writeln!(text, "![CamVid: seen against unseen segments over alpha](camvid.svg)\n\n{table}")?;
    writeln!(
        text,
        "Fractions in %, mean ± sample standard deviation over the seeds; epochs: {epochs}. Chance top-1 on segments: {chance:.1} %. \
         Built-in masks: {:.0} per image, mean best IoU {:.3} over segments of at least 64 pixels, recall {:.1} % at IoU 0.5 and \
         {:.1} % at 0.75, {seconds_per_image:.2} s per image on one core (shared machine).",
        recall.masks_per_image,
        recall.best_iou,
        100.0 * recall.recall_50,
        100.0 * recall.recall_75,
    )?;
    page::replace(&docs.join("results/camvid.md"), "repro camvid", &text)?;
    page::save(&docs.join("results/camvid.svg"), &plot(rows)?)
}

/// Rows of one method, α and kind of masks, over the seeds, in the order of their first appearance.
fn groups(rows: &[Row]) -> Vec<Vec<&Row>> {
    let mut groups: Vec<Vec<&Row>> = Vec::new();
    for row in rows {
        let key = |row: &Row| (row.masks.clone(), row.method.clone(), row.alpha);
        match groups.iter_mut().find(|group| key(group[0]) == key(row)) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups
}

fn over(group: &[&Row], value: impl Fn(&Measured) -> f64) -> Spread {
    Spread::of(group.iter().map(|row| value(&row.measured)))
}

fn table(rows: &[Row]) -> anyhow::Result<String> {
    let mut text = String::new();
    writeln!(
        text,
        "| masks | method | α | lr | τ | mIoU | seen | unseen | pixel accuracy | segment top-1 seen | unseen | under no mask |"
    )?;
    writeln!(text, "|---|---|{}", "---:|".repeat(10))?;
    let mut groups = groups(rows);
    // Ground truth first; the order is otherwise that of the rows.
    groups.sort_by_key(|group| group[0].masks != "GroundTruth");
    for group in &groups {
        let first = group[0];
        let show =
            |spread: Spread| if group.len() > 1 { spread.to_string() } else { format!("{:.1}", 100.0 * spread.mean) };
        let optional = |value: &dyn Fn(&Measured) -> Option<f64>| match value(&first.measured) {
            Some(_) => show(over(group, |measured| value(measured).unwrap_or(f64::NAN))),
            None => String::new(),
        };
        let bold = if first.alpha == Some(CLAIMED) { "**" } else { "" };
        writeln!(
            text,
            "| {} | {bold}{}{bold} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            if first.masks == "GroundTruth" { "ground truth" } else { "built-in" },
            first.method,
            first.alpha.map(|alpha| format!("{alpha:.1}")).unwrap_or_default(),
            first.lr.map(|lr| format!("{lr:.1e}")).unwrap_or_default(),
            first.temperature.clone().unwrap_or_default(),
            show(over(group, |measured| measured.miou)),
            show(over(group, |measured| measured.seen)),
            show(over(group, |measured| measured.unseen)),
            show(over(group, |measured| measured.pixel_accuracy)),
            optional(&|measured| measured.top1_seen),
            optional(&|measured| measured.top1_unseen),
            show(over(group, |measured| measured.uncovered)),
        )?;
    }
    Ok(text)
}

/// Accuracy on seen classes against accuracy on unseen ones, over α.
fn plot(rows: &[Row]) -> anyhow::Result<String> {
    let groups: Vec<Vec<&Row>> = groups(rows).into_iter().filter(|group| group[0].masks == "GroundTruth").collect();
    let mut series = Vec::new();
    for (colour, name) in ["zero-shot", "full fine-tuning", "R-Adapter"].into_iter().enumerate() {
        let own: Vec<&Vec<&Row>> = groups.iter().filter(|group| group[0].method == name).collect();
        let mean = |group: &[&Row], value: fn(&Measured) -> Option<f64>| {
            over(group, |measured| value(measured).unwrap_or(f64::NAN)).mean
        };
        let points = own
            .iter()
            .map(|group| (mean(group, |measured| measured.top1_seen), mean(group, |measured| measured.top1_unseen)))
            .collect();
        let mark = if own.len() > 1 { Mark::Dots } else { Mark::Points };
        let mut one = Series::new(name, colour, mark, points);
        for (index, group) in own.iter().enumerate() {
            if let Some(alpha) = group[0].alpha.filter(|alpha| [0.0, CLAIMED, 1.0].contains(alpha)) {
                one.labels.push((index, format!("\u{3b1} = {alpha}")));
            }
        }
        series.push(one);
    }
    let chart = Chart {
        title: "Classes that were trained on, and those that were not".to_owned(),
        x: ("segment top-1, seen classes".to_owned(), Scale::Percent),
        y: ("segment top-1, unseen classes".to_owned(), Scale::Percent),
        series,
    };
    Ok(chart.svg())
}
