//! The paper's experiments by name: on the paper's data, or on a scale that two cores can do.
//!
//! An experiment is a declaration of [`experiments`]. All share one [`pool`] of runs, which are known by what they learn from and by
//! their settings, so that a run that several tables show is trained once.

mod experiments;
mod pool;
mod table;
mod time;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::bail;

use self::experiments::{EXPERIMENTS, Experiment};
use self::pool::{Pool, TimeIsUp};

/// The data and the model of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Scale {
    /// ImageNet and its variants, in their usual layout, and the paper's recipes
    Full,
    /// PACS, Flickr8k and CamVid, 5 epochs
    Small,
    /// The drawn world and the embedded model, which need no files
    Shapes,
}

impl Scale {
    fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Small => "small",
            Self::Shapes => "shapes",
        }
    }
}

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The data and the model
    #[arg(long, value_enum, default_value_t = Scale::Small)]
    scale: Scale,
    /// The folder with `pacs/`, `flickr8k/` and `camvid/`, or at scale `full` that of ImageNet and its variants
    #[arg(long)]
    data: Option<PathBuf>,
    /// Directory of the model, or of several for `table1`; the others take the first
    #[arg(long, value_delimiter = ',')]
    weights: Vec<PathBuf>,
    /// Folder of runs and rows; finished ones are kept
    #[arg(long, default_value = "target/repro")]
    out: PathBuf,
    /// Folder for each experiment's table, plot and rows; without it the tables are only printed
    #[arg(long)]
    docs: Option<PathBuf>,
    /// Seeds of the runs; the learning rate is chosen with the first
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1, 2])]
    seeds: Vec<u64>,
    /// Start no run after this time; the same command goes on later
    #[arg(long, value_name = "MINUTES")]
    minutes: Option<u64>,
}

/// Runs the named experiments, or all.
pub(crate) fn run(name: Option<&str>, args: &Args) -> anyhow::Result<()> {
    if args.seeds.is_empty() {
        bail!("--seeds is empty; give at least one seed");
    }
    let deadline = args.minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    let pool = Pool::new(args, deadline);
    let chosen = EXPERIMENTS.iter().filter(|experiment| name.is_none_or(|name| name == experiment.name));
    let mut left_out = Vec::new();
    for experiment in chosen {
        match one(experiment, &pool, args) {
            Ok(()) => {}
            Err(error) if error.is::<TimeIsUp>() => return Err(error),
            Err(error) => {
                eprintln!("{}: left out: {error:#}", experiment.name);
                left_out.push(experiment.name);
            }
        }
    }
    if name.is_none_or(|name| name == time::NAME) {
        time::run(args)?;
    }
    match left_out[..] {
        [] => Ok(()),
        _ => bail!("left out: {}; the reasons are above", left_out.join(", ")),
    }
}

fn one(experiment: &Experiment, pool: &Pool<'_>, args: &Args) -> anyhow::Result<()> {
    let mut parts = Vec::new();
    for source in pool.sources(experiment)? {
        let set = source.open(experiment.set)?;
        parts.push((source.model_name(), pool.rows(experiment, &*set, &source)?));
    }
    let page = table::page(experiment, args.scale, &parts)?;
    println!("{}", page.table);
    match &args.docs {
        Some(docs) => page.save(docs),
        None => Ok(()),
    }
}
