//! The report of a training run: settings, curves, result.

use std::path::Path;

use radapter_training::{Line, Report, RunDir, RunRecord, StepTimes, TrainLine, ValidationLine, read_metrics};

use crate::{
    Chart, Interval, Mark, Page, ReportError, Scale, Series, Term, dotted, duration, grouped, percent, show_choice,
};

mod curve;
mod outcome;
mod suite;

use curve::{smoothed, thinned};
use outcome::outcome;
use suite::Suite;

/// Renders the run in a directory as an HTML page, from the metrics recorded so far; the run need not be finished. `unit` names the
/// task's samples in the plural, such as `pairs`.
///
/// # Errors
/// [`ReportError`] if the directory holds no run, or one of its files cannot be read.
pub fn training_report(run: &Path, unit: &str) -> Result<String, ReportError> {
    let dir = RunDir::open(run)?;
    let record = dir.record()?;
    let report = dir.report()?;
    let lines = if dir.metrics().is_file() { read_metrics(&dir.metrics())? } else { Vec::new() };
    let name = match run.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => run.display().to_string(),
    };
    page(run, &name, unit, &record, report.as_ref(), &lines, Suite::read(run)?.as_ref())
}

fn page(
    run: &Path,
    name: &str,
    unit: &str,
    record: &RunRecord,
    report: Option<&Report>,
    lines: &[Line],
    suite: Option<&Suite>,
) -> Result<String, ReportError> {
    let toml_error = |part| move |error| ReportError::Record { run: run.to_owned(), part, error };
    let mut train = Vec::new();
    let mut validations = Vec::new();
    for line in lines {
        match line {
            Line::Train(line) => train.push(line),
            Line::Validation(line) => validations.push(line),
        }
    }
    let settings = record.train()?;
    let total = settings.total_steps(record.samples);
    let done = train.last().map_or(0, |line| line.step);
    let what = &settings.method;
    let state = match report {
        Some(report) if report.stopped_early => format!("stopped early after {} steps", report.steps),
        Some(report) => format!("finished after {} steps", report.steps),
        None => format!("{done} of {total} steps so far"),
    };
    let lead = format!("{what} on {} {unit}, {state}.", grouped(record.samples as u64));
    let mut page = Page::new(&format!("Training run: {name}"), &lead);
    let choice = RunDir::open(run)?.choice()?;
    let alphas = choice.as_ref().map_or_else(|| settings.alpha.into(), |choice| choice.alphas.clone());
    let of_suite = suite.and_then(|suite| suite.verdict(&alphas));
    page.verdict(&outcome(
        &settings.best,
        settings.keep,
        report.is_some(),
        &validations,
        of_suite.as_deref(),
        choice.as_ref(),
    ));
    page.terms(if of_suite.is_some() { &[Term::Id, Term::Ood, Term::Alpha] } else { &[Term::Id, Term::Ood] });
    page.facts(&facts(report, unit, &train, &validations));

    page.section("Curves");
    page.charts(&curves(&train, unit));
    if !validations.is_empty() {
        page.section("Validation");
        validation(&mut page, &validations, &settings.best);
    }
    if let Some(choice) = &choice {
        show_choice(&mut page, choice);
    }
    if let Some(suite) = suite {
        suite.show(&mut page);
    }

    page.section("Settings");
    page.pairs(&dotted(&record.settings));
    let model = toml::to_string(&record.architecture).map_err(toml_error("the architecture"))?;
    page.folded("Architecture of the model", &model);
    page.text(&format!("Hash of the base model: {}", record.base_hash));
    if let Some(from) = &record.from {
        page.text(&format!("Started from the weights of {from}"));
    }
    if let Some(units) = record.units() {
        page.text(&format!("bf16 was computed by: {units}"));
    }
    Ok(page.finish())
}

fn facts(
    report: Option<&Report>,
    unit: &str,
    train: &[&TrainLine],
    validations: &[&ValidationLine],
) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
    if let Some(best) = report.and_then(|report| report.best.as_ref()) {
        fact(&format!("best {} (step {})", best.metric, best.step), percent(best.value));
        if let Some(base) = best.base {
            fact(&format!("{} of the base model", best.metric), percent(base));
        }
        if let Some(start) = best.start {
            fact(&format!("{} before the first step", best.metric), percent(start));
        }
    } else if let Some(best) = validations.iter().rev().find(|line| line.best) {
        fact("best so far", format!("step {}", best.step));
    }
    if let Some(last) = train.last() {
        fact("last loss", format!("{:.4}", last.loss));
        let share = |part: fn(&StepTimes) -> f64| train.iter().map(|line| part(&line.times)).sum::<f64>();
        let all =
            share(|times| times.wait + times.images + times.texts + times.loss + times.backward + times.optimizer);
        if all > 0.0 {
            fact("share of time spent waiting for data", percent(share(|times| times.wait) / all));
        }
    }
    if let Some(report) = report {
        fact("tuned parameters", grouped(report.tuned_parameters as u64));
        fact("time", duration(report.seconds));
        fact("speed of steps", format!("{:.1} {unit}/s", report.samples_per_second));
        if let Some(bytes) = report.peak_memory_bytes {
            fact("peak memory", format!("{:.2} GiB", bytes as f64 / f64::from(1 << 30)));
        }
    }
    facts
}

