//! The result of a sweep as numbers, a plot and a report.

use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::Context;
use radapter_adapter::{Alpha, Alphas};
use radapter_report::{
    Change, Chart, Interval, Mark, Page, Scale, Series, Table, Term, counted, percent, verdict, verdict_on,
};
use serde::Serialize;
use serde_json::Value;

use super::select::{self, Selected};
use crate::command::args::SweepArgs;
use crate::command::failure::Interrupted;
use crate::command::{interrupt, output};

/// Checks that the results can be written, before the work starts.
pub(super) fn check_out(args: &SweepArgs) -> anyhow::Result<()> {
    output::check_empty_dir(&args.out)?;
    output::make_dir(&args.out)?;
    output::check_writable(&args.out.join("sweep.json"))
}

/// What is measured: the values of the grid, and the run's own α if it is not one number, which no grid has.
pub(super) fn alphas(grid: &[Alpha], own: &Alphas) -> Vec<Alphas> {
    let own = Some(own.clone()).filter(|own| own.single().is_none());
    grid.iter().map(|&alpha| alpha.into()).chain(own).collect()
}

/// Measures each of [`alphas`] in turn, up to an interrupt, after which what is measured is written. `measure` gets the place in
/// the list and its length with each.
pub(super) fn over<T>(
    grid: &[Alpha],
    own: &Alphas,
    mut measure: impl FnMut((usize, usize), Alphas) -> anyhow::Result<T>,
) -> anyhow::Result<Vec<T>> {
    let interrupt = interrupt::watch()?;
    let all = alphas(grid, own);
    let count = all.len();
    let mut measured = Vec::with_capacity(count);
    for (index, alphas) in all.into_iter().enumerate() {
        if interrupt.load(Ordering::Relaxed) {
            break;
        }
        measured.push(measure((index, count), alphas)?);
    }
    match measured.is_empty() && count > 0 {
        true => Err(Interrupted::measurement(0, count).into()),
        false => Ok(measured),
    }
}

/// A run evaluated at one α.
pub(super) struct Point {
    alphas: Alphas,
    /// A fraction for each column.
    values: Vec<f64>,
    /// The sampling error of each value; empty if it is not known.
    intervals: Vec<Interval>,
    /// What `eval --json` prints, preceded by `alpha`.
    object: Value,
}

impl Point {
    pub(super) fn new(
        alphas: Alphas,
        values: Vec<f64>,
        intervals: Vec<Interval>,
        result: &impl Serialize,
    ) -> anyhow::Result<Self> {
        Ok(Self { values, intervals, object: object(&alphas, result)?, alphas })
    }

    /// α if it is the same everywhere.
    fn alpha(&self) -> Option<f64> {
        self.alphas.single().map(Alpha::get)
    }
}

/// What `eval --json` prints, preceded by `alpha`.
pub(super) fn object(alphas: &Alphas, result: &impl Serialize) -> anyhow::Result<Value> {
    let mut object = serde_json::Map::from_iter([("alpha".to_owned(), serde_json::to_value(alphas)?)]);
    if let Value::Object(result) = serde_json::to_value(result)? {
        object.extend(result);
    }
    Ok(Value::Object(object))
}

