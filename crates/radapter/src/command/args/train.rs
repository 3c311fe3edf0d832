//! `train`: a subcommand for each task, with a flag for each setting that has one.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, Subcommand};
use radapter_settings::Setting;
use radapter_training::AnyTask;

use super::model::MODEL_HELP;
use super::{ArchArg, JsonFlag, ModelRef, PixelCacheArg};
use crate::tasks::{TASKS, task};

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    override_usage = "radapter train <TASK> --model <MODEL> <DATA> --out <RUN> [OPTIONS]\n       \
                      radapter train --resume --out <RUN> [OPTIONS]",
    after_help = "\
Examples:
  radapter train classification --model embedded --train pets/train \\
      --out runs/pets
  radapter train --resume --out runs/pets
  radapter train --resume --allow-other-arithmetic --out runs/pets"
)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) resume: ResumeArgs,
    #[command(subcommand)]
    pub(crate) task: Option<TaskArgs>,
}

/// `train --resume --out RUN`: the run records everything else.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// Resume the run in --out where it stopped
    #[arg(long, requires = "out")]
    pub(crate) resume: bool,
    /// Directory of the run to resume
    #[arg(long, value_name = "RUN")]
    pub(crate) out: Option<PathBuf>,
    /// Settings as a TOML file; its values must match the run's
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) config: Option<PathBuf>,
    /// One setting; its value must match the run's
    #[arg(long = "set", value_name = "KEY=VALUE", add = super::settings::assignments())]
    pub(crate) set: Vec<String>,
    /// Resume from the saved state of this step instead of the newest
    #[arg(long, value_name = "STEP")]
    pub(crate) from_step: Option<u64>,
    /// Resume a run of bf16 although another unit computes it here than before, such as f32 arithmetic instead of AMX: the result is
    /// not bit-equal to that of an uninterrupted run, and the run records it
    #[arg(long, requires = "resume")]
    pub(crate) allow_other_arithmetic: bool,
    #[command(flatten)]
    pub(crate) suite: SuiteArgs,
    #[command(flatten)]
    pub(crate) cache: PixelCacheArg,
    /// Show live plots of loss, learning rate, throughput and validation in the terminal; Ctrl-C, or q and then s, interrupts
    /// and saves
    #[arg(long)]
    pub(crate) dashboard: bool,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
}

impl ResumeArgs {
    /// The run to resume; `None` without `--resume`, with which clap requires `--out`.
    pub(crate) fn run(self) -> Option<RunArgs> {
        let Self { resume, out, config, set, from_step, allow_other_arithmetic, suite, cache, dashboard, json } = self;
        resume.then_some(())?;
        let settings = FileAndSet { config, set };
        Some(RunArgs { out: out?, settings, from_step, allow_other_arithmetic, suite, cache, dashboard, json })
    }
}

/// The suite to measure after the training.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SuiteArgs {
    /// After the training, measure the base model, the tuned model at the run's alpha and at alpha = 1 on this suite, as `eval
    /// classification` does; the table is printed and saved in the run's suite.json
    #[arg(long, value_name = "FILE.toml|imagenet")]
    pub(crate) suite: Option<String>,
    /// The folder of the built-in suite's data sets
    #[arg(long, value_name = "DIR", requires = "suite")]
    pub(crate) root: Option<PathBuf>,
}

/// Settings of a new run without a flag of their own.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct FileAndSet {
    /// Settings as a TOML file, which may also name the `model`; a run's config.toml starts another run like it
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) config: Option<PathBuf>,
    /// One setting, such as lr=1e-3 or adapter.rank=4; overrides --config. `radapter settings` lists them
    #[arg(long = "set", value_name = "KEY=VALUE", add = super::settings::assignments())]
    pub(crate) set: Vec<String>,
}

/// The run and its settings.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunArgs {
    /// Directory of the run; new, empty, or with --resume an existing run
    #[arg(long, value_name = "RUN")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) settings: FileAndSet,
    /// Resume from the saved state of this step instead of the newest
    #[arg(long, value_name = "STEP", requires = "resume")]
    pub(crate) from_step: Option<u64>,
    /// Resume a run of bf16 although another unit computes it here than before, such as f32 arithmetic instead of AMX: the result is
    /// not bit-equal to that of an uninterrupted run, and the run records it
    #[arg(long, requires = "resume")]
    pub(crate) allow_other_arithmetic: bool,
    #[command(flatten)]
    pub(crate) suite: SuiteArgs,
    #[command(flatten)]
    pub(crate) cache: PixelCacheArg,
    /// Show live plots of loss, learning rate, throughput and validation in the terminal; Ctrl-C, or q and then s, interrupts
    /// and saves
    #[arg(long)]
    pub(crate) dashboard: bool,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
}

