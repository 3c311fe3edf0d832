//! `compare`: several methods on the same data.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use radapter_training::AnyTask;

use super::model::MODEL_HELP;
use super::train::{given_flags, with_flags};
use super::{
    AlphaGrid, ArchArg, CommonArgs, FileAndSet, JsonFlag, ModelRef, PixelCacheArg, RunArgs, SuiteArgs, TaskArgs,
};
use crate::tasks::{TASKS, task};

/// The arguments of `compare` that all tasks share.
#[derive(Clone, Debug, Args)]
pub(crate) struct Comparison {
    /// The model that every method starts from.
    #[arg(long, value_name = "MODEL", help = MODEL_HELP, required_unless_present = "config")]
    pub(crate) model: Option<ModelRef>,
    #[command(flatten)]
    pub(crate) arch: ArchArg,
    #[command(flatten)]
    pub(crate) settings: FileAndSet,
    #[command(flatten)]
    pub(crate) cache: PixelCacheArg,
    /// The test data of classification: a suite file, or `imagenet` for the ImageNet family in its usual layout (needs --root)
    #[arg(long, value_name = "FILE.toml|imagenet")]
    pub(crate) suite: Option<String>,
    /// The folder of the built-in suite's data sets
    #[arg(long, value_name = "DIR", requires = "suite")]
    pub(crate) root: Option<PathBuf>,
    /// Methods; `radapter methods` lists them [default: R-Adapter, fixed and auto, full fine-tuning, FLYP, WiSE-FT and LiNeS,
    /// and with several seeds soup and stock]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) methods: Vec<String>,
    /// Seeds of the runs of each method
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = [0, 1, 2])]
    pub(crate) seeds: Vec<u64>,
    /// Values of a setting to try, such as lr=1e-4,1e-3 or full:lr=1e-5,3e-5 for one method, which replaces the former there;
    /// several are combined. Each method keeps the combination with the best mean on the validation data, over all seeds
    #[arg(long, value_name = "[METHOD:]KEY=V,V")]
    pub(crate) grid: Vec<Axis>,
    /// Values of alpha at which rescaled methods are measured for their curves: FIRST:LAST:STEP, or a list
    #[arg(long, value_name = "RANGE", default_value = "0:1:0.25", allow_hyphen_values = true)]
    pub(crate) alphas: AlphaGrid,
    /// Check the settings and the data, print the runs and how long they take, and start none
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Directory of the comparison; new, empty, or one to continue
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
    /// More arguments for `radapter eval TASK`, which measures every model: the test data of retrieval and segmentation, and
    /// options such as --batch-size
    #[arg(last = true, value_name = "EVAL ARGUMENTS")]
    pub(crate) eval: Vec<OsString>,
}

/// `compare [TASK]`
#[derive(Clone)]
pub(crate) struct CompareArgs {
    pub(crate) task: &'static dyn AnyTask,
    pub(crate) common: Comparison,
    /// Values of the settings that have a flag, as (key, text).
    pub(crate) flags: Vec<(String, String)>,
}

impl std::fmt::Debug for CompareArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompareArgs").field("task", &self.task.name()).finish_non_exhaustive()
    }
}

impl CompareArgs {
    /// What `train` would be given for one of the runs, without its method and seed.
    pub(crate) fn training(&self) -> TaskArgs {
        let Comparison { model, arch, settings, cache, out, json, .. } = self.common.clone();
        let suite = SuiteArgs::default();
        let run = RunArgs {
            out,
            settings,
            from_step: None,
            allow_other_arithmetic: false,
            suite,
            cache,
            dashboard: false,
            json,
        };
        let common = CommonArgs { model, arch, method: None, from: None, resume: false, run };
        TaskArgs { task: self.task, common, flags: self.flags.clone() }
    }

    /// `--suite` and `--root`, as for `train`.
    pub(crate) fn suite(&self) -> SuiteArgs {
        SuiteArgs { suite: self.common.suite.clone(), root: self.common.root.clone() }
    }
}

