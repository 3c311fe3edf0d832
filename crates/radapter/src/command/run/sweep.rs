//! `sweep`: a run measured over a range of α.

use anyhow::Context;
use radapter_adapter::Alpha;
use radapter_classification::finetuned::ClassificationRun;
use radapter_classification::suite::{NamedEvaluation, SuiteResult};
use serde::Serialize;

use crate::command::args::SweepArgs;
use crate::command::report::{Chart, Frontier, FrontierPoint, Mark, Page, Scale, Series};
use crate::command::suite::{Source, measure_suite};
use crate::command::table::{Table, percent};
use crate::command::{Session, model, output};

/// A line of `sweep.json`.
#[derive(Clone, Debug, Serialize)]
struct Point {
    alpha: f64,
    #[serde(flatten)]
    result: SuiteResult,
}

impl Point {
    fn sets(&self) -> impl Iterator<Item = &NamedEvaluation> {
        std::iter::once(&self.result.id).chain(&self.result.ood)
    }
}

pub(super) fn run(args: &SweepArgs, session: &Session) -> anyhow::Result<()> {
    let grid = args.alpha.get()?;
    let source = Source::new(&args.suite, args.root.as_deref())?;
    let run = ClassificationRun::open(&args.run)?;
    let suite = source.open(run.classes())?;
    output::check_empty_dir(&args.out)?;
    output::make_dir(&args.out)?;
    output::check_writable(&args.out.join("sweep.json"))?;
    let base = model::base_of(run.run())?;
    let device = session.device()?;
    let options = session.embed_options(&args.decode, args.batch);

    let mut points = Vec::with_capacity(grid.len());
    for (index, alpha) in grid.iter().copied().enumerate() {
        let model = run.model(&base, Some(alpha), &device)?;
        let what = format!("alpha {alpha} ({} of {})", index + 1, grid.len());
        let outcome = measure_suite(&what, &model.clip, &model.head, &suite, &options, session)?;
        let result = outcome.result.without_confusion();
        tracing::info!("alpha {alpha}: {} ID, {} OOD", percent(result.id.evaluation.top1), percent(result.ood_average));
        points.push(Point { alpha: alpha.get(), result });
    }
    let default = run.run().default_alpha()?;
    write(args, &points, default)?;
    output::print(&table(&points, default).to_string())
}

fn write(args: &SweepArgs, points: &[Point], default: Alpha) -> anyhow::Result<()> {
    let accuracy = accuracy_chart(points).svg()?;
    output::write_dir(&args.out, |dir| {
        output::write_file(&dir.join("sweep.json"), &serde_json::to_vec_pretty(points)?)?;
        output::write_file(&dir.join("sweep.csv"), &csv(points).context("cannot make the CSV")?)?;
        output::write_file(&dir.join("sweep.svg"), accuracy.as_bytes())?;
        output::write_file(&dir.join("report.html"), report(args, points, default, &accuracy)?.as_bytes())
    })?;
    tracing::info!("sweep.json, sweep.csv, sweep.svg, report.html → {}", args.out.display());
    Ok(())
}

/// Names of the columns behind α: the sets, then the average.
fn columns(points: &[Point]) -> Vec<String> {
    let mut columns: Vec<String> = points.iter().take(1).flat_map(Point::sets).map(|set| set.name.clone()).collect();
    columns.push("OOD average".to_owned());
    columns
}

/// Top-1 of the sets, then the average.
fn values(point: &Point) -> impl Iterator<Item = f64> {
    let sets = point.sets().map(|set| set.evaluation.top1);
    sets.chain(std::iter::once(point.result.ood_average))
}

fn csv(points: &[Point]) -> anyhow::Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(std::iter::once("alpha".to_owned()).chain(columns(points)))?;
    for point in points {
        let values = values(point).map(|value| value.to_string());
        table.write_record(std::iter::once(point.alpha.to_string()).chain(values))?;
    }
    Ok(table.into_inner().map_err(|error| error.into_error())?)
}

fn table(points: &[Point], default: Alpha) -> Table {
    let columns: Vec<String> = columns(points).into_iter().map(|name| format!("{name}>")).collect();
    let mut names = vec!["alpha"];
    names.extend(columns.iter().map(String::as_str));
    names.push("");
    let mut table = Table::new(&names);
    for point in points {
        let mark = if is(point, default) { "the run's alpha" } else { "" };
        let cells = values(point).map(percent);
        table.row(std::iter::once(point.alpha.to_string()).chain(cells).chain([mark.to_owned()]));
    }
    table
}

fn is(point: &Point, alpha: Alpha) -> bool {
    (point.alpha - alpha.get()).abs() < 1e-9
}

/// Each set's accuracy over α.
fn accuracy_chart(points: &[Point]) -> Chart {
    let names = columns(points);
    let last = names.len() - 1;
    let series = names.into_iter().enumerate().map(|(index, name)| {
        let at = |point: &Point| Some((point.alpha, values(point).nth(index)?));
        let (name, mark) = match index {
            0 => (format!("{name} (ID)"), Mark::Dots),
            _ if index == last => (name, Mark::Dots),
            _ => (name, Mark::Line),
        };
        Series::new(name, index, mark, points.iter().filter_map(at).collect())
    });
    Chart {
        title: "Top-1 accuracy over alpha".to_owned(),
        x: ("alpha (0: the base model, 1: the adapters in full)".to_owned(), Scale::Plain),
        y: (String::new(), Scale::Percent),
        series: series.collect(),
    }
}

fn report(args: &SweepArgs, points: &[Point], default: Alpha, accuracy: &str) -> anyhow::Result<String> {
    let run = args.run.display();
    let mut page = Page::new(
        "Sweep over alpha",
        &format!("The run {run}, merged at {} values of alpha and measured on {}.", points.len(), args.suite),
    );
    if let Some(own) = points.iter().find(|point| is(point, default)) {
        page.facts(&[
            ("the run's alpha", default.to_string()),
            ("in distribution", percent(own.result.id.evaluation.top1)),
            ("out of distribution", percent(own.result.ood_average)),
        ]);
    }
    page.section("Accuracy over alpha");
    page.charts(&[accuracy.to_owned()]);
    page.section("In distribution against out of distribution");
    let places: Vec<FrontierPoint> = points
        .iter()
        .map(|point| FrontierPoint {
            alpha: Some(point.alpha),
            id: point.result.id.evaluation.top1,
            ood: point.result.ood_average,
        })
        .collect();
    let id = points.first().map_or("", |point| point.result.id.name.as_str());
    let frontier =
        Frontier::new().method("this run", &places, Some(default.get())).chart("Up and to the right is better", id);
    page.charts(&[frontier.svg()?]);
    page.section("Table");
    let mut names = vec!["alpha".to_owned()];
    names.extend(columns(points).into_iter().map(|name| format!("{name}>")));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let row = |point: &Point| std::iter::once(point.alpha.to_string()).chain(values(point).map(percent)).collect();
    let rows: Vec<Vec<String>> = points.iter().map(row).collect();
    let own: Vec<usize> = (0..points.len()).filter(|&index| is(&points[index], default)).collect();
    page.table(&names, &rows, &own);
    Ok(page.finish())
}