/// A run evaluated over α.
pub(super) struct Sweep {
    /// The chart's title.
    pub(super) what: &'static str,
    /// What is measured, for the axis.
    pub(super) measure: &'static str,
    /// The name of the evaluated data.
    pub(super) on: String,
    pub(super) columns: Vec<String>,
    pub(super) points: Vec<Point>,
    /// The run's own α.
    pub(super) default: Alphas,
    /// The columns of the main result, which is on the task's data if there is one on other data, and of that on other data.
    pub(super) main: (usize, Option<usize>),
    /// What the error bars are, or why there are none.
    pub(super) errors: &'static str,
    /// Columns whose values at the run's α head the report, with their labels.
    pub(super) facts: Vec<(&'static str, usize)>,
    /// The columns' names in the chart, and whether they are emphasized.
    pub(super) series: Vec<(String, bool)>,
    /// What the rules of `--select` chose.
    pub(super) selected: Vec<Selected>,
    /// Another section with a chart and its caption.
    pub(super) more: Option<(&'static str, Chart, &'static str)>,
}

impl Sweep {
    /// Writes all files of the result into a new directory.
    pub(super) fn write(&self, args: &SweepArgs) -> anyhow::Result<()> {
        let chart = self.chart();
        output::write_dir(&args.out, |dir| {
            output::write_file(&dir.join("sweep.json"), &serde_json::to_vec_pretty(&self.objects())?)?;
            output::write_file(&dir.join("sweep.csv"), &self.csv().context("cannot make the CSV")?)?;
            output::write_file(&dir.join("sweep.svg"), chart.svg().as_bytes())?;
            if !self.selected.is_empty() {
                let choices = serde_json::to_vec_pretty(&select::objects(&self.selected)?)?;
                output::write_file(&dir.join("choices.json"), &choices)?;
            }
            output::write_file(&dir.join("report.html"), self.report(&args.run, chart).as_bytes())
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
            table.write_record(std::iter::once(point.alphas.to_string()).chain(values))?;
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
            table.row(std::iter::once(point.alphas.to_string()).chain(cells).chain([mark.to_owned()]));
        }
        table
    }

    fn is_default(&self, point: &Point) -> bool {
        match (self.default.single(), point.alpha()) {
            (Some(own), Some(alpha)) => (alpha - own.get()).abs() < 1e-9,
            _ => self.default == point.alphas,
        }
    }

    /// Each column over α.
    fn chart(&self) -> Chart {
        let series = self.series.iter().enumerate().map(|(index, (name, stands_out))| {
            let at = |point: &Point| Some((point.alpha()?, *point.values.get(index)?));
            let points = self.points.iter().filter_map(at).collect();
            // Bars at every series would hide each other.
            if !stands_out {
                return Series::new(name.clone(), index, Mark::Line, points);
            }
            let bar = |point: &Point| point.intervals.get(index).map(|interval| (interval.low, interval.high));
            let bars = self.points.iter().filter(|point| point.alpha().is_some()).filter_map(bar);
            Series::new(name.clone(), index, Mark::Dots, points).with_bars(bars.collect())
        });
        Chart {
            title: self.what.to_owned(),
            x: ("alpha (0: the base model, 1: all of the tuning)".to_owned(), Scale::Plain),
            y: (self.measure.to_owned(), Scale::Percent),
            series: series.collect(),
        }
    }

    /// What tuning did at the run's α, against α = 0.
    fn verdict(&self) -> String {
        let own = self.points.iter().find(|point| self.is_default(point));
        let base = self.points.iter().find(|point| point.alpha() == Some(0.0));
        let (Some(base), Some(own)) = (base, own) else {
            return format!(
                "No comparison with the base model: it needs alpha 0 and the run's alpha {} among the measured values.",
                self.default
            );
        };
        let change = |column: usize| match (base.intervals.get(column), own.intervals.get(column)) {
            (Some(base), Some(own)) => Some(Change::between(*base, *own)),
            _ => Some(Change::new(*base.values.get(column)?, *own.values.get(column)?)),
        };
        let (main, ood) = self.main;
        let text = change(main).map(|main| match ood.and_then(change) {
            Some(ood) => verdict(main, ood),
            None => verdict_on(&self.on, main),
        });
        text.map_or_else(String::new, |text| format!("At the run's alpha, {}: {text}", self.default))
    }

    fn report(&self, run: &Path, chart: Chart) -> String {
        let (run, count) = (run.display(), self.points.len());
        let values = counted(count, "value", "values");
        let lead = format!("The run {run}, merged at {values} of alpha and evaluated on {}.", self.on);
        let mut page = Page::new("Sweep over alpha", &lead);
        page.verdict(&self.verdict());
        page.terms(if self.main.1.is_some() { &[Term::Id, Term::Ood, Term::Alpha] } else { &[Term::Alpha] });
        if let Some(own) = self.points.iter().find(|point| self.is_default(point)) {
            let mut facts = vec![("the run's alpha", self.default.to_string())];
            let fact = |&(name, column): &(&'static str, usize)| Some((name, percent(*own.values.get(column)?)));
            facts.extend(self.facts.iter().filter_map(fact));
            page.facts(&facts);
        }
        // A single value makes no curve.
        if self.points.iter().filter(|point| point.alpha().is_some()).count() > 1 {
            page.section(self.what);
            page.charts(&[chart]);
            page.caption(self.errors);
            if let Some((title, chart, caption)) = &self.more {
                page.section(title);
                page.charts(std::slice::from_ref(chart));
                page.caption(caption);
            }
        }
        select::show(&self.selected, &mut page);
        page.section("Table");
        let mut names = vec!["alpha".to_owned()];
        names.extend(self.columns.iter().map(|name| format!("{name}>")));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let row = |point: &Point| {
            let cell = |(index, value): (usize, &f64)| match point.intervals.get(index) {
                Some(interval) => format!("{} \u{b1} {:.1}", percent(*value), 100.0 * interval.margin()),
                None => percent(*value),
            };
            let cells = point.values.iter().enumerate().map(cell);
            std::iter::once(point.alphas.to_string()).chain(cells).collect()
        };
        let rows: Vec<Vec<String>> = self.points.iter().map(row).collect();
        let own: Vec<usize> = (0..count).filter(|&index| self.is_default(&self.points[index])).collect();
        page.table(&names, &rows, &own);
        if count == 1 {
            page.caption(self.errors.trim_start_matches("Bars: "));
        }
        page.finish()
    }
}
