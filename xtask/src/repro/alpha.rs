//! The rules that choose α, against the best α that labels of other distributions would choose.
//!
//! Each PACS domain in turn is what one has; the other three are where it is used.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use burn::tensor::Device;
use radapter::adapter::{Alpha, Alphas};
use radapter::classification::finetuned::ClassificationRun;
use radapter::classification::suite::evaluate_suite;
use radapter::classification::task::Classification;
use radapter::clip::checkpoint::Checkpoint;
use radapter::embedding::EmbedOptions;
use radapter::methods::METHODS;
use radapter::settings::Settings;
use radapter::training::choice::{ChoiceError, RULES, Scene};
use radapter::training::finetuned::FineTunedRun;
use radapter::training::plan::{Inputs, Plan};
use radapter::training::{RunDir, RunOptions};
use serde::{Deserialize, Serialize};

use super::pacs::{DOMAINS, suite};
use super::run::{text, train};
use crate::page;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// PACS: `train/<domain>/<class>/…` and `test/<domain>/<class>/…`
    #[arg(long)]
    data: PathBuf,
    /// Directory of the model
    #[arg(long)]
    weights: PathBuf,
    /// Folder of runs and rows; finished ones are kept
    #[arg(long, default_value = "target/repro-alpha")]
    out: PathBuf,
    /// `small`: 5 epochs on 40 images of each class, six values of alpha; `full`: 10 epochs on all images, eleven values
    #[arg(long, value_enum, default_value_t = Size::Small)]
    scale: Size,
    /// Seeds of the runs
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1, 2])]
    seeds: Vec<u64>,
    /// Domains to learn; all four if none is named
    #[arg(long, value_delimiter = ',')]
    domains: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Size {
    Small,
    Full,
}

/// Name, method and the learning rate that PACS's held-out photos chose (`cargo xtask repro pacs`).
const METHODS_AND_RATES: [(&str, &str, f64); 2] = [("R-Adapter", "r-adapter", 5e-3), ("WiSE-FT", "full", 3e-4)];
/// The fixed α that the rules are compared with.
const FIXED: f64 = 0.5;

/// A run: accuracy at each α, and what each rule chose.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    domain: String,
    method: String,
    seed: u64,
    /// α, accuracy on the domain, and the mean over the other domains.
    curve: Vec<(f64, f64, f64)>,
    /// By rule: α in words, and both accuracies there.
    rules: BTreeMap<String, (String, f64, f64)>,
}

struct Work<'a> {
    args: &'a Args,
    base: Checkpoint,
    device: Device,
    grid: Vec<Alpha>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let grid: &[f64] = match args.scale {
        Size::Small => &[0.0, 0.1, 0.2, 0.3, 0.5, 1.0],
        Size::Full => &[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
    };
    let work = Work {
        args,
        base: Checkpoint::open(&args.weights, None)?,
        device: Device::flex(),
        grid: grid.iter().map(|&alpha| Alpha::new(alpha)).collect::<Result<_, _>>()?,
    };
    let domains: Vec<&str> = match args.domains.is_empty() {
        true => DOMAINS.to_vec(),
        false => args.domains.iter().map(String::as_str).collect(),
    };
    let mut rows = Vec::new();
    for domain in domains {
        for (name, method, lr) in METHODS_AND_RATES {
            for &seed in &args.seeds {
                work.train(domain, method, lr, seed)?;
            }
            for &seed in &args.seeds {
                rows.push(work.row(domain, (name, method, lr), seed)?);
            }
        }
    }
    println!("{}", table(&rows)?);
    Ok(())
}

