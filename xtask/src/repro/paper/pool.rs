//! The runs of all experiments. A run is known by what it learns from and by its settings, not by the table that shows it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use radapter::adapter::Alpha;
use radapter::methods::METHODS;
use radapter::settings::Settings;
use radapter::training::finetuned::FineTunedRun;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::experiments::{Arm, Experiment, Learned};
use super::{Args, Scale};
use crate::page;
use crate::repro::cache::kept;
use crate::repro::pacs::DOMAINS;
use crate::repro::sets::{self, Measured, SOME, Set, Sources};

/// The runs and their rows.
pub(super) struct Pool<'a> {
    args: &'a Args,
    deadline: Option<Instant>,
}

/// No further run is started.
#[derive(Debug, thiserror::Error)]
#[error("the time is up before the run {0}; its predecessors are kept, and the same command goes on with it")]
pub(super) struct TimeIsUp(String);

/// A model of an experiment, over the seeds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    /// The chosen learning rate; none without training.
    pub(super) lr: Option<String>,
    pub(super) alpha: f64,
    /// The best value on held-out samples, the mean.
    pub(super) validation: Option<f64>,
    pub(super) tuned_parameters: usize,
    /// Of training, the mean.
    pub(super) seconds: f64,
    /// One for each seed.
    pub(super) measured: Vec<Measured>,
    /// The paper's figures in %, ID and OOD.
    pub(super) paper: [Option<f64>; 2],
    /// Why it could not be trained or measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// What is kept of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Done {
    settings: Vec<String>,
    seed: u64,
    validation: Option<f64>,
    tuned_parameters: usize,
    seconds: f64,
    /// By α.
    measured: BTreeMap<String, Measured>,
}

/// A backbone and its data.
pub(super) struct Source<'a> {
    sources: Sources<'a>,
    scale: Scale,
    out: PathBuf,
    /// Test images of a set at most.
    most: usize,
}

impl Source<'_> {
    /// The backbone's name, for the table.
    pub(super) fn model_name(&self) -> String {
        match self.scale {
            Scale::Shapes => "embedded".to_owned(),
            _ => {
                let path = self.sources.weights;
                path.file_name().map_or_else(|| path.display().to_string(), |name| name.display().to_string())
            }
        }
    }

    pub(super) fn open(&self, learned: Learned) -> anyhow::Result<Box<dyn Set>> {
        match (learned, self.scale) {
            (Learned::Images, Scale::Full) => self.sources.imagenet(),
            (Learned::Images, Scale::Small) => self.sources.pacs(DOMAINS[0], None, self.most),
            (Learned::Images, Scale::Shapes) => self.sources.drawn(),
            (Learned::Captions, Scale::Small) => self.sources.flickr8k(),
            (Learned::Regions, Scale::Small) => self.sources.camvid(),
            (Learned::Captions, Scale::Full) => bail!("on COCO and Flickr30k it is `cargo xtask repro retrieval`"),
            (Learned::Captions, Scale::Shapes) => self.sources.drawn_captions(),
            (Learned::Regions, Scale::Shapes) => self.sources.drawn_regions(),
            (Learned::Regions, Scale::Full) => bail!(
                "the paper's regions are made from COCO's captions by a mask generator that is not a part of this repository; \
                 use --scale small"
            ),
        }
    }
}

impl<'a> Pool<'a> {
    pub(super) fn new(args: &'a Args, deadline: Option<Instant>) -> Self {
        Self { args, deadline }
    }

