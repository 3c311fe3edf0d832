//! What is known of a run.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use radapter::adapter::Alphas;
use serde::{Deserialize, Serialize};

/// A run: its quality at each α, and what each rule chose.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    /// Data that count as one, such as PACS's four domains.
    pub(super) data: String,
    /// What is learned.
    pub(super) set: String,
    pub(super) method: String,
    pub(super) lr: f64,
    /// Whether the learning rate is the documented one; others are there to choose it together with α.
    pub(super) is_main: bool,
    pub(super) seed: u64,
    /// The best value on held-out samples while training.
    pub(super) validation: f64,
    pub(super) curve: Vec<(f64, Point)>,
    pub(super) rules: BTreeMap<String, Chosen>,
}

/// Quality in and out of distribution, as fractions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Point {
    pub(super) id: f64,
    pub(super) ood: f64,
}

/// What a rule chose.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Chosen {
    pub(super) alphas: Alphas,
    /// The rule's own measure there, or the run's validation where the rule has none.
    pub(super) value: Option<f64>,
    pub(super) found: Point,
}

/// Reads rows, one JSON object a line.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Row>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let row = |(number, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| format!("{}, line {}: not a row", path.display(), number + 1))
    };
    text.lines().enumerate().map(row).collect()
}

/// Writes rows, one JSON object a line.
pub(super) fn write(path: &Path, rows: &[Row]) -> anyhow::Result<()> {
    let lines = rows.iter().map(|row| Ok(serde_json::to_string(row)? + "\n")).collect::<anyhow::Result<String>>()?;
    crate::page::save(path, &lines)
}

impl Row {
    /// The quality at an α of the grid.
    pub(super) fn at(&self, alpha: f64) -> Option<Point> {
        self.curve.iter().find(|(known, _)| *known == alpha).map(|(_, point)| *point)
    }

    /// What labels of both distributions would choose: the best of each over the grid.
    pub(super) fn oracle(&self) -> Point {
        let best = |of: fn(&Point) -> f64| self.curve.iter().map(|(_, point)| of(point)).fold(0.0, f64::max);
        Point { id: best(|point| point.id), ood: best(|point| point.ood) }
    }

    /// What a rule loses against the oracle.
    pub(super) fn regret(&self, rule: &str) -> Option<Point> {
        let (best, found) = (self.oracle(), self.rules.get(rule)?.found);
        Some(Point { id: best.id - found.id, ood: best.ood - found.ood })
    }
}
