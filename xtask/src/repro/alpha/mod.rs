//! The rules that choose α, against the best α that labels of other distributions would choose.
//!
//! Each set is what one has, with a distribution on which the tuned model is used; none of the rules sees labels of that one.

mod arms;
mod judge;
mod row;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Context as _;
use radapter::adapter::{Alpha, Alphas};
use radapter::methods::METHODS;
use radapter::training::choice::{ChoiceError, RULES, Scene, choose};
use radapter::training::finetuned::FineTunedRun;

use self::arms::{Arm, arms};
use self::row::{Chosen, Point, Row};
use super::sets::{Measured, Scale, Set, Sources, open};
use crate::page;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder with `pacs/`, `flickr8k/` and `camvid/`
    #[arg(long)]
    data: PathBuf,
    /// Directory of the model
    #[arg(long)]
    weights: PathBuf,
    /// Folder of runs and rows; finished ones are kept, and rules that a row lacks are added
    #[arg(long, default_value = "target/repro-alpha")]
    out: PathBuf,
    /// Rows of an earlier study of scale `small`, as `alpha.jsonl` has them: they are taken as they are, without rules that are newer
    #[arg(long, value_name = "FILE.jsonl")]
    known: Option<PathBuf>,
    /// Folder whose `alpha.md` gets the tables, and `alpha.jsonl` the rows; without it the tables are only printed
    #[arg(long)]
    docs: Option<PathBuf>,
    /// `small`: 5 epochs on some of the data and six values of alpha; `full`: 10 epochs on all of them, and eleven values
    #[arg(long, value_enum, default_value_t = Scale::Small)]
    scale: Scale,
    /// Seeds of the runs
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1, 2])]
    seeds: Vec<u64>,
    /// Only these sets, by their names in the tables, such as `photo,CamVid`
    #[arg(long, value_delimiter = ',')]
    sets: Vec<String>,
}

/// The values of α that are measured.
fn grid(scale: Scale) -> anyhow::Result<Vec<Alpha>> {
    let values: &[f64] = match scale {
        Scale::Small => &[0.0, 0.1, 0.2, 0.3, 0.5, 1.0],
        Scale::Full => &[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
    };
    Ok(values.iter().map(|&alpha| Alpha::new(alpha)).collect::<Result<_, _>>()?)
}

/// The name of the α that a user has who does not choose: the task's usual one, for WiSE-FT as well.
const FIXED: &str = "fixed";

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if let Some(docs) = &args.docs {
        page::check(&docs.join("alpha.md"), "repro alpha")?;
    }
    let sources = Sources { data: &args.data, weights: &args.weights, out: &args.out, scale: args.scale };
    let sets = open(&sources, &args.sets)?;
    anyhow::ensure!(
        args.known.is_none() || args.scale == Scale::Small,
        "--known takes rows of scale small; omit it with --scale full"
    );
    let known = args.known.as_deref().map(row::read).transpose()?.unwrap_or_default();
    let mut rows = Vec::new();
    for set in &sets {
        for arm in &arms(set.name()) {
            let study = Study { args, set: &**set, arm };
            let earlier: Vec<&Row> = args.seeds.iter().filter_map(|&seed| study.among(&known, seed)).collect();
            if earlier.len() == args.seeds.len() {
                rows.extend(earlier.into_iter().cloned());
                continue;
            }
            for &seed in &args.seeds {
                let what = format!("{} {} lr {:.0e} seed {seed}", set.name(), arm.name, arm.lr);
                set.train(&what, arm.settings(seed)?, &study.folder(seed))?;
            }
            for &seed in &args.seeds {
                rows.push(study.row(seed)?);
            }
        }
    }
    let text = table::write(&rows)?;
    println!("{text}");
    match &args.docs {
        Some(docs) => {
            row::write(&docs.join("alpha.jsonl"), &rows)?;
            page::replace(&docs.join("alpha.md"), "repro alpha", &text)
        }
        None => Ok(()),
    }
}

/// The runs of a method on a set, over the seeds.
struct Study<'a> {
    args: &'a Args,
    set: &'a dyn Set,
    arm: &'a Arm,
}

