//! The table of a comparison: one row for each method, the mean over its seeds.

use radapter_report::{Table, grouped, percent};

use super::contender::{self, ZERO_SHOT};
use super::results::{Estimate, Figures, Results, Row};

/// The means of a method over its seeds.
#[derive(Clone, Debug)]
pub(super) struct Mean {
    pub(super) method: &'static str,
    pub(super) title: &'static str,
    /// The rows that did not fail.
    pub(super) rows: Vec<Row>,
    /// What failed.
    pub(super) errors: Vec<String>,
}

impl Mean {
    /// The mean, the lowest and the highest of a value; `None` if a row has none.
    pub(super) fn over(&self, value: impl Fn(&Row) -> Option<f64>) -> Option<Estimate> {
        let values = self.rows.iter().map(value).collect::<Option<Vec<f64>>>().filter(|values| !values.is_empty())?;
        let (low, high) =
            values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)));
        Some(Estimate { value: values.iter().sum::<f64>() / values.len() as f64, low, high })
    }

    /// [`over`](Self::over) the figures.
    pub(super) fn figure(&self, value: impl Fn(&Figures) -> Option<f64>) -> Option<Estimate> {
        self.over(|row| value(row.figures.as_ref()?))
    }

    /// The curve over alpha, with the bounds over the seeds of the out-of-distribution average.
    pub(super) fn curve(&self, value: impl Fn(&Figures) -> Option<f64>) -> Vec<(f64, Estimate)> {
        let alphas: Vec<f64> =
            self.rows.first().map(|row| row.curve.iter().map(|point| point.alpha).collect()).unwrap_or_default();
        let at = |(index, alpha): (usize, f64)| Some((alpha, self.over(|row| value(&row.curve.get(index)?.figures))?));
        alphas.into_iter().enumerate().filter_map(at).collect()
    }

    /// The alphas of the seeds, one after the other if they differ.
    fn alpha(&self) -> String {
        let mut alphas: Vec<&str> = self.rows.iter().filter_map(|row| row.alpha.as_deref()).collect();
        alphas.dedup();
        alphas.join("; ")
    }
}

/// The means in the order of the rows.
pub(super) fn means(results: &Results) -> Vec<Mean> {
    let mean = |method: &'static str| {
        let title =
            if method == ZERO_SHOT { ZERO_SHOT } else { contender::find(method).map_or(method, |found| found.title) };
        let rows = results.of(method).filter(|row| row.error.is_none()).cloned().collect();
        let error = |row: &Row| {
            let seed = row.seed.map_or_else(String::new, |seed| format!("seed {seed}: "));
            row.error.as_ref().map(|error| format!("{seed}{error}"))
        };
        Mean { method, title, rows, errors: results.of(method).filter_map(error).collect() }
    };
    results.methods().into_iter().map(mean).collect()
}

/// A value for readers and as a plain number.
struct Cell {
    text: String,
    number: String,
}

/// The value of a row in a column, if it has one.
type Value = dyn Fn(&Mean) -> Option<Cell>;

/// A column of the table.
struct Column {
    /// With `>` for a number.
    name: String,
    value: Box<Value>,
}

fn column(name: impl Into<String>, value: impl Fn(&Mean) -> Option<Cell> + 'static) -> Column {
    Column { name: name.into(), value: Box::new(value) }
}

/// A fraction, with half of the range over the seeds.
fn fraction(name: impl Into<String>, value: impl Fn(&Figures) -> Option<f64> + 'static) -> Column {
    column(name, move |mean| {
        let Estimate { value, low, high } = mean.figure(&value)?;
        let spread = if mean.rows.len() > 1 { format!(" \u{b1} {:.1}", 50.0 * (high - low)) } else { String::new() };
        Some(Cell { text: format!("{}{spread}", percent(value)), number: value.to_string() })
    })
}