/// Values of a setting to try: `[METHOD:]KEY=V,V`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    /// `None` for all methods.
    pub(crate) method: Option<String>,
    pub(crate) key: String,
    pub(crate) values: Vec<String>,
}

impl FromStr for Axis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || "expected [METHOD:]KEY=VALUE,VALUE, as in lr=1e-4,1e-3 or full:lr=1e-5,3e-5".to_owned();
        let (name, values) = text.split_once('=').ok_or_else(expected)?;
        let (method, key) = match name.split_once(':') {
            Some((method, key)) => (Some(method.trim().to_owned()), key.trim()),
            None => (None, name.trim()),
        };
        let values = at_commas(values);
        let is_empty = key.is_empty() || method.as_deref() == Some("") || values.iter().any(String::is_empty);
        if is_empty { Err(expected()) } else { Ok(Self { method, key: key.to_owned(), values }) }
    }
}

/// The parts between commas that are not within brackets: `[0, 1],[2]` has two.
fn at_commas(text: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0_u32);
    for character in text.chars() {
        match character {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(character);
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).collect()
}

/// What follows the help of a task.
fn examples(task: &str) -> &'static str {
    match task {
        "retrieval" => {
            "\
Examples:
  radapter compare retrieval --model clip-b32 --captions flickr.json \\
      --images flickr --split train --val-split val --out compared \\
      -- --captions flickr.json --images flickr --split test"
        }
        "segmentation" => {
            "\
Examples:
  radapter compare segmentation --model clip-b16 --images images/train \\
      --annotations annotations/train --classes classes.txt --out compared \\
      -- --images images/val --annotations annotations/val \\
      --classes classes.txt"
        }
        _ => {
            "\
Without TASK the task is classification. A second start of the same command continues; of a finished comparison it runs \
nothing and prints the results.

Examples:
  radapter compare --model clip-b32 --train photo/train \\
      --suite photo/suite.toml --out compared
  radapter compare --model clip-b32 --train photo/train \\
      --suite photo/suite.toml --methods r-adapter,full,wise-ft,soup \\
      --grid r-adapter:lr=1e-3,5e-3 --grid full:lr=1e-5,3e-5 \\
      --seeds 0,1,2 --out compared --dry-run"
        }
    }
}

fn augmented(command: Command, task: &dyn AnyTask) -> Command {
    with_flags(Comparison::augment_args(command), task).after_help(examples(task.name()))
}

impl FromArgMatches for CompareArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let named = matches.subcommand().and_then(|(name, matches)| Some((task(name)?, matches)));
        let (task, matches) = named.unwrap_or((TASKS[0], matches));
        Ok(Self { task, common: Comparison::from_arg_matches(matches)?, flags: given_flags(task, matches) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for CompareArgs {
    fn augment_args(command: Command) -> Command {
        let about = command.get_about().cloned().unwrap_or_default();
        let command = augmented(command, TASKS[0])
            .about(about)
            .args_conflicts_with_subcommands(true)
            .subcommand_negates_reqs(true)
            .subcommand_value_name("TASK");
        TASKS.iter().fold(command, |command, &task| {
            let about = format!("Compare methods of {}", task.name());
            command.subcommand(augmented(Command::new(task.name()), task).about(about))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn an_axis_is_of_all_methods_or_of_one() {
        let axis = |text: &str| text.parse::<Axis>();
        let all = axis("lr=1e-4, 1e-3").unwrap();
        assert_eq!(
            (all.method, all.key.as_str(), all.values),
            (None, "lr", vec!["1e-4".to_owned(), "1e-3".to_owned()])
        );
        let one = axis("r-adapter:adapter.layers=[0, 1],[2]").unwrap();
        assert_eq!((one.method.as_deref(), one.values.len()), (Some("r-adapter"), 2));
        for bad in ["lr", "=1", "full:=1", ":lr=1", "lr=", "lr=1,,2"] {
            assert!(axis(bad).is_err(), "{bad}");
        }
    }
}
