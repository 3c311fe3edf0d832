//! An experiment's table, plot and rows.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use radapter_report::{Frontier, FrontierPoint};
use serde_json::json;

use super::Scale;
use super::experiments::{Experiment, Learned};
use super::pool::Row;
use crate::machine::machine;
use crate::page;
use crate::repro::row::Spread;

/// What is written about an experiment.
pub(super) struct Page {
    stem: String,
    pub(super) table: String,
    plot: String,
    rows: String,
}

/// Makes the page of an experiment, whose rows are given for each backbone.
pub(super) fn page(experiment: &Experiment, scale: Scale, parts: &[(String, Vec<Row>)]) -> anyhow::Result<Page> {
    let stem = match scale {
        Scale::Small => experiment.name.to_owned(),
        _ => format!("{}-{}", experiment.name, scale.name()),
    };
    let mut text = format!("# {}\n\n{}\n\n", experiment.title, experiment.about);
    let mut rows = String::new();
    for (model, of_model) in parts {
        if parts.len() > 1 {
            writeln!(text, "## {model}\n")?;
        }
        table(&mut text, of_model)?;
        for row in of_model {
            let line = json!({ "experiment": experiment.name, "scale": scale.name(), "model": model, "row": row });
            writeln!(rows, "{line}")?;
        }
    }
    writeln!(text, "![{}]({stem}.svg)\n", experiment.title)?;
    writeln!(
        text,
        "Figures in %, mean ± sample standard deviation over the seeds; the learning rate is the best of those tried by held-out samples \
         of the first seed. [Rows]({stem}.jsonl).\n\n    cargo xtask repro {} --scale {}\n\n{}",
        experiment.name,
        scale.name(),
        machine()
    )?;
    Ok(Page { stem, table: text, plot: plot(experiment, &parts[0].1), rows })
}

impl Page {
    /// Writes the page into `docs/results`.
    pub(super) fn save(&self, docs: &Path) -> anyhow::Result<()> {
        save(docs, &self.stem, &[("md", &self.table), ("svg", &self.plot), ("jsonl", &self.rows)])
    }
}

/// Writes the files of an experiment into `docs/results`, given by their endings.
pub(super) fn save(docs: &Path, stem: &str, files: &[(&str, &str)]) -> anyhow::Result<()> {
    let folder = docs.join("results");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    files.iter().try_for_each(|(ending, content)| page::save(&folder.join(format!("{stem}.{ending}")), content))
}

fn table(text: &mut String, rows: &[Row]) -> anyhow::Result<()> {
    let parts: Vec<&str> = rows
        .iter()
        .find_map(|row| row.measured.first())
        .map(|measured| measured.parts.iter().map(|(name, _)| name.as_str()).collect())
        .unwrap_or_default();
    let has_paper = rows.iter().any(|row| row.paper != [None, None]);
    let paper = if has_paper { " paper: ID / OOD |" } else { "" };
    writeln!(text, "| model | α | lr | held out | ID | OOD | {} | trained | seconds |{paper}", parts.join(" | "))?;
    let count = parts.len() + if has_paper { 8 } else { 7 };
    writeln!(text, "|---|---:|---:|{}", "---:|".repeat(count - 2))?;
    for row in rows {
        let over = |value: &dyn Fn(usize) -> f64| match row.measured.len() {
            0 => "–".to_owned(),
            1 => format!("{:.1}", 100.0 * value(0)),
            count => Spread::of((0..count).map(value)).to_string(),
        };
        let held_out = row.validation.map_or(String::new(), |value| format!("{:.1}", 100.0 * value));
        write!(text, "| {} | {} | {} | {held_out} |", row.name, row.alpha, row.lr.as_deref().unwrap_or(""))?;
        if let Some(error) = &row.error {
            writeln!(text, " {} |", error.replace('|', "/").replace('\n', " "))?;
            continue;
        }
        write!(text, " {} | {} |", over(&|seed| row.measured[seed].id), over(&|seed| row.measured[seed].ood))?;
        for part in 0..parts.len() {
            write!(
                text,
                " {} |",
                over(&|seed| row.measured[seed].parts.get(part).map_or(f64::NAN, |(_, value)| *value))
            )?;
        }
        write!(text, " {} | {:.0} |", row.tuned_parameters, row.seconds)?;
        if has_paper {
            let show = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.1}"));
            match row.paper {
                [None, None] => write!(text, " |")?,
                [id, ood] => write!(text, " {} / {} |", show(id), show(ood))?,
            }
        }
        writeln!(text)?;
    }
    writeln!(text)?;
    Ok(())
}

/// ID against OOD: a point for each row, or a curve over α.
fn plot(experiment: &Experiment, rows: &[Row]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !names.contains(&row.name.as_str()) {
            names.push(&row.name);
        }
    }
    let mut frontier = Frontier::new();
    for name in names {
        let mean =
            |row: &Row, of: fn(&crate::repro::sets::Measured) -> f64| Spread::of(row.measured.iter().map(of)).mean;
        let points: Vec<FrontierPoint> = rows
            .iter()
            .filter(|row| row.name == name && !row.measured.is_empty())
            .map(|row| FrontierPoint {
                alpha: (!experiment.curve.is_empty()).then_some(row.alpha),
                id: mean(row, |measured| measured.id),
                ood: mean(row, |measured| measured.ood),
            })
            .collect();
        frontier = frontier.method(name, &points, Some(0.5));
    }
    let id = rows.iter().find_map(|row| row.measured.first()?.parts.first()).map_or("", |(name, _)| name);
    let mut chart = frontier.chart(experiment.title, id);
    if let Some([x, y]) = axes(experiment.set) {
        (chart.x.0, chart.y.0) = (x.to_owned(), y.to_owned());
    }
    if experiment.curve.is_empty() {
        // There are more rows than colours: each point has its name beside it.
        for series in &mut chart.series {
            let name = std::mem::take(&mut series.name);
            series.colour = usize::from(name.starts_with("R-Adapter"));
            // `E1` of `E1 + dropout in adapters`, which the table explains.
            let number = name.split_once(" + ").map(|(first, _)| first).filter(|first| first.starts_with('E'));
            series.labels = vec![(0, number.unwrap_or(&name).to_owned())];
        }
    }
    chart.svg()
}

/// The names of the axes where both are not the same measure on different data.
fn axes(learned: Learned) -> Option<[&'static str; 2]> {
    match learned {
        Learned::Images => None,
        Learned::Captions => {
            Some(["mean recall of captions", "out of distribution: zero-shot accuracy, or mean recall"])
        }
        Learned::Regions => Some(["mIoU of learned classes", "mIoU of other classes"]),
    }
}
