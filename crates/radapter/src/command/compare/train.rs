//! The runs of a comparison: trained once each, resumed if they were interrupted, chosen by their validation.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;
use radapter_adapter::{Alpha, Alphas};
use radapter_files::{io_error, remove_dir};
use radapter_methods::METHODS;
use radapter_training::choice::AUTO;
use radapter_training::config::Keep;
use radapter_training::finetuned::FineTunedRun;
use radapter_training::{Line, Report, RunDir, read_metrics};

use super::Work;
use super::contender::{Contender, Made};
use super::grid::{Point, points, words};
use super::results::{Cost, Tried};
use super::spec::file_part;
use crate::command::failure::Interrupted;

/// A run to train.
#[derive(Clone, Debug)]
pub(super) struct Training {
    pub(super) contender: &'static Contender,
    pub(super) point: Point,
    pub(super) seed: u64,
}

/// A finished run.
#[derive(Clone, Debug)]
pub(super) struct Trained {
    pub(super) name: String,
    pub(super) dir: PathBuf,
    pub(super) seed: u64,
    pub(super) report: Report,
    /// The measure of the run's model on the validation data.
    pub(super) validation: Option<f64>,
    /// The alpha of the run's settings, which holds where no rule chooses another.
    pub(super) alpha: Alpha,
    /// The alpha that the rule of `alpha = "auto"` chose when the run ended, if it did.
    pub(super) chosen: Option<Alphas>,
    pub(super) bytes: u64,
}

/// The runs of a method with the chosen settings.
#[derive(Clone, Debug)]
pub(super) struct Runs {
    pub(super) point: Point,
    /// For each seed the run, or why there is none.
    pub(super) seeds: Vec<(u64, Result<Trained, String>)>,
}

impl Training {
    pub(super) fn name(&self) -> String {
        format!("{}{}-seed{}", self.contender.name, file_part(&self.point), self.seed)
    }

    /// The name of a run in messages.
    pub(super) fn title(&self) -> String {
        let words: String = words(&self.point).into_iter().map(|word| format!(", {word}")).collect();
        format!("{}{words}, seed {}", self.contender.name, self.seed)
    }
}

impl Trained {
    /// Opens a run; `None` if it is not there or not finished.
    pub(super) fn open(training: &Training, dir: &Path) -> anyhow::Result<Option<Self>> {
        let Ok(run) = RunDir::open(dir) else { return Ok(None) };
        let Some(report) = run.report()? else { return Ok(None) };
        let tuned = FineTunedRun::open(METHODS, dir)?;
        let size = |file: &PathBuf| std::fs::metadata(file).map(|file| file.len()).map_err(io_error("read", file));
        let bytes = tuned.evaluated_files().iter().map(size).sum::<Result<u64, _>>()?;
        Ok(Some(Self {
            name: training.name(),
            dir: dir.to_owned(),
            seed: training.seed,
            validation: validation(&run, &tuned, &report)?,
            alpha: tuned.files().train().alpha,
            chosen: tuned.files().chosen().filter(|choice| choice.rule == AUTO).map(|choice| choice.alphas.clone()),
            report,
            bytes,
        }))
    }

    pub(super) fn cost(&self) -> Cost {
        Cost {
            tuned_parameters: self.report.tuned_parameters,
            seconds: self.report.seconds,
            peak_memory_bytes: self.report.peak_memory_bytes,
            bytes: self.bytes,
        }
    }
}

/// The measure on the validation data of the model that the run keeps.
fn validation(run: &RunDir, tuned: &FineTunedRun, report: &Report) -> anyhow::Result<Option<f64>> {
    let Some(best) = &report.best else { return Ok(None) };
    if tuned.files().train().keep == Keep::Best {
        return Ok(Some(best.value));
    }
    let metrics = read_metrics(&run.metrics())?;
    Ok(metrics.iter().rev().find_map(|line| match line {
        Line::Validation(line) if line.step == report.steps => line.values.get(&best.metric)?.as_f64(),
        _ => None,
    }))
}

