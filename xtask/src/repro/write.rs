//! The table and the plot of PACS.

use std::fmt::Write as _;
use std::path::Path;

use radapter_report::{Frontier, FrontierPoint};

use super::row::{Row, Spread};
use crate::page;

/// The α of the claim, fixed beforehand.
const CLAIMED: f64 = 0.5;

/// Writes all rows, the table into `docs/results/pacs.md` between its marks, and the plot.
pub(crate) fn write(rows: &[Row], epochs: u64, out: &Path, docs: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(out)?;
    std::fs::create_dir_all(docs)?;
    page::save(&out.join("results.json"), &serde_json::to_string_pretty(rows)?)?;
    let table = table(rows, epochs)?;
    print!("{table}");
    let picture = "![PACS: accuracy on photos against the other domains](pacs.svg)";
    page::replace(&docs.join("results/pacs.md"), "repro pacs", &format!("{picture}\n\n{table}"))?;
    page::save(&docs.join("results/pacs.svg"), &plot(rows)?)
}

/// Rows of one method and α, over the seeds, in the order of their first appearance.
fn groups(rows: &[Row]) -> Vec<Vec<&Row>> {
    let mut groups: Vec<Vec<&Row>> = Vec::new();
    for row in rows {
        let same = |group: &&mut Vec<&Row>| group[0].method == row.method && group[0].alpha == row.alpha;
        match groups.iter_mut().find(same) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups
}

fn table(rows: &[Row], epochs: u64) -> anyhow::Result<String> {
    let sets: Vec<&String> = rows.first().map(|row| row.ood.keys().collect()).unwrap_or_default();
    let mut text = String::new();
    let names: Vec<&str> = sets.iter().map(|set| set.as_str()).collect();
    writeln!(
        text,
        "| method | α | lr | ID validation | photo (ID) | {} | OOD average | tuned parameters | seconds |",
        names.join(" | ")
    )?;
    writeln!(text, "|---|---:|---:|---:|---:|{}---:|---:|---:|", "---:|".repeat(sets.len()))?;
    for group in groups(rows) {
        let first = group[0];
        let over = |value: &dyn Fn(&Row) -> f64| Spread::of(group.iter().map(|row| value(row)));
        let optional =
            |value: Option<f64>, digits: usize| value.map_or(String::new(), |value| format!("{value:.digits$}"));
        let validation = match first.validation {
            Some(_) => over(&|row| row.validation.unwrap_or(f64::NAN)).to_string(),
            None => String::new(),
        };
        let bold = if first.alpha == Some(CLAIMED) && first.method.starts_with("R-Adapter") { "**" } else { "" };
        write!(
            text,
            "| {bold}{}{bold} | {} | {} | {validation} | {} |",
            first.method,
            optional(first.alpha, 1),
            first.lr.map_or(String::new(), |lr| format!("{lr:.0e}")),
            over(&|row| row.id)
        )?;
        for set in &sets {
            write!(text, " {} |", over(&|row| row.ood.get(*set).copied().unwrap_or(f64::NAN)))?;
        }
        writeln!(
            text,
            " {} | {} | {:.0} |",
            over(&|row| row.ood_average),
            first.tuned_parameters,
            over(&|row| row.seconds).mean
        )?;
    }
    writeln!(text, "\nTop-1 accuracy in %, mean ± sample standard deviation over the seeds; {epochs} epochs.")?;
    Ok(text)
}

fn plot(rows: &[Row]) -> anyhow::Result<String> {
    let mut frontier = Frontier::new();
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !names.contains(&row.method.as_str()) {
            names.push(&row.method);
        }
    }
    for name in names {
        let points: Vec<FrontierPoint> = groups(rows)
            .into_iter()
            .filter(|group| group[0].method == name)
            .map(|group| FrontierPoint {
                alpha: group[0].alpha,
                id: Spread::of(group.iter().map(|row| row.id)).mean,
                ood: Spread::of(group.iter().map(|row| row.ood_average)).mean,
            })
            .collect();
        let marked = name.starts_with("R-Adapter").then_some(CLAIMED);
        frontier = frontier.method(name, &points, marked);
    }
    Ok(frontier.chart("PACS: tuned on photos", "photo").svg())
}
