//! The study's tables.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::judge::{best, by_held_out, leave_one_out, mean_point, regret};
use super::row::{Point, Row};
use super::{FIXED, RULES};

/// All tables, as Markdown.
pub(super) fn write(rows: &[Row]) -> anyhow::Result<String> {
    let main: Vec<&Row> = rows.iter().filter(|row| row.is_main).collect();
    let mut out = String::new();
    regrets(&mut out, &main)?;
    verdict(&mut out, &main)?;
    sets(&mut out, &main)?;
    joint(&mut out, rows)?;
    Ok(out)
}

/// The fixed α, then the rules in their order.
fn names() -> Vec<&'static str> {
    std::iter::once(FIXED).chain(RULES.iter().map(|rule| rule.name())).collect()
}

/// The values of a column in the order of their first appearance.
fn distinct<'a>(rows: &[&'a Row], of: impl Fn(&'a Row) -> &'a str) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    rows.iter().map(|row| of(row)).filter(|value| seen.insert(*value)).collect()
}

fn percent(value: f64) -> String {
    format!("{:.1}", 100.0 * value)
}

fn pair(point: Option<Point>) -> String {
    point.map_or("–".to_owned(), |Point { id, ood }| format!("{} / {}", percent(id), percent(ood)))
}

/// Mean regrets by rule and data.
fn regrets(out: &mut String, rows: &[&Row]) -> anyhow::Result<()> {
    let data = distinct(rows, |row| &row.data);
    writeln!(out, "Regret against the best α of each run, ID / OOD in points, over both methods:\n")?;
    writeln!(out, "| rule | {} | mean |\n|---|{}---:|", data.join(" | "), "---:|".repeat(data.len()))?;
    for rule in names() {
        write!(out, "| {rule} |")?;
        for data in &data {
            let of: Vec<&Row> = rows.iter().copied().filter(|row| row.data == **data).collect();
            write!(out, " {} |", pair(regret(&of, rule)))?;
        }
        writeln!(out, " {} |", pair(regret(rows, rule)))?;
    }
    Ok(())
}

/// The best rule by all data, and by all but one.
fn verdict(out: &mut String, rows: &[&Row]) -> anyhow::Result<()> {
    let name = |rule: Option<&str>| rule.map_or("none".to_owned(), |rule| format!("`{rule}`"));
    writeln!(
        out,
        "\nOf {}, the rules by held-out samples alone, the best by all data is {}.",
        by_held_out().collect::<Vec<_>>().join(", "),
        name(best(rows))
    )?;
    for (data, rule) in leave_one_out(rows) {
        let of: Vec<&Row> = rows.iter().copied().filter(|row| row.data == data).collect();
        let there = rule.and_then(|rule| regret(&of, rule));
        writeln!(out, "Without {data} it is {}, which has a regret of {} there.", name(rule), pair(there))?;
    }
    Ok(())
}

/// ID and OOD by set, method and rule.
fn sets(out: &mut String, rows: &[&Row]) -> anyhow::Result<()> {
    writeln!(out, "\nID / OOD in % by what is learned, means over the seeds; α by seed where one number is chosen:")?;
    for method in distinct(rows, |row| &row.method) {
        let of: Vec<&Row> = rows.iter().copied().filter(|row| row.method == method).collect();
        let sets = distinct(&of, |row| &row.set);
        writeln!(out, "\n| {method} | {} |\n|---|{}", sets.join(" | "), "---:|".repeat(sets.len()))?;
        let row = |out: &mut String, name: &str, value: &dyn Fn(&[&Row]) -> String| -> anyhow::Result<()> {
            write!(out, "| {name} |")?;
            for set in &sets {
                let of: Vec<&Row> = of.iter().copied().filter(|row| row.set == **set).collect();
                write!(out, " {} |", value(&of))?;
            }
            Ok(writeln!(out)?)
        };
        row(out, "base (α = 0)", &|rows| pair(mean_point(rows.iter().filter_map(|row| row.at(0.0)))))?;
        row(out, "tuned (α = 1)", &|rows| pair(mean_point(rows.iter().filter_map(|row| row.at(1.0)))))?;
        row(out, "best of each", &|rows| pair(mean_point(rows.iter().map(|row| row.oracle()))))?;
        for rule in names() {
            row(out, rule, &|rows| {
                let chosen: Vec<_> = rows.iter().filter_map(|row| row.rules.get(rule)).collect();
                let alphas: Vec<String> = chosen
                    .iter()
                    .filter_map(|chosen| chosen.alphas.single())
                    .map(|alpha| format!("{:.2}", alpha.get()).trim_end_matches('0').trim_end_matches('.').to_owned())
                    .collect();
                let found = pair(mean_point(chosen.iter().map(|chosen| chosen.found)));
                if alphas.is_empty() { found } else { format!("{found} ({})", alphas.join(", ")) }
            })?;
        }
    }
    Ok(())
}

/// Learning rate and α, one after the other and together.
fn joint(out: &mut String, rows: &[Row]) -> anyhow::Result<()> {
    let alike = |a: &Row, b: &Row| a.set == b.set && a.method == b.method && a.seed == b.seed;
    let several: Vec<&Row> =
        rows.iter().filter(|row| rows.iter().any(|other| alike(row, other) && other.lr != row.lr)).collect();
    for set in distinct(&several, |row| &row.set) {
        let of: Vec<&Row> = several.iter().copied().filter(|row| row.set == set).collect();
        let mut rates: Vec<f64> = of.iter().map(|row| row.lr).collect();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        let rates: Vec<String> = rates.iter().map(|rate| format!("{rate:.1e}")).collect();
        writeln!(
            out,
            "\nLearning rate of {} and α on {set}, ID / OOD in %, means over the seeds:\n",
            rates.join(", ")
        )?;
        writeln!(out, "| rule | learning rate by ID validation, then α | both by the rule |\n|---|---:|---:|")?;
        for rule in RULES.iter().map(|rule| rule.name()) {
            let mut seeds: Vec<u64> = of.iter().map(|row| row.seed).collect();
            seeds.sort_unstable();
            seeds.dedup();
            let best = |by: &dyn Fn(&Row) -> Option<f64>| {
                let chosen = seeds.iter().filter_map(|seed| {
                    let valued = of.iter().filter(|row| row.seed == *seed).filter_map(|row| Some((row, by(row)?)));
                    let (row, _) = valued.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
                    Some((row.lr, row.rules.get(rule)?))
                });
                let chosen: Vec<_> = chosen.collect();
                let rates: Vec<String> = chosen.iter().map(|(lr, _)| format!("{lr:.1e}")).collect();
                let found = mean_point(chosen.iter().map(|(_, chosen)| chosen.found));
                found.map_or("–".to_owned(), |found| format!("{} ({})", pair(Some(found)), rates.join(", ")))
            };
            // All runs of a seed hold out the same samples, so that the measures are comparable.
            let value = |row: &Row| row.rules.get(rule).and_then(|chosen| chosen.value);
            let apart = best(&|row| Some(row.validation));
            writeln!(out, "| {rule} | {apart} | {} |", best(&value))?;
        }
    }
    Ok(())
}
