//! The result of a sweep as numbers, a plot and a report.

use std::path::Path;

use anyhow::Context;
use radapter_adapter::Alpha;
use radapter_report::{Chart, Mark, Page, Scale, Series, Table, percent};
use serde::Serialize;
use serde_json::Value;

use crate::command::args::SweepArgs;
use crate::command::output;

/// Checks that the results can be written, before the work starts.
pub(super) fn check_out(args: &SweepArgs) -> anyhow::Result<()> {
    output::check_empty_dir(&args.out)?;
    output::make_dir(&args.out)?;
    output::check_writable(&args.out.join("sweep.json"))
}

/// A run evaluated at one α.
pub(super) struct Point {
    alpha: f64,
    /// A fraction for each column.
    values: Vec<f64>,
    /// What `eval --json` prints, preceded by `alpha`.
    object: Value,
}

impl Point {
    pub(super) fn new(alpha: Alpha, values: Vec<f64>, result: &impl Serialize) -> anyhow::Result<Self> {
        let alpha = alpha.get();
        let mut object = serde_json::Map::from_iter([("alpha".to_owned(), alpha.into())]);
        if let Value::Object(result) = serde_json::to_value(result)? {
            object.extend(result);
        }
        Ok(Self { alpha, values, object: Value::Object(object) })
    }
}

/// A run evaluated over α.
pub(super) struct Sweep {
    /// The chart's title.
    pub(super) what: &'static str,
    /// The name of the evaluated data.
    pub(super) on: String,
    pub(super) columns: Vec<String>,
    pub(super) points: Vec<Point>,
    /// The run's own α.
    pub(super) default: Alpha,
    /// Columns whose values at the run's α head the report, with their labels.
    pub(super) facts: Vec<(&'static str, usize)>,
    /// The columns' names in the chart, and whether they are emphasized.
    pub(super) series: Vec<(String, bool)>,
    /// Another section with a chart.
    pub(super) more: Option<(&'static str, String)>,
}

impl Sweep {
    /// Writes all files of the result into a new directory.
    pub(super) fn write(&self, args: &SweepArgs) -> anyhow::Result<()> {
        let chart = self.chart().svg()?;
        output::write_dir(&args.out, |dir| {
            output::write_file(&dir.join("sweep.json"), &serde_json::to_vec_pretty(&self.objects())?)?;
            output::write_file(&dir.join("sweep.csv"), &self.csv().context("cannot make the CSV")?)?;
            output::write_file(&dir.join("sweep.svg"), chart.as_bytes())?;
            output::write_file(&dir.join("report.html"), self.report(&args.run, &chart).as_bytes())
        })?;
        tracing::info!("sweep.json, sweep.csv, sweep.svg, report.html → {}", args.out.display());
        Ok(())
    }

    /// What `eval --json` prints at each α, with `alpha` before it.
    pub(super) fn objects(&self) -> Vec<&Value> {
        self.points.iter().map(|point| &point.object).collect()
    }

    fn csv(&self) -> anyhow::Result<Vec<u8>> {
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record(std::iter::once("alpha").chain(self.columns.iter().map(String::as_str)))?;
        for point in &self.points {
            let values = point.values.iter().map(ToString::to_string);
            table.write_record(std::iter::once(point.alpha.to_string()).chain(values))?;
        }
        Ok(table.into_inner().map_err(|error| error.into_error())?)
    }

    pub(super) fn table(&self) -> Table {
        let columns: Vec<String> = self.columns.iter().map(|name| format!("{name}>")).collect();
        let mut names = vec!["alpha"];
        names.extend(columns.iter().map(String::as_str));
        names.push("");
        let mut table = Table::new(&names);
        for point in &self.points {
            let mark = if self.is_default(point) { "the run's alpha" } else { "" };
            let cells = point.values.iter().copied().map(percent);
            table.row(std::iter::once(point.alpha.to_string()).chain(cells).chain([mark.to_owned()]));
        }
        table
    }

    fn is_default(&self, point: &Point) -> bool {
        (point.alpha - self.default.get()).abs() < 1e-9
    }

    /// Each column over α.
    fn chart(&self) -> Chart {
        let series = self.series.iter().enumerate().map(|(index, (name, stands_out))| {
            let at = |point: &Point| Some((point.alpha, *point.values.get(index)?));
            let mark = if *stands_out { Mark::Dots } else { Mark::Line };
            Series::new(name.clone(), index, mark, self.points.iter().filter_map(at).collect())
        });
        Chart {
            title: self.what.to_owned(),
            x: ("alpha (0: the base model, 1: the adapters in full)".to_owned(), Scale::Plain),
            y: (String::new(), Scale::Percent),
            series: series.collect(),
        }
    }

    fn report(&self, run: &Path, chart: &str) -> String {
        let (run, count) = (run.display(), self.points.len());
        let lead = format!("The run {run}, merged at {count} values of alpha and evaluated on {}.", self.on);
        let mut page = Page::new("Sweep over alpha", &lead);
        if let Some(own) = self.points.iter().find(|point| self.is_default(point)) {
            let mut facts = vec![("the run's alpha", self.default.to_string())];
            let fact = |&(name, column): &(&'static str, usize)| Some((name, percent(*own.values.get(column)?)));
            facts.extend(self.facts.iter().filter_map(fact));
            page.facts(&facts);
        }
        page.section(self.what);
        page.charts(&[chart.to_owned()]);
        if let Some((title, chart)) = &self.more {
            page.section(title);
            page.charts(std::slice::from_ref(chart));
        }
        page.section("Table");
        let mut names = vec!["alpha".to_owned()];
        names.extend(self.columns.iter().map(|name| format!("{name}>")));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let row = |point: &Point| {
            let cells = point.values.iter().copied().map(percent);
            std::iter::once(point.alpha.to_string()).chain(cells).collect()
        };
        let rows: Vec<Vec<String>> = self.points.iter().map(row).collect();
        let own: Vec<usize> = (0..count).filter(|&index| self.is_default(&self.points[index])).collect();
        page.table(&names, &rows, &own);
        page.finish()
    }
}