/// The arguments of `train` that all tasks share.
#[derive(Clone, Debug, Args)]
pub(crate) struct CommonArgs {
    /// The model to fine-tune.
    #[arg(long, value_name = "MODEL", help = MODEL_HELP, required_unless_present_any = ["resume", "config", "from"])]
    pub(crate) model: Option<ModelRef>,
    #[command(flatten)]
    pub(crate) arch: ArchArg,
    /// Fine-tuning method; `radapter methods` lists them [default: r-adapter]
    #[arg(long, value_name = "NAME", add = super::settings::methods())]
    pub(crate) method: Option<String>,
    /// Start from the weights of this finished run, with fresh optimizer moments, average and schedule: those that its evaluation
    /// uses, so the averaged ones if it averages. Method and base model must be the run's; --model may be left out
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    pub(crate) from: Option<PathBuf>,
    /// Resume the run in --out where it stopped; other arguments must agree with it
    #[arg(long)]
    pub(crate) resume: bool,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// `train TASK`
#[derive(Clone)]
pub(crate) struct TaskArgs {
    pub(crate) task: &'static dyn AnyTask,
    pub(crate) common: CommonArgs,
    /// Values of the settings that have a flag, as (key, text).
    pub(crate) flags: Vec<(String, String)>,
}

impl std::fmt::Debug for TaskArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskArgs").field("task", &self.task.name()).finish_non_exhaustive()
    }
}

/// A setting with a flag.
struct Flag {
    key: &'static str,
    value_name: &'static str,
    help: &'static str,
}

fn flags(task: &dyn AnyTask) -> Vec<Flag> {
    let flag = |setting: &'static Setting| {
        Some(Flag { key: setting.key, value_name: setting.spec.flag?, help: setting.help().trim_end_matches('.') })
    };
    task.settings().entries().iter().filter_map(|entry| flag(entry.setting)).collect()
}

/// A command with a flag for each setting of a task that has one.
pub(super) fn with_flags(command: Command, task: &dyn AnyTask) -> Command {
    let flag = |Flag { key, value_name, help }| {
        Arg::new(key).long(clap::builder::Str::from(key.replace('_', "-"))).value_name(value_name).help(help)
    };
    command.args(flags(task).into_iter().map(flag))
}

/// The values of [`with_flags`] that were given, as (key, text).
pub(super) fn given_flags(task: &dyn AnyTask, matches: &ArgMatches) -> Vec<(String, String)> {
    let given = |Flag { key, .. }| Some((key.to_owned(), matches.get_one::<String>(key)?.clone()));
    flags(task).into_iter().filter_map(given).collect()
}

fn subcommand(task: &'static dyn AnyTask) -> Command {
    // Set after the arguments, because `augment_args` sets an `about` of its own.
    let command = CommonArgs::augment_args(Command::new(task.name())).about(task.about());
    let settings = task.settings();
    let required =
        settings.entries().iter().filter(|entry| entry.setting.spec.required).filter_map(|entry| {
            Some(format!("--{} <{}> ", entry.setting.key.replace('_', "-"), entry.setting.spec.flag?))
        });
    let (name, required) = (task.name(), required.collect::<String>());
    let usage = format!(
        "radapter train {name} --model <MODEL> {required}--out <RUN> [OPTIONS]\n       radapter train {name} --config <FILE.toml> \
         --out <RUN> [OPTIONS]"
    );
    with_flags(command, task).override_usage(usage).after_help(format!(
        "Every setting is a key of --config FILE.toml and of --set; some also have a flag. `radapter settings --task {name}` lists \
         them with their defaults. Resolved values are printed and saved in the run's config.toml.\n\n\
         Examples:\n  {}\n  radapter train --resume --out RUN",
        task.examples().trim_start(),
    ))
}

impl FromArgMatches for TaskArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let found = matches.subcommand().and_then(|(name, matches)| Some((task(name)?, matches)));
        let (task, matches) = found.ok_or_else(|| clap::Error::new(clap::error::ErrorKind::MissingSubcommand))?;
        Ok(Self { task, common: CommonArgs::from_arg_matches(matches)?, flags: given_flags(task, matches) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for TaskArgs {
    fn augment_subcommands(command: Command) -> Command {
        TASKS.iter().fold(command, |command, &task| command.subcommand(subcommand(task)))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        task(name).is_some()
    }
}