impl Study<'_> {
    fn folder(&self, seed: u64) -> PathBuf {
        let (scale, set, Arm { method, lr, .. }) = (self.args.scale, self.set.name(), self.arm);
        self.args.out.join(format!("{scale:?}/{set}-{method}-lr{lr:e}-seed{seed}").to_lowercase())
    }

    /// The run's row among finished ones.
    fn among<'r>(&self, rows: &'r [Row], seed: u64) -> Option<&'r Row> {
        let Arm { name, lr, .. } = *self.arm;
        rows.iter().find(|row| {
            row.set == self.set.name()
                && row.method == name
                && row.lr == lr
                && row.seed == seed
                && row.rules.contains_key(FIXED)
        })
    }

    fn open(&self, seed: u64) -> anyhow::Result<FineTunedRun> {
        Ok(FineTunedRun::open(METHODS, self.folder(seed))?)
    }

    /// The row of a run: the saved one, with the rules that it lacks.
    fn row(&self, seed: u64) -> anyhow::Result<Row> {
        let (run, folder, grid) = (self.open(seed)?, self.folder(seed), grid(self.args.scale)?);
        // The name may have a dot, which is no extension.
        let mut path = folder.clone().into_os_string();
        path.push(".row.json");
        let path = PathBuf::from(path);
        let measure = |alphas: &Alphas| -> anyhow::Result<Point> {
            let Measured { id, ood, .. } = self.set.measure(&run, alphas)?;
            Ok(Point { id, ood })
        };
        let mut row = match std::fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text).with_context(|| format!("{} is damaged; delete it", path.display()))?
            }
            Err(_) => {
                let report = run.files().dir().report()?.context("the run is not finished")?;
                let best = report.best.context("the run has no validation")?;
                let curve = grid.iter().map(|&alpha| Ok((alpha.get(), measure(&alpha.into())?)));
                Row {
                    data: self.set.data().to_owned(),
                    set: self.set.name().to_owned(),
                    method: self.arm.name.to_owned(),
                    lr: self.arm.lr,
                    is_main: self.arm.is_main,
                    seed,
                    validation: best.value,
                    curve: curve.collect::<anyhow::Result<_>>()?,
                    rules: BTreeMap::new(),
                }
            }
        };
        let known: BTreeSet<String> = row.rules.keys().cloned().collect();
        let is_missing = |rule: &str| !known.contains(rule);
        let mut add = |rule: &str, alphas: Alphas, value: Option<f64>| -> anyhow::Result<()> {
            let known = alphas.single().and_then(|alpha| row.at(alpha.get()));
            let found = known.map_or_else(|| measure(&alphas), Ok)?;
            eprintln!("{} {} seed {seed}: {rule}: {alphas}: {found:?}", row.set, row.method);
            row.rules.insert(rule.to_owned(), Chosen { alphas, value, found });
            // A study that is stopped goes on after the last rule.
            page::save(&path, &serde_json::to_string_pretty(&row)?)
        };
        let mut held_out = self.set.held_out(&folder)?;
        let others = self.args.seeds.iter().filter(|&&other| other != seed).map(|&other| self.open(other));
        let mut scene = Scene::new(&run, self.set.base(), self.set.device(), grid)
            .with_held_out(&mut held_out)
            .with_unlabelled(self.set.unlabelled())
            .with_others(others.collect::<anyhow::Result<_>>()?);
        if is_missing(FIXED) {
            add(FIXED, Alpha::new(self.set.usual_alpha())?.into(), None)?;
        }
        for rule in RULES.into_iter().filter(|rule| is_missing(rule.name())) {
            match choose(rule, &mut scene) {
                Ok(choice) => {
                    let chosen = choice.curve.iter().find(|point| Some(point.alpha) == choice.alphas.single());
                    let validation = choice.validation.get(&run.files().train().best);
                    let value = chosen.map(|point| point.value).or(validation.copied());
                    add(rule.name(), choice.alphas, value)?;
                }
                Err(ChoiceError::Lacks { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(row)
    }
}
