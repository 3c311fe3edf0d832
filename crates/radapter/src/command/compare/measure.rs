//! The models of a comparison, measured once each by `eval`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;
use radapter_adapter::{Alpha, Alphas};
use radapter_files::{io_error, remove_dir};
use radapter_methods::METHODS;
use radapter_training::Report;
use radapter_training::choice::Choice;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Work;
use super::contender::{Contender, Made, ZERO_SHOT};
use super::grid::words;
use super::results::{Cost, CurvePoint, Figures, Row};
use super::spec::file_part;
use super::train::{Runs, Trained, kept};
use crate::command::output;

/// What a measurement leaves, so that it is not made again.
#[derive(Serialize, Deserialize)]
struct Record {
    /// The runs that the model came from. One that was trained again has another report.
    of: Vec<(String, Report)>,
    seconds: f64,
    mixing: Option<Mixing>,
    /// What `eval --json` printed.
    eval: Value,
}

/// The alpha that was chosen for a run.
#[derive(Serialize, Deserialize)]
struct Chosen {
    of: Report,
    alpha: Alphas,
}

/// What mixing took.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Mixing {
    seconds: f64,
    /// Size of the result.
    bytes: u64,
}

/// The outcome of a measurement.
struct Measured {
    name: String,
    figures: Figures,
    mixing: Option<Mixing>,
}

/// A model to measure.
struct Model<'a> {
    name: String,
    of: &'a [&'a Trained],
    from: From,
    /// Whether what each image adds is written.
    is_reported: bool,
}

/// Where a model comes from.
enum From {
    /// A run at this alpha.
    Run(PathBuf, Alphas),
    /// A checkpoint that these arguments, without `--out`, write.
    Mix(Vec<OsString>),
}

/// The seconds of the measurements that a comparison has.
pub(super) fn measured_seconds(out: &Path) -> Vec<f64> {
    let entries = std::fs::read_dir(out.join("measured")).into_iter().flatten().flatten();
    let record = |entry: std::fs::DirEntry| serde_json::from_slice::<Record>(&std::fs::read(entry.path()).ok()?).ok();
    entries.filter_map(record).map(|record| record.seconds).collect()
}