    /// The backbones of an experiment.
    pub(super) fn sources(&self, experiment: &Experiment) -> anyhow::Result<Vec<Source<'a>>> {
        let Args { scale, data, weights, out, .. } = self.args;
        let source = |weights: &'a Path| Source {
            sources: Sources {
                data: data.as_deref().unwrap_or(Path::new("")),
                weights,
                out,
                scale: match scale {
                    Scale::Full => sets::Scale::Full,
                    Scale::Small | Scale::Shapes => sets::Scale::Small,
                },
            },
            scale: *scale,
            out: out.join(scale.name()),
            most: if experiment.curve.is_empty() { usize::MAX } else { SOME },
        };
        if *scale == Scale::Shapes {
            return Ok(vec![source(Path::new("embedded"))]);
        }
        if data.is_none() || weights.is_empty() {
            bail!("--scale {} needs --data and --weights; --scale shapes needs neither", scale.name());
        }
        let count = if experiment.all_models { weights.len() } else { 1 };
        Ok(weights.iter().take(count).map(|weights| source(weights)).collect())
    }

    /// The rows of an experiment on a set.
    pub(super) fn rows(&self, experiment: &Experiment, set: &dyn Set, source: &Source<'_>) -> anyhow::Result<Vec<Row>> {
        let mut rows = Vec::new();
        for arm in experiment.arms {
            let alphas = if experiment.curve.is_empty() { std::slice::from_ref(&arm.alpha) } else { experiment.curve };
            match self.arm(experiment, arm, alphas, set, source) {
                Ok(found) => rows.extend(found),
                Err(error) if error.is::<TimeIsUp>() => return Err(error),
                // The other rows stand.
                Err(error) => {
                    eprintln!("{}: {error:#}", arm.name);
                    rows.push(Row { error: Some(format!("{error:#}")), ..blank(arm, arm.alpha) });
                }
            }
        }
        Ok(rows)
    }

    fn arm(
        &self,
        experiment: &Experiment,
        arm: &Arm,
        alphas: &[f64],
        set: &dyn Set,
        source: &Source<'_>,
    ) -> anyhow::Result<Vec<Row>> {
        let Some(&first) = arm.rates.first() else {
            let name = format!("{}-base-{}", set.name(), source.model_name());
            let measured = vec![kept(&source.out, &name, || set.zero_shot())?];
            return Ok(vec![Row { measured, ..blank(arm, 0.0) }]);
        };
        let run = |rate: &str, seed: u64, alphas: &[f64]| {
            self.run(&experiment.assignments(arm, self.args.scale, rate), seed, alphas, set, source)
        };
        let mut chosen = (first, f64::NEG_INFINITY);
        if arm.rates.len() > 1 {
            for rate in arm.rates {
                let value = run(rate, self.args.seeds[0], &[])?.validation.context("the run has no validation")?;
                eprintln!("{}: lr {rate}: held out {:.1} %", arm.name, 100.0 * value);
                if value > chosen.1 {
                    chosen = (*rate, value);
                }
            }
        }
        let done = self.args.seeds.iter().map(|&seed| run(chosen.0, seed, alphas));
        let done = done.collect::<anyhow::Result<Vec<Done>>>()?;
        let mean = |of: &dyn Fn(&Done) -> f64| done.iter().map(of).sum::<f64>() / done.len() as f64;
        let row = |&alpha: &f64| Row {
            lr: Some(chosen.0.to_owned()),
            validation: Some(mean(&|done| done.validation.unwrap_or(f64::NAN))),
            tuned_parameters: done[0].tuned_parameters,
            seconds: mean(&|done| done.seconds),
            measured: done.iter().filter_map(|done| done.measured.get(&alpha.to_string()).cloned()).collect(),
            ..blank(arm, alpha)
        };
        Ok(alphas.iter().map(row).collect())
    }

    /// A run with its figures at these values of α: what is missing is trained and measured.
    fn run(
        &self,
        settings: &[String],
        seed: u64,
        alphas: &[f64],
        set: &dyn Set,
        source: &Source<'_>,
    ) -> anyhow::Result<Done> {
        let name = name(set.name(), &source.model_name(), settings, seed);
        let folder = source.out.join(&name);
        // The same run has other figures on fewer images.
        let some = if source.most == usize::MAX { "" } else { "-some" };
        let path = source.out.join(format!("{name}{some}.json"));
        let mut done: Option<Done> = match std::fs::read_to_string(&path) {
            Ok(text) => Some(read(&path, &text)?),
            Err(_) => None,
        };
        let is_measured = |done: &Done| alphas.iter().all(|alpha| done.measured.contains_key(&alpha.to_string()));
        if let Some(done) = done.take_if(|done| is_measured(done)) {
            return Ok(done);
        }
        if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            return Err(TimeIsUp(name).into());
        }
        let mut given = Settings::default();
        settings.iter().try_for_each(|assignment| given.assign(assignment))?;
        given.set("seed", seed as i64)?;
        let report = set.train(&name, given, &folder)?;
        let mut done = done.unwrap_or(Done {
            settings: settings.to_vec(),
            seed,
            validation: report.best.as_ref().map(|best| best.value),
            tuned_parameters: report.tuned_parameters,
            seconds: report.seconds,
            measured: BTreeMap::new(),
        });
        page::save(&path, &serde_json::to_string_pretty(&done)?)?;
        let run = FineTunedRun::open(METHODS, &folder)?;
        for alpha in alphas {
            if let Entry::Vacant(vacant) = done.measured.entry(alpha.to_string()) {
                let measured = set.measure(&run, &Alpha::new(*alpha)?.into())?;
                eprintln!("{name}: α = {alpha}: ID {:.1} %, OOD {:.1} %", 100.0 * measured.id, 100.0 * measured.ood);
                vacant.insert(measured);
                page::save(&path, &serde_json::to_string_pretty(&done)?)?;
            }
        }
        Ok(done)
    }
}

fn blank(arm: &Arm, alpha: f64) -> Row {
    Row {
        name: arm.name.to_owned(),
        lr: None,
        alpha,
        validation: None,
        tuned_parameters: 0,
        seconds: 0.0,
        measured: Vec::new(),
        paper: arm.paper,
        error: None,
    }
}

/// A name that tells runs apart and can be read.
fn name(set: &str, model: &str, settings: &[String], seed: u64) -> String {
    let all = format!("{set}\n{model}\n{}", settings.join("\n"));
    let digest: String = Sha256::digest(all.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let of = |key: &str| settings.iter().rev().find_map(|setting| setting.strip_prefix(key));
    let words = format!("{set}-{}-lr{}", of("method=").unwrap_or("none"), of("lr=").unwrap_or("default"));
    format!("{}-{digest}-seed{seed}", words.chars().map(plain).collect::<String>())
}

fn read<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> anyhow::Result<T> {
    serde_json::from_str(text).with_context(|| format!("{} is damaged; delete it", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_known_by_their_settings() {
        let settings = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
        let (a, b) = (settings(&["method=full", "lr=1e-4"]), settings(&["method=full", "epochs=2", "lr=1e-4"]));
        let first = name("photo", "clip", &a, 0);
        assert!(first.starts_with("photo-full-lr1e-4-") && first.ends_with("-seed0"), "{first}");
        for other in [name("photo", "clip", &b, 0), name("photo", "other", &a, 0), name("photo", "clip", &a, 1)] {
            assert_ne!(first, other);
        }
    }
}