impl Work<'_> {
    fn folder(&self, domain: &str, method: &str, seed: u64) -> PathBuf {
        self.args.out.join(format!("{:?}/{domain}-{method}-seed{seed}", self.args.scale).to_lowercase())
    }

    fn train(&self, domain: &str, method: &str, lr: f64, seed: u64) -> anyhow::Result<()> {
        let mut settings = Settings::default();
        settings.set("train", text(&self.args.data.join("train").join(domain))?)?;
        settings.set("val_fraction", 0.2)?;
        if self.args.scale == Size::Small {
            settings.set("shots", 40)?;
        }
        settings.set("epochs", if self.args.scale == Size::Small { 5 } else { 10 })?;
        settings.set("loss.temperature", "checkpoint")?;
        settings.set("method", method)?;
        settings.set("lr", lr)?;
        settings.set("seed", seed as i64)?;
        let what = format!("{domain} {method} seed {seed}");
        train::<Classification>(&what, &settings, &self.base, &self.folder(domain, method, seed), &self.device)
            .map(drop)
    }

    /// The finished row of a run, or a new one.
    fn row(&self, domain: &str, (name, method, _): (&str, &str, f64), seed: u64) -> anyhow::Result<Row> {
        let folder = self.folder(domain, method, seed);
        let path = folder.with_extension("row.json");
        if let Ok(text) = std::fs::read(&path) {
            return serde_json::from_slice(&text).with_context(|| format!("cannot read {}", path.display()));
        }
        let run = ClassificationRun::open(METHODS, &folder)?;
        let suite = suite(&self.args.data, domain, run.classes())?;
        let mut known: Vec<(Alphas, (f64, f64))> = Vec::new();
        let mut measure = |alphas: &Alphas| -> anyhow::Result<(f64, f64)> {
            if let Some((_, found)) = known.iter().find(|(known, _)| known == alphas) {
                return Ok(*found);
            }
            let model = run.model(&self.base, Some(alphas.clone()), &self.device)?;
            let options = EmbedOptions::default();
            let outcome = model.model.with_encoder(&self.device, |encoder| {
                evaluate_suite(encoder, &model.head, &suite, &options, &mut |_, _| {})
            })??;
            let found = (outcome.result.id.evaluation.top1, outcome.result.ood_average);
            known.push((alphas.clone(), found));
            Ok(found)
        };
        let mut curve = Vec::new();
        for &alpha in &self.grid {
            let (id, ood) = measure(&alpha.into())?;
            curve.push((alpha.get(), id, ood));
        }
        let mut rules = BTreeMap::new();
        for (rule, alphas) in self.choices(domain, method, seed)? {
            let (id, ood) = measure(&alphas)?;
            rules.insert(rule, (alphas.to_string(), id, ood));
        }
        let row = Row { domain: domain.to_owned(), method: name.to_owned(), seed, curve, rules };
        eprintln!("{domain} {name} seed {seed}: {:?}", row.rules);
        page::save(&path, &serde_json::to_string_pretty(&row)?)?;
        Ok(row)
    }

    /// What each rule chooses for a run; rules without their data are left out.
    fn choices(&self, domain: &str, method: &str, seed: u64) -> anyhow::Result<Vec<(String, Alphas)>> {
        let open = |seed: u64| FineTunedRun::open(METHODS, self.folder(domain, method, seed));
        let run = open(seed)?;
        let others = self.args.seeds.iter().filter(|&&other| other != seed).map(|&other| open(other));
        let others: Vec<FineTunedRun> = others.collect::<Result<_, _>>()?;
        let inputs = Inputs {
            methods: METHODS,
            base: self.base.clone(),
            reference: None,
            from: None,
            data: None,
            device: self.device.clone(),
            progress: &mut |_, _| {},
        };
        let folder = self.folder(domain, method, seed);
        let plan: Plan<Classification> = Plan::of_run(inputs, &RunDir::open(&folder)?)?;
        let mut held_out = plan.held_out(RunOptions::new(&folder, self.device.clone()))?;
        let mut scene = Scene::new(&run, &self.base, &self.device, self.grid.clone())
            .with_held_out(&mut held_out)
            .with_others(others);
        let mut choices = vec![("fixed".to_owned(), Alpha::new(FIXED)?.into())];
        for rule in RULES {
            match rule.choose(&mut scene) {
                Ok(choice) => choices.push((rule.name().to_owned(), choice.alphas)),
                Err(ChoiceError::Lacks { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(choices)
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The rules' mean regret, then a row for each domain and method.
fn table(rows: &[Row]) -> anyhow::Result<String> {
    let mut out = String::new();
    let best = |row: &Row, of: fn(&(f64, f64, f64)) -> f64| row.curve.iter().map(of).fold(0.0, f64::max);
    let mut names: Vec<&String> = rows.iter().flat_map(|row| row.rules.keys()).collect();
    names.sort();
    names.dedup();
    for method in METHODS_AND_RATES.map(|(name, ..)| name) {
        writeln!(out, "\n**{method}**, mean over {} runs\n", rows.iter().filter(|row| row.method == method).count())?;
        writeln!(out, "| rule | ID | OOD | ID regret | OOD regret | α of the runs |\n|---|---:|---:|---:|---:|---|")?;
        for name in &names {
            let found: Vec<(&Row, &(String, f64, f64))> = rows
                .iter()
                .filter(|row| row.method == method)
                .filter_map(|row| Some((row, row.rules.get(*name)?)))
                .collect();
            let id = mean(found.iter().map(|(_, rule)| rule.1));
            let ood = mean(found.iter().map(|(_, rule)| rule.2));
            let lost_id = mean(found.iter().map(|(row, rule)| best(row, |point| point.1) - rule.1));
            let lost_ood = mean(found.iter().map(|(row, rule)| best(row, |point| point.2) - rule.2));
            let alphas: Vec<&str> =
                found.iter().map(|(_, rule)| rule.0.trim_start_matches("one for each place, ")).collect();
            let [id, ood, lost_id, lost_ood] =
                [id, ood, lost_id, lost_ood].map(|value| format!("{:.1}", 100.0 * value));
            writeln!(out, "| {name} | {id} | {ood} | {lost_id} | {lost_ood} | {} |", alphas.join(", "))?;
        }
    }
    writeln!(out, "\n| domain | method | α | ID | OOD |\n|---|---|---:|---:|---:|")?;
    for domain in DOMAINS {
        for (method, ..) in METHODS_AND_RATES {
            let of: Vec<&Row> = rows.iter().filter(|row| row.domain == domain && row.method == method).collect();
            for (index, point) in of.first().map_or(&[][..], |row| &row.curve).iter().enumerate() {
                let id = 100.0 * mean(of.iter().map(|row| row.curve[index].1));
                let ood = 100.0 * mean(of.iter().map(|row| row.curve[index].2));
                writeln!(out, "| {domain} | {method} | {} | {id:.1} | {ood:.1} |", point.0)?;
            }
        }
    }
    Ok(out)
}