impl Work<'_> {
    /// The largest number of measurements of these methods.
    pub(super) fn measurements(&self, contenders: &[&'static Contender]) -> anyhow::Result<usize> {
        // At 0 all are the base model.
        let curve = self.args.common.alphas.get()?.iter().filter(|alpha| alpha.get() != 0.0).count();
        let of = |contender: &&Contender| match contender.made {
            Made::Trained { is_scaled: false, .. } | Made::Chosen { .. } => self.args.common.seeds.len(),
            _ if contender.mixes_seeds() => 1,
            _ => (1 + curve) * self.args.common.seeds.len(),
        };
        Ok(1 + contenders.iter().map(of).sum::<usize>())
    }

    /// The rows of a method.
    ///
    /// # Errors
    /// An interruption only.
    pub(super) fn rows(&mut self, contender: &'static Contender) -> anyhow::Result<Vec<Row>> {
        let parent = contender.parent(self.args.task)?;
        let mut failed = Row::new(contender.name, None);
        let runs = match self.runs(parent)? {
            Ok(runs) => runs,
            Err(error) => {
                failed.error = Some(error);
                return Ok(vec![failed]);
            }
        };
        failed.settings = words(&runs.point);
        if contender.mixes_seeds() {
            let row = kept(self.mixed(contender, parent, &runs))?;
            return Ok(vec![row.unwrap_or_else(|error| Row { error: Some(error), ..failed })]);
        }
        let mut rows = Vec::new();
        for (seed, run) in &runs.seeds {
            let row = match run {
                Ok(run) => kept(self.seeded(contender, run))?,
                Err(error) => Err(error.clone()),
            };
            let row = row.unwrap_or_else(|error| Row { error: Some(error), ..failed.clone() });
            rows.push(Row { seed: Some(*seed), settings: words(&runs.point), ..row });
        }
        Ok(rows)
    }

    /// The row of the base model, measured as a run at alpha = 0, which has the run's classes and templates.
    pub(super) fn zero_shot(&mut self, contenders: &[&'static Contender]) -> anyhow::Result<Row> {
        let mut row = Row::new(ZERO_SHOT, None);
        row.error = Some("no run is finished, whose classes and templates it needs".to_owned());
        // A method with templates of its own would measure the base with these.
        let has_own_templates = |contender: &&'static Contender| match contender.made {
            Made::Trained { method, .. } => {
                METHODS.iter().any(|own| own.name() == method && own.settings().contains("eval_templates"))
            }
            _ => false,
        };
        let (last, first): (Vec<&'static Contender>, Vec<_>) = contenders.iter().copied().partition(has_own_templates);
        for contender in first.into_iter().chain(last) {
            let Ok(runs) = self.runs(contender.parent(self.args.task)?)? else { continue };
            for run in runs.seeds.into_iter().filter_map(|(_, run)| run.ok()) {
                match kept(self.base(&run))? {
                    Ok(figures) => {
                        row.error = None;
                        row.validation = run.report.best.as_ref().and_then(|best| best.base);
                        row.predictions = Some(self.predictions(ZERO_SHOT));
                        row.figures = Some(figures);
                        return Ok(row);
                    }
                    Err(error) => row.error = Some(error),
                }
            }
        }
        Ok(row)
    }

    /// The base model; independent of what was trained.
    fn base(&mut self, run: &Trained) -> anyhow::Result<Figures> {
        let from = From::Run(run.dir.clone(), Alpha::ZERO.into());
        Ok(self.measure(Model { name: ZERO_SHOT.to_owned(), of: &[], from, is_reported: true })?.figures)
    }

    /// The row of a method with one seed.
    fn seeded(&mut self, contender: &Contender, run: &Trained) -> anyhow::Result<Row> {
        let over = |alpha: Alpha| match contender.made {
            Made::Layerwise => Alphas::over_depth(Alpha::ZERO, alpha),
            _ => alpha.into(),
        };
        let (alpha, is_free) = match contender.made {
            Made::Trained { is_scaled: false, .. } => (Alpha::ONE.into(), false),
            Made::Trained { .. } => (over(run.alpha), true),
            Made::Rescaled { alpha, .. } => (over(Alpha::new(alpha)?), true),
            Made::Chosen { .. } => (self.chosen_alpha(run)?, true),
            Made::Layerwise | Made::Soup | Made::Stock => (over(Alpha::ONE), true),
        };
        let mut row = Row::new(contender.name, Some(run.seed));
        let Measured { name, figures, .. } = self.at(run, &alpha, true)?;
        row.predictions = Some(self.predictions(&name));
        row.validation = if matches!(contender.made, Made::Trained { .. }) { run.validation } else { None };
        row.cost = run.cost();
        // The curve of a chosen alpha is its parent's.
        if is_free && !matches!(contender.made, Made::Chosen { .. }) {
            for at in self.args.common.alphas.get()? {
                let is_own = over(at) == alpha;
                let figures = if is_own { figures.clone() } else { self.at(run, &over(at), false)?.figures };
                row.curve.push(CurvePoint { alpha: at.get(), figures });
            }
        }
        row.alpha = is_free.then(|| alpha.to_string());
        row.figures = Some(figures);
        Ok(row)
    }

    /// A run at an alpha.
    fn at(&mut self, run: &Trained, alpha: &Alphas, is_reported: bool) -> anyhow::Result<Measured> {
        if alpha.single() == Some(Alpha::ZERO) && !is_reported {
            // All methods begin at the base model.
            return Ok(Measured { name: ZERO_SHOT.to_owned(), figures: self.base(run)?, mixing: None });
        }
        let name = match alpha.word() {
            Some(word) => format!("{}-alpha{word}", run.name),
            None => format!("{}-alphas", run.name),
        };
        self.measure(Model { name, of: &[run], from: From::Run(run.dir.clone(), alpha.clone()), is_reported })
    }

    /// The alpha that the rule of `alpha = "auto"` chooses for a run, on the run's own held-out samples.
    fn chosen_alpha(&self, run: &Trained) -> anyhow::Result<Alphas> {
        if let Some(chosen) = &run.chosen {
            return Ok(chosen.clone());
        }
        let path = self.out().join("measured").join(format!("choice-{}.json", run.name));
        let known = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Chosen>(&text).ok());
        if let Some(known) = known.filter(|known| known.of == run.report) {
            return Ok(known.alpha);
        }
        tracing::info!("choosing alpha of {}", run.name);
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        let mut arguments: Vec<OsString> =
            ["sweep", "--json", "--select", "auto", "--run"].map(OsString::from).to_vec();
        arguments.extend([run.dir.clone().into(), "--out".into(), folder.path().join("choice").into()]);
        let done = self.children.run(&format!("choice-{}", run.name), [arguments, self.device.clone()].concat())?;
        let choices: Vec<Choice> =
            serde_json::from_slice(&done.stdout).context("`sweep --select` printed no choice")?;
        let choice = choices.into_iter().next().context("`sweep --select` printed no choice")?;
        let alpha = choice.alphas;
        let chosen = Chosen { of: run.report.clone(), alpha: alpha.clone() };
        output::write_file(&path, &serde_json::to_vec_pretty(&chosen)?)?;
        Ok(alpha)
    }

    /// The row of a mix of the seeds.
    fn mixed(&mut self, contender: &Contender, parent: &Contender, runs: &Runs) -> anyhow::Result<Row> {
        let members = runs.seeds.iter().map(|(seed, run)| match run {
            Ok(run) => Ok(run),
            Err(error) => Err(anyhow::anyhow!("{} has no run of seed {seed}: {error}", parent.name)),
        });
        let members = members.collect::<anyhow::Result<Vec<&Trained>>>()?;
        let dirs = members.iter().map(|run| run.dir.clone().into_os_string());
        let mut arguments: Vec<OsString> = vec![contender.name.into()];
        arguments.extend(matches!(contender.made, Made::Stock).then(|| self.model.clone().into()));
        arguments.extend(dirs);
        let name = format!("{}-{}{}", contender.name, parent.name, file_part(&runs.point));
        let from = From::Mix(arguments);
        let Measured { name, figures, mixing } = self.measure(Model { name, of: &members, from, is_reported: true })?;
        let Mixing { seconds, bytes } = mixing.unwrap_or_default();
        let costs: Vec<Cost> = members.iter().map(|run| run.cost()).collect();
        let mut row = Row::new(contender.name, None);
        row.settings = words(&runs.point);
        row.predictions = Some(self.predictions(&name));
        row.figures = Some(figures);
        row.cost = Cost {
            tuned_parameters: costs.first().map_or(0, |cost| cost.tuned_parameters),
            seconds: seconds + costs.iter().map(|cost| cost.seconds).sum::<f64>(),
            peak_memory_bytes: costs.iter().filter_map(|cost| cost.peak_memory_bytes).max(),
            bytes,
        };
        Ok(row)
    }

    /// The file of what each image adds to a measurement.
    fn predictions(&self, name: &str) -> PathBuf {
        self.out().join("predictions").join(format!("{name}.csv"))
    }

    /// Measures a model, or reads what it was measured at.
    fn measure(&mut self, model: Model<'_>) -> anyhow::Result<Measured> {
        let path = self.out().join("measured").join(format!("{}.json", model.name));
        let of: Vec<(String, Report)> = model.of.iter().map(|run| (run.name.clone(), run.report.clone())).collect();
        let predictions = model.is_reported.then(|| self.predictions(&model.name));
        let known = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Record>(&text).ok());
        let usable = |record: &Record| record.of == of && predictions.as_ref().is_none_or(|file| file.is_file());
        let record = match known.filter(usable) {
            Some(record) => record,
            None => {
                tracing::info!("measuring {}", model.name);
                let record = self.measured(&model, of, predictions)?;
                output::write_file(&path, &serde_json::to_vec_pretty(&record)?)?;
                record
            }
        };
        let (id, figures) = Figures::of_eval(&record.eval)?;
        self.id = id;
        Ok(Measured { name: model.name, figures, mixing: record.mixing })
    }

    fn measured(
        &self,
        model: &Model<'_>,
        of: Vec<(String, Report)>,
        predictions: Option<PathBuf>,
    ) -> anyhow::Result<Record> {
        let (path, alpha, mixing) = match &model.from {
            From::Run(path, alpha) => (path.clone(), Some(self.alpha_word(&model.name, alpha)?), None),
            From::Mix(arguments) => {
                let (path, mixing) = self.mix(&model.name, arguments)?;
                (path, None, Some(mixing))
            }
        };
        let mut arguments: Vec<OsString> = vec!["eval".into(), self.args.task.name().into(), "--json".into()];
        arguments.extend(["--model".into(), path.clone().into()]);
        arguments.extend(alpha.map(|alpha| format!("--alpha={alpha}").into()));
        if let Some(file) = predictions {
            let flag = if self.args.task.has_classifier() { "--predictions" } else { "--per-image" };
            arguments.extend([flag.into(), file.into()]);
        }
        arguments.extend(self.eval_words.iter().cloned());
        let done = self.children.run(&format!("eval-{}", model.name), [arguments, self.device.clone()].concat())?;
        let eval = serde_json::from_slice(&done.stdout).context("`eval --json` printed no JSON")?;
        Ok(Record { of, seconds: done.seconds, mixing, eval })
    }

    /// An alpha for `--alpha`: as a word, or the file that it is written to.
    fn alpha_word(&self, name: &str, alpha: &Alphas) -> anyhow::Result<String> {
        if let Some(word) = alpha.word() {
            return Ok(word);
        }
        let path = self.out().join("measured").join(format!("{name}.toml"));
        output::write_file(&path, alpha.to_toml().as_bytes())?;
        path.into_os_string().into_string().map_err(|path| anyhow::anyhow!("the path {} is not UTF-8", path.display()))
    }

    /// Writes a mixed model, with the seconds that it took and its size.
    fn mix(&self, name: &str, arguments: &[OsString]) -> anyhow::Result<(PathBuf, Mixing)> {
        let path = self.out().join("mixed").join(name);
        // Of other runs, or half done.
        if path.exists() {
            remove_dir(&path)?;
        }
        let out = ["--out".into(), path.clone().into_os_string()];
        let arch =
            self.args.common.arch.arch.iter().flat_map(|arch| ["--arch".into(), arch.into()]).collect::<Vec<_>>();
        let all = [arguments, &arch, &out, &self.device].concat();
        let done = self.children.run(&format!("mix-{name}"), all)?;
        let mut bytes = 0;
        for entry in std::fs::read_dir(&path).map_err(io_error("read", &path))? {
            bytes += entry.and_then(|entry| entry.metadata()).map_err(io_error("read", &path))?.len();
        }
        Ok((path, Mixing { seconds: done.seconds, bytes }))
    }
}
