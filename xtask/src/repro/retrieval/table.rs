//! The table and the plot of retrieval.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use radapter_report::{Chart, Mark, Scale, Series};

use super::row::Row;
use crate::page;
use crate::repro::row::Spread;

/// The α of the claim, fixed beforehand.
const CLAIMED: f64 = 0.8;

/// Writes all rows, the table into `docs/results/<set>.md` between its marks, and the plot.
pub(crate) fn write(rows: &[Row], name: &str, epochs: u64, out: &Path, docs: &Path) -> anyhow::Result<()> {
    save(rows, out)?;
    let mut text = String::new();
    writeln!(text, "![{name}: mean recall against zero-shot accuracy on PACS]({name}.svg)\n\n{}", table(rows)?)?;
    writeln!(text, "Fractions in %, mean ± sample standard deviation over the seeds; epochs: {epochs}.")?;
    page::replace(&docs.join(format!("results/{name}.md")), &format!("repro {name}"), &text)?;
    page::save(&docs.join(format!("results/{name}.svg")), &plot(rows)?)
}

/// Writes all rows and prints the table.
pub(crate) fn save(rows: &[Row], out: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    page::save(&out.join("results.json"), &serde_json::to_string_pretty(rows)?)?;
    print!("{}", table(rows)?);
    Ok(())
}

/// Rows of one set, method and α, over the seeds, in the order of their first appearance.
fn groups(rows: &[Row]) -> Vec<Vec<&Row>> {
    let mut groups: Vec<Vec<&Row>> = Vec::new();
    for row in rows {
        let same = |group: &&mut Vec<&Row>| {
            (&group[0].set, &group[0].method, group[0].alpha) == (&row.set, &row.method, row.alpha)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups
}

fn table(rows: &[Row]) -> anyhow::Result<String> {
    let mut text = String::new();
    let sets: Vec<&String> = rows.first().map(|row| row.forgetting.keys().collect()).unwrap_or_default();
    let forgetting: String = sets.iter().map(|set| format!(" PACS {set} |")).collect();
    writeln!(
        text,
        "| set | method | α | lr | τ | held out | i→t R@1 | R@5 | R@10 | t→i R@1 | R@5 | R@10 | mean recall |{forgetting} \
         tuned parameters | seconds |"
    )?;
    writeln!(text, "|---|---|{}{}---:|---:|", "---:|".repeat(11), "---:|".repeat(sets.len()))?;
    for group in groups(rows) {
        let first = group[0];
        let over = |value: &dyn Fn(&Row) -> f64| {
            let spread = Spread::of(group.iter().map(|row| value(row)));
            if group.len() > 1 { spread.to_string() } else { format!("{:.1}", 100.0 * spread.mean) }
        };
        let bold = if first.alpha == Some(CLAIMED) { "**" } else { "" };
        let optional = |text: Option<String>| text.unwrap_or_default();
        write!(
            text,
            "| {} | {bold}{}{bold} | {} | {} | {} | {} |",
            first.set,
            first.method,
            optional(first.alpha.map(|alpha| format!("{alpha:.1}"))),
            optional(first.lr.map(|lr| format!("{lr:.0e}"))),
            optional(first.temperature.map(|tau| format!("{tau:.4}"))),
            optional(first.validation.map(|_| over(&|row| row.validation.unwrap_or(f64::NAN)))),
        )?;
        let recalls: [&dyn Fn(&Row) -> f64; 7] = [
            &|row| row.recall.image_to_text.r1,
            &|row| row.recall.image_to_text.r5,
            &|row| row.recall.image_to_text.r10,
            &|row| row.recall.text_to_image.r1,
            &|row| row.recall.text_to_image.r5,
            &|row| row.recall.text_to_image.r10,
            &|row| row.recall.mean_recall,
        ];
        for recall in recalls {
            write!(text, " {} |", over(recall))?;
        }
        for set in &sets {
            write!(text, " {} |", over(&|row| row.forgetting.get(*set).copied().unwrap_or(f64::NAN)))?;
        }
        let seconds = Spread::of(group.iter().map(|row| row.seconds)).mean;
        writeln!(text, " {} | {seconds:.0} |", first.tuned_parameters)?;
    }
    Ok(text)
}

/// Mean recall against zero-shot accuracy on PACS, over α.
fn plot(rows: &[Row]) -> anyhow::Result<String> {
    let mut series: Vec<Series> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !names.contains(&row.method.as_str()) {
            names.push(&row.method);
        }
    }
    for (colour, name) in names.into_iter().enumerate() {
        let groups: Vec<Vec<&Row>> = groups(rows).into_iter().filter(|group| group[0].method == name).collect();
        let mean = |group: &[&Row], value: &dyn Fn(&Row) -> f64| Spread::of(group.iter().map(|row| value(row))).mean;
        let points = groups
            .iter()
            .map(|group| {
                let kept = mean(group, &|row| row.forgetting.get("mean").copied().unwrap_or(f64::NAN));
                (mean(group, &|row| row.recall.mean_recall), kept)
            })
            .collect();
        let mark = if groups.len() > 1 { Mark::Dots } else { Mark::Points };
        let mut one = Series::new(name, colour, mark, points);
        for (index, group) in groups.iter().enumerate() {
            if let Some(alpha) = group[0].alpha.filter(|alpha| [0.0, CLAIMED, 1.0].contains(alpha)) {
                one.labels.push((index, format!("\u{3b1} = {alpha}")));
            }
        }
        series.push(one);
    }
    let chart = Chart {
        title: "What is learned, and what is kept".to_owned(),
        x: ("mean recall on Flickr8k".to_owned(), Scale::Percent),
        y: ("zero-shot top-1 on PACS, mean of its domains".to_owned(), Scale::Percent),
        series,
    };
    Ok(chart.svg())
}