fn curves(train: &[&TrainLine], unit: &str) -> Vec<Chart> {
    let of = |value: fn(&TrainLine) -> f64| -> Vec<(f64, f64)> {
        let points: Vec<_> = train.iter().map(|line| (line.step as f64, value(line))).collect();
        thinned(&points)
    };
    let chart = |title: &str, y: &str, series: Vec<Series>| Chart {
        title: title.to_owned(),
        x: ("step".to_owned(), Scale::Whole),
        y: (y.to_owned(), Scale::Plain),
        series,
    };
    let line = |colour, value| vec![Series::new("", colour, Mark::Line, of(value))];
    let loss = of(|line| line.loss);
    let smooth = smoothed(&loss);
    let loss =
        vec![Series::new("each step", 0, Mark::Faint, loss), Series::new("moving average", 0, Mark::Line, smooth)];
    vec![
        chart("Loss", "loss", loss),
        chart("Learning rate", "learning rate", line(1, |line| line.lr)),
        chart("Gradient norm before clipping", "norm", line(2, |line| line.grad_norm)),
        chart("Speed", &format!("{unit}/s"), line(3, |line| line.samples_per_second)),
    ]
}

/// A line's value of a metric.
fn value(line: &ValidationLine, name: &str) -> Option<f64> {
    line.values.get(name).and_then(|value| value.as_f64())
}

/// `best` is the metric whose number of samples is recorded.
fn validation(page: &mut Page, validations: &[&ValidationLine], best: &str) {
    let mut names: Vec<&str> = Vec::new();
    for line in validations {
        for name in line.values.keys() {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
    }
    let base = validations.iter().find(|line| line.step == 0 && !line.start);
    let tuned = || validations.iter().filter(|line| line.step > 0);
    let steps = tuned().map(|line| line.step as f64);
    let ends = (tuned().next().map_or(0.0, |line| line.step as f64), steps.fold(0.0, f64::max));
    let samples = validations.iter().find_map(|line| line.samples);
    let mut series = Vec::new();
    for (colour, name) in names.iter().enumerate() {
        if let Some(base) = base.and_then(|line| value(line, name)) {
            let ends = vec![(ends.0, base), (ends.1, base)];
            series.push(Series::new(format!("{name}, base"), colour, Mark::Dashed, ends));
        }
        let points: Vec<_> = tuned().filter_map(|line| Some((line.step as f64, value(line, name)?))).collect();
        let one = Series::new(*name, colour, Mark::Dots, points.clone());
        series.push(match samples {
            Some(samples) if *name == best => {
                let bar = |&(_, value): &(f64, f64)| Interval::wilson(value, samples);
                one.with_bars(points.iter().map(bar).map(|bar| (bar.low, bar.high)).collect())
            }
            _ => one,
        });
    }
    page.charts(&[Chart {
        title: "Validation of the averaged, merged model".to_owned(),
        x: ("step".to_owned(), Scale::Whole),
        y: ("validation metric".to_owned(), Scale::Percent),
        series,
    }]);
    let bars = match samples {
        Some(samples) => format!("Bars: 95 % intervals of {best} (Wilson's score), a mean over {samples} samples."),
        None => format!("No error bars: the number of independent samples behind {best} is not known."),
    };
    page.caption(&format!("Validation data are held-out data of the training set's kind (ID). {bars}"));
    let mut columns = vec!["step>".to_owned(), "epoch>".to_owned()];
    columns.extend(names.iter().map(|name| format!("{name}>")));
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let row = |line: &&ValidationLine| {
        let mut row = match line.step {
            0 => vec![if line.start { "start" } else { "base model" }.to_owned(), String::new()],
            step => vec![step.to_string(), line.epoch.to_string()],
        };
        row.extend(names.iter().map(|name| value(line, name).map_or_else(String::new, percent)));
        row
    };
    let rows: Vec<_> = validations.iter().map(row).collect();
    let best = validations.iter().rposition(|line| line.best);
    page.table(&columns, &rows, best.as_slice());
}

#[cfg(test)]
mod tests;
