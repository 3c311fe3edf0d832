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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::path::Path;

    use radapter::clip::checkpoint::{Checkpoint, Format, SaveOptions};
    use radapter_test_support::small_config;

    use super::*;
    use crate::repro::pacs::DOMAINS;

    /// A folder like PACS of small images.
    fn pacs(root: &Path) {
        for (part, count) in [("train", 6), ("test", 2)] {
            for (shade, domain) in DOMAINS.into_iter().enumerate() {
                for (class, name) in ["dog", "cat"].into_iter().enumerate() {
                    let folder = root.join(part).join(domain).join(name);
                    std::fs::create_dir_all(&folder).unwrap();
                    for index in 0..count {
                        let pixel = image::Rgb([20 * index, 200 * class as u8, 50 * shade as u8]);
                        let path = folder.join(format!("{index}.png"));
                        image::RgbImage::from_pixel(16, 16, pixel).save(path).unwrap();
                    }
                }
            }
        }
    }

    fn model(path: &Path) {
        let config = small_config(16, 77);
        let state = config.random_state(0);
        let checkpoint = Checkpoint::new(config, state, Format::OpenClip, "random").unwrap();
        checkpoint.save(path, &SaveOptions::new(Format::OpenClip)).unwrap();
    }

    #[test]
    fn a_missing_set_is_named_and_a_finished_experiment_trains_nothing_again() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        pacs(&at("data/pacs"));
        model(&at("weights"));
        let args = |minutes: Option<u64>| Args {
            scale: Scale::Small,
            data: Some(at("data")),
            weights: vec![at("weights")],
            out: at("out"),
            docs: Some(at("docs")),
            seeds: vec![0],
            minutes,
        };
        let error = run(Some("table3"), &args(None)).unwrap_err().to_string();
        assert!(error.contains("left out: table3"), "{error}");

        let error = run(Some("fig3"), &args(Some(0))).unwrap_err().to_string();
        assert!(error.contains("the time is up before the run photo-r-adapter-lr5e-4"), "{error}");
        run(Some("fig3"), &args(None)).unwrap();
        let read = |name: &str| std::fs::read_to_string(at("docs/results").join(name)).unwrap();
        let (table, rows) = (read("fig3.md"), read("fig3.jsonl"));
        for part in ["| R-Adapter | 0.5 |", "| WiSE-FT | 0.1 |", "cargo xtask repro fig3 --scale small"] {
            assert!(table.contains(part), "{table}");
        }
        // Three arms at six values of α each.
        assert_eq!((rows.lines().count(), read("fig3.svg").starts_with("<svg")), (18, true));
        // What is known is not even opened: without the runs the same figures come from their rows.
        for entry in std::fs::read_dir(at("out/small")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                std::fs::remove_dir_all(path).unwrap();
            }
        }
        run(Some("fig3"), &args(Some(0))).unwrap();
        assert_eq!((read("fig3.md"), read("fig3.jsonl")), (table, rows));

        let none = Args { data: None, ..args(None) };
        assert!(run(Some("table1"), &none).unwrap_err().to_string().contains("left out: table1"));
        assert!(run(Some("table1"), &Args { seeds: Vec::new(), ..args(None) }).is_err());
    }
}