impl Work<'_> {
    /// The runs that a method needs: each combination of its settings with each seed.
    pub(super) fn trainings(&self, contender: &'static Contender) -> Vec<Training> {
        let seeds = |point: Point| {
            self.args.common.seeds.iter().map(move |&seed| Training { contender, point: point.clone(), seed })
        };
        points(contender, &self.args.common.grid).into_iter().flat_map(seeds).collect()
    }

    pub(super) fn run_dir(&self, training: &Training) -> PathBuf {
        self.out().join("runs").join(training.name())
    }

    /// Trains what is missing of a method and chooses its settings.
    ///
    /// # Errors
    /// An interruption only; a run that failed is an error within the result.
    pub(super) fn runs(&mut self, contender: &'static Contender) -> anyhow::Result<Result<Runs, String>> {
        if let Some((_, runs)) = self.trained.iter().find(|(name, _)| *name == contender.name) {
            return Ok(runs.clone());
        }
        let mut candidates = Vec::new();
        for point in points(contender, &self.args.common.grid) {
            let mut seeds = Vec::new();
            for &seed in &self.args.common.seeds {
                let training = Training { contender, point: point.clone(), seed };
                let run = kept(self.train(&training))?;
                self.tried.push(Tried {
                    method: contender.name,
                    settings: words(&point),
                    seed,
                    validation: run.as_ref().ok().and_then(|run| run.validation),
                    error: run.as_ref().err().cloned(),
                });
                seeds.push((seed, run));
            }
            candidates.push(Runs { point, seeds });
        }
        let chosen = chosen(candidates);
        if let Ok(runs) = &chosen
            && !runs.point.is_empty()
        {
            tracing::info!("{}: {} by the validation data", contender.name, words(&runs.point).join(", "));
        }
        self.trained.push((contender.name, chosen.clone()));
        Ok(chosen)
    }

    /// Trains a run, resumes it, or opens the finished one.
    fn train(&self, training: &Training) -> anyhow::Result<Trained> {
        let (name, dir) = (training.name(), self.run_dir(training));
        let damaged = || format!("the run `{0}` is damaged; remove its folder to train it again", dir.display());
        if let Some(done) = Trained::open(training, &dir).with_context(damaged)? {
            return Ok(done);
        }
        let mut arguments = vec![OsString::from("train")];
        if RunDir::open(&dir).is_ok() {
            tracing::info!("resuming {}", training.title());
            arguments.extend(["--resume".into(), "--out".into(), dir.clone().into()]);
        } else {
            tracing::info!("training {}", training.title());
            // A run that was killed before it recorded its settings has done nothing.
            if dir.exists() {
                remove_dir(&dir)?;
            }
            arguments.extend(self.train_arguments(training));
        }
        let done = self.children.run(&name, [arguments, self.devices.clone()].concat())?;
        tracing::info!("  {}", radapter_report::duration(done.seconds));
        Trained::open(training, &dir)?.with_context(|| format!("the run `{}` has no report", dir.display()))
    }

    /// The arguments of `train` for a new run.
    fn train_arguments(&self, training: &Training) -> Vec<OsString> {
        let common = &self.args.common;
        let mut words: Vec<OsString> = vec![self.args.task.name().into()];
        let mut put = |flag: &str, value: OsString| words.extend([flag.into(), value]);
        put("--model", self.model.clone().into());
        if let Some(arch) = &common.arch.arch {
            put("--arch", arch.into());
        }
        if let Some(config) = &common.settings.config {
            put("--config", config.into());
        }
        if let Some(cache) = &common.cache.pixel_cache {
            put("--pixel-cache", cache.into());
        }
        if self.pins_precision {
            put("--set", "precision=f32".into());
        }
        let Made::Trained { method, settings, .. } = training.contender.made else { return words };
        let own = settings.iter().map(|word| (*word).to_owned()).chain(grid_words(training));
        for assignment in common.settings.set.iter().cloned().chain(own) {
            put("--set", assignment.into());
        }
        for (key, text) in &self.args.flags {
            // With `=`, because a value may begin with a dash.
            words.push(format!("--{}={text}", key.replace('_', "-")).into());
        }
        words.extend(["--method".into(), method.into(), "--out".into(), self.run_dir(training).into()]);
        words
    }
}

/// The settings of a run that are its own.
fn grid_words(training: &Training) -> Vec<String> {
    let mut own = words(&training.point);
    own.push(format!("seed={}", training.seed));
    own
}

/// Keeps an error as a text, except an interruption, which ends everything.
pub(super) fn kept<T>(result: anyhow::Result<T>) -> anyhow::Result<Result<T, String>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) => {
            let text = format!("{error:#}");
            tracing::warn!("failed: {text}");
            Ok(Err(text))
        }
    }
}

/// The combination with the best mean over the seeds on the validation data; of equal ones the first.
fn chosen(mut candidates: Vec<Runs>) -> Result<Runs, String> {
    if candidates.len() == 1
        && let Some(only) = candidates.pop()
    {
        return Ok(only);
    }
    let mut best: Option<(f64, Runs)> = None;
    let mut reason = None;
    for runs in candidates {
        let values: Result<Vec<f64>, String> = runs.seeds.iter().map(|(_, run)| value(run)).collect();
        match values {
            Err(error) => reason = Some(error),
            Ok(values) => {
                let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
                if best.as_ref().is_none_or(|(before, _)| mean > *before) {
                    best = Some((mean, runs));
                }
            }
        }
    }
    best.map(|(_, runs)| runs).ok_or_else(|| {
        format!("no combination of the grid could be chosen: {}", reason.unwrap_or_else(|| "none is given".to_owned()))
    })
}

fn value(run: &Result<Trained, String>) -> Result<f64, String> {
    let missing = || {
        "its last step has no validation, which the choice needs; give --val, or --set val_fraction and validate_every"
            .to_owned()
    };
    run.as_ref().map_err(Clone::clone)?.validation.ok_or_else(missing)
}