fn columns(results: &Results, means: &[Mean]) -> Vec<Column> {
    let plain = |text: String| Some(Cell { number: text.clone(), text });
    let id = if results.has_ood() { format!("{} (ID)>", results.id) } else { format!("{}>", results.measure) };
    let mut columns = vec![
        column("method", move |mean| plain(mean.method.to_owned())),
        column("alpha>", move |mean| plain(mean.alpha())),
        fraction(id, |figures| Some(figures.id)),
    ];
    let first = means.iter().flat_map(|mean| &mean.rows).find_map(|row| row.figures.as_ref());
    for (index, set) in first.iter().flat_map(|figures| figures.ood.iter().enumerate()) {
        columns.push(fraction(format!("{}>", set.name), move |figures| Some(figures.ood.get(index)?.value)));
    }
    if first.is_some_and(|figures| figures.ood_average.is_some()) {
        columns.push(fraction("OOD average>", |figures| figures.ood_average));
    }
    if let Some(second) = first.and_then(|figures| figures.second_average.as_ref()) {
        let name = format!("OOD {}>", second.name);
        columns.push(fraction(name, |figures| figures.second_average.as_ref().map(|second| second.value)));
    }
    if first.is_some_and(|figures| figures.id_ece.is_some()) {
        columns.push(fraction("ECE (ID)>", |figures| figures.id_ece));
    }
    if first.is_some_and(|figures| figures.ood_ece.is_some()) {
        columns.push(fraction("ECE (OOD)>", |figures| figures.ood_ece));
    }
    let whole = |value: f64| Some(Cell { text: grouped(value as u64), number: (value as u64).to_string() });
    columns.push(column("trained parameters>", move |mean| {
        whole(mean.over(|row| Some(row.cost.tuned_parameters as f64))?.value)
    }));
    columns.push(column("seconds>", |mean| {
        let seconds = mean.over(|row| Some(row.cost.seconds))?.value;
        Some(Cell { text: format!("{seconds:.1}"), number: format!("{seconds:.3}") })
    }));
    if means.iter().flat_map(|mean| &mean.rows).any(|row| row.cost.peak_memory_bytes.is_some()) {
        columns.push(column("peak memory, MB>", |mean| {
            let bytes = mean.over(|row| row.cost.peak_memory_bytes.map(|bytes| bytes as f64))?.high;
            Some(Cell { text: format!("{:.0}", bytes / 1e6), number: format!("{:.1}", bytes / 1e6) })
        }));
    }
    columns.push(column("bytes to store>", move |mean| whole(mean.over(|row| Some(row.cost.bytes as f64))?.value)));
    columns.push(column("note", move |mean| plain(note(mean))));
    columns
}

/// Chosen settings and failures.
fn note(mean: &Mean) -> String {
    let settings = mean.rows.first().map(|row| row.settings.join(", ")).filter(|text| !text.is_empty());
    let errors = mean.errors.iter().map(|error| format!("failed: {error}"));
    settings.into_iter().chain(errors).collect::<Vec<_>>().join("; ")
}

/// The names of the columns, and the cells of each row: for readers, or as plain numbers.
pub(super) fn cells(results: &Results, for_readers: bool) -> (Vec<String>, Vec<Vec<String>>) {
    let means = means(results);
    let columns = columns(results, &means);
    let cell = |mean: &Mean, column: &Column| {
        (column.value)(mean).map_or_else(String::new, |cell| if for_readers { cell.text } else { cell.number })
    };
    let rows = means.iter().map(|mean| columns.iter().map(|column| cell(mean, column)).collect()).collect();
    (columns.into_iter().map(|column| column.name).collect(), rows)
}

/// The table as text.
pub(super) fn text(results: &Results) -> String {
    let (names, rows) = cells(results, true);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut table = Table::new(&names);
    rows.into_iter().for_each(|row| table.row(row));
    format!("{table}\n\n{}", explained(results))
}

/// The table in Markdown.
pub(super) fn markdown(results: &Results) -> String {
    let (names, rows) = cells(results, true);
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | ").replace('\n', " "));
    let escaped = |cells: &[String]| cells.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>();
    let head: Vec<String> = names.iter().map(|name| name.trim_end_matches('>').to_owned()).collect();
    let rule = names.iter().map(|name| if name.ends_with('>') { "--:" } else { "---" }.to_owned()).collect();
    let body: String = rows.iter().map(|row| line(escaped(row))).collect();
    format!("{}{}{body}\n{}\n", line(escaped(&head)), line(rule), explained(results))
}

/// The table as CSV, with fractions and whole numbers of bytes.
pub(super) fn csv(results: &Results) -> anyhow::Result<Vec<u8>> {
    let (names, rows) = cells(results, false);
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(names.iter().map(|name| name.trim_end_matches('>')))?;
    for row in rows {
        table.write_record(row)?;
    }
    Ok(table.into_inner().map_err(|error| error.into_error())?)
}

/// What the figures are.
pub(super) fn explained(results: &Results) -> String {
    let seeds = match results.seeds.len() {
        1 => "one seed".to_owned(),
        count => format!("means of {count} seeds \u{b1} half of their range; soups and Model Stock are one model"),
    };
    format!(
        "Figures: {}, {seeds}. Seconds, memory and parameters are those of training; a mix of seeds has the seconds of all its runs.",
        results.measure
    )
}
