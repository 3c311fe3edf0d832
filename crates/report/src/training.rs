//! The report of a training run: settings, curves, result.

use std::path::Path;

use radapter_training::{Line, Report, RunDir, RunRecord, StepTimes, TrainLine, ValidationLine, read_metrics};

use crate::{Chart, Mark, Page, ReportError, Scale, Series, dotted, duration, grouped, percent};

/// Points per curve. A screen shows no more, and they would only enlarge the file.
const POINTS: usize = 600;

/// Decay of the moving average of the loss in a long run.
const SMOOTHING: f64 = 0.95;

/// Renders the run in a directory as an HTML page, from the metrics recorded so far; the run need not be finished.
///
/// # Errors
/// [`ReportError`] if the directory holds no run, or one of its files cannot be read.
pub fn training_report(run: &Path) -> Result<String, ReportError> {
    let dir = RunDir::open(run)?;
    let record = dir.record()?;
    let report = dir.report()?;
    let lines = if dir.metrics().is_file() { read_metrics(&dir.metrics())? } else { Vec::new() };
    let name = match run.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => run.display().to_string(),
    };
    page(run, &name, &record, report.as_ref(), &lines)
}

fn page(
    run: &Path,
    name: &str,
    record: &RunRecord,
    report: Option<&Report>,
    lines: &[Line],
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
    let mut page =
        Page::new(&format!("Training run: {name}"), &format!("{what} on {} images, {state}.", record.samples));
    page.facts(&facts(report, &train, &validations));

    page.section("Curves");
    page.charts(&curves(&train)?);
    if !validations.is_empty() {
        page.section("Validation");
        validation(&mut page, &validations)?;
    }

    page.section("Settings");
    page.pairs(&dotted(&record.settings));
    let model = toml::to_string(&record.architecture).map_err(toml_error("the architecture"))?;
    page.folded("Architecture of the model", &model);
    page.text(&format!("Hash of the base model: {}", record.base_hash));
    Ok(page.finish())
}

fn facts(report: Option<&Report>, train: &[&TrainLine], validations: &[&ValidationLine]) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
    if let Some(best) = report.and_then(|report| report.best.as_ref()) {
        fact(&format!("best {} (step {})", best.metric, best.step), percent(best.value));
        if let Some(base) = best.base {
            fact(&format!("{} of the base model", best.metric), percent(base));
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
            fact("time waiting for images", percent(share(|times| times.wait) / all));
        }
    }
    if let Some(report) = report {
        fact("tuned parameters", grouped(report.tuned_parameters as u64));
        fact("time", duration(report.seconds));
        fact("images per second", format!("{:.1}", report.samples_per_second));
        if let Some(bytes) = report.peak_memory_bytes {
            fact("peak memory", format!("{:.2} GiB", bytes as f64 / f64::from(1 << 30)));
        }
    }
    facts
}

fn curves(train: &[&TrainLine]) -> Result<Vec<String>, ReportError> {
    let of = |value: fn(&TrainLine) -> f64| -> Vec<(f64, f64)> {
        let points: Vec<_> = train.iter().map(|line| (line.step as f64, value(line))).collect();
        thinned(&points)
    };
    let chart = |title: &str, series: Vec<Series>| {
        Chart {
            title: title.to_owned(),
            x: ("step".to_owned(), Scale::Whole),
            y: (String::new(), Scale::Plain),
            series,
        }
        .small_svg()
    };
    let loss = of(|line| line.loss);
    let smooth = smoothed(&loss);
    Ok(vec![
        chart(
            "Loss",
            vec![Series::new("each step", 0, Mark::Faint, loss), Series::new("moving average", 0, Mark::Line, smooth)],
        )?,
        chart("Learning rate", vec![Series::new("", 1, Mark::Line, of(|line| line.lr))])?,
        chart("Gradient norm before clipping", vec![Series::new("", 2, Mark::Line, of(|line| line.grad_norm))])?,
        chart("Images per second", vec![Series::new("", 3, Mark::Line, of(|line| line.samples_per_second))])?,
    ])
}

fn validation(page: &mut Page, validations: &[&ValidationLine]) -> Result<(), ReportError> {
    let mut names: Vec<&str> = Vec::new();
    for line in validations {
        for name in line.values.keys() {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
    }
    let value = |line: &ValidationLine, name: &str| line.values.get(name).and_then(|v| v.as_f64());
    let series = names.iter().enumerate().map(|(colour, name)| {
        let points = validations.iter().filter_map(|line| Some((line.step as f64, value(line, name)?))).collect();
        Series::new(*name, colour, Mark::Dots, points)
    });
    let chart = Chart {
        title: "Validation of the averaged, merged model".to_owned(),
        x: ("step".to_owned(), Scale::Whole),
        y: (String::new(), Scale::Percent),
        series: series.collect(),
    };
    page.charts(&[chart.svg()?]);
    let mut columns = vec!["step>".to_owned(), "epoch>".to_owned()];
    columns.extend(names.iter().map(|name| format!("{name}>")));
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let row = |line: &&ValidationLine| {
        let mut row = match line.step {
            0 => vec!["base model".to_owned(), String::new()],
            step => vec![step.to_string(), line.epoch.to_string()],
        };
        row.extend(names.iter().map(|name| value(line, name).map_or_else(String::new, percent)));
        row
    };
    let rows: Vec<_> = validations.iter().map(row).collect();
    let best = validations.iter().rposition(|line| line.best);
    page.table(&columns, &rows, best.as_slice());
    Ok(())
}

/// At most [`POINTS`] points, each the mean of consecutive points.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let stretch = points.len().div_ceil(POINTS).max(1);
    let mean = |part: &[(f64, f64)]| {
        let count = part.len() as f64;
        let sum = part.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (sum.0 / count, sum.1 / count)
    };
    points.chunks(stretch).map(mean).collect()
}

/// Exponential moving average with a smaller decay in a short run.
fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let keep = SMOOTHING.min(1.0 - 8.0 / (points.len() as f64 + 8.0));
    let mut average = None;
    let step = |&(x, y): &(f64, f64)| {
        let next = average.map_or(y, |past: f64| keep * past + (1.0 - keep) * y);
        average = Some(next);
        (x, next)
    };
    points.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_curve_is_thinned_to_means() {
        let points: Vec<_> = (0..1200).map(|x| (f64::from(x), f64::from(x % 2))).collect();
        let thin = thinned(&points);
        assert_eq!(thin.len(), POINTS);
        assert_eq!(thin[0], (0.5, 0.5));
        assert_eq!(thinned(&points[..3]), points[..3]);
        assert!(thinned(&[]).is_empty());
    }

    #[test]
    fn smoothing_keeps_a_constant_and_follows_a_step() {
        let constant: Vec<_> = (0..50).map(|x| (f64::from(x), 2.0)).collect();
        assert_eq!(smoothed(&constant), constant);
        let mut step = constant.clone();
        step.extend((50..400).map(|x| (f64::from(x), 1.0)));
        let last = smoothed(&step).last().map_or(0.0, |point| point.1);
        assert!((last - 1.0).abs() < 1e-6, "{last}");
    }
}
