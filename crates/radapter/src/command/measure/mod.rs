//! `eval` and `sweep`: the evaluation of a model. A task is one file and one line of [`TASKS`].

mod calibration;
mod classification;
mod retrieval;
mod segmentation;
mod select;
mod sweep;

use std::fmt::Debug;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};
use radapter_training::{AnyPlan, RunDir, Task};
use serde_json::{Value, json};

use sweep::Sweep;

use super::args::{EvalArgs, SuiteArgs, SweepArgs};
use super::failure::{Interrupted, Usage};
use super::suite::Source;
use super::{Session, output};

/// The tasks that can be evaluated.
const TASKS: [Registered; 3] = [
    Registered::of::<classification::EvalArgs>(),
    Registered::of::<retrieval::EvalArgs>(),
    Registered::of::<segmentation::EvalArgs>(),
];

/// The arguments of `eval TASK`, and the evaluation of the task.
trait Measured: Args + Debug + 'static {
    type Task: Task;
    /// One line on what `eval` measures, for the help.
    const ABOUT: &'static str;

    /// The data that `eval` and `sweep` need besides the run, as they are typed.
    const DATA: [&'static str; 2];

    /// Evaluates a model and prints the result.
    fn eval(&self, session: &Session) -> anyhow::Result<()>;

    /// Opens the suite of `train --suite`; `None` for a task without suites.
    const SUITE: Option<OpenSuite> = None;

    /// Evaluates a run over α; `None` if the arguments name no data of this task.
    fn sweep(args: &SweepArgs, session: &Session) -> anyhow::Result<Option<Sweep>>;
}

/// Opens a suite for the classes of a training.
pub(super) type OpenSuite = fn(&SuiteArgs, Training<'_>) -> anyhow::Result<Box<dyn RunSuite>>;

/// A training before its first step, or the run of an earlier session.
pub(super) enum Training<'a> {
    New(&'a dyn AnyPlan),
    Run(&'a Path),
}

/// A suite to measure after a training.
pub(super) trait RunSuite {
    /// Measures the base model of a run, the tuned model at the run's α, and at α = 1, unless interrupted.
    fn measure(&self, run: &Path, interrupt: &AtomicBool, session: &Session) -> anyhow::Result<SuiteTable>;
}

/// Results of a suite for several models.
pub(super) struct SuiteTable {
    pub(super) text: String,
    /// For each model what `eval --json` prints, with `alpha` before it.
    pub(super) objects: Vec<Value>,
}

/// Returns the opener of the suite of `train --suite`; `None` without the flag.
pub(super) fn suite_of(task: &str, args: &SuiteArgs) -> anyhow::Result<Option<OpenSuite>> {
    let Some(suite) = &args.suite else { return Ok(None) };
    match TASKS.iter().find(|known| known.name == task).and_then(|known| known.suite) {
        // Opened once the classes are known; a wrong name is found before the data are read.
        Some(open) => Source::new(suite, args.root.as_deref()).map(|_| Some(open)),
        None => Err(Usage(format!(
            "--suite measures accuracy, and the task {task} has no suites; omit it, and use `radapter eval {task}` after the training"
        ))
        .into()),
    }
}

/// A task of [`TASKS`].
struct Registered {
    name: &'static str,
    data: [&'static str; 2],
    suite: Option<OpenSuite>,
    subcommand: fn() -> Command,
    parse: fn(&ArgMatches) -> Result<EvalTask, clap::Error>,
    sweep: fn(&SweepArgs, &Session) -> anyhow::Result<Option<Sweep>>,
}

impl Registered {
    const fn of<T: Measured>() -> Self {
        Self {
            name: T::Task::NAME,
            data: T::DATA,
            suite: T::SUITE,
            // Set after the arguments, because `augment_args` sets an `about` of its own.
            subcommand: || T::augment_args(Command::new(T::Task::NAME)).about(T::ABOUT),
            parse: |matches| Ok(EvalTask(Box::new(T::from_arg_matches(matches)?))),
            sweep: T::sweep,
        }
    }
}

/// The part of [`Measured`] that [`EvalTask`] needs as an object.
trait Eval: Debug {
    fn eval(&self, session: &Session) -> anyhow::Result<()>;
}

impl<T: Measured> Eval for T {
    fn eval(&self, session: &Session) -> anyhow::Result<()> {
        Measured::eval(self, session)
    }
}

/// `eval TASK`
#[derive(Debug)]
pub(super) struct EvalTask(Box<dyn Eval>);

impl FromArgMatches for EvalTask {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = matches.subcommand();
        let found = given.and_then(|(name, args)| Some((TASKS.iter().find(|task| task.name == name)?, args)));
        let (task, args) = found.ok_or_else(|| clap::Error::new(clap::error::ErrorKind::MissingSubcommand))?;
        (task.parse)(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for EvalTask {
    fn augment_subcommands(command: Command) -> Command {
        TASKS.iter().fold(command, |command, task| command.subcommand((task.subcommand)())).subcommand_required(true)
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        TASKS.iter().any(|task| task.name == name)
    }
}

/// The commands that usually follow a training.
pub(super) fn next_commands(task: &str, run: &Path) -> String {
    let [eval, sweep] = TASKS.iter().find(|known| known.name == task).map_or([""; 2], |known| known.data);
    let run = run.display();
    format!(
        "next:\n  radapter eval {task} --model {run} {eval}\n  radapter sweep --run {run} {sweep} --out {run}-sweep\n  \
         radapter merge --run {run} --out {run}-clip"
    )
}

/// `eval`
pub(super) fn eval(args: &EvalArgs, session: &Session) -> anyhow::Result<()> {
    args.task.0.eval(session)
}

/// `sweep`
pub(super) fn sweep(args: &SweepArgs, session: &Session) -> anyhow::Result<()> {
    let rules = select::rules(&args.select)?;
    for task in &TASKS {
        if let Some(mut sweep) = (task.sweep)(args, session)? {
            let (done, all) = (sweep.points.len(), sweep::alphas(&args.alpha.get()?, &sweep.default).len());
            let mut failed = None;
            if done == all {
                match select::select(&rules, args, session) {
                    Ok(selected) => sweep.selected = selected,
                    // What was measured is written all the same.
                    Err(error) => failed = Some(error),
                }
            }
            sweep.write(args)?;
            match (args.json.json, &sweep.selected[..]) {
                (true, []) => output::print_json(&sweep.objects()),
                (true, selected) => {
                    output::print_json(&json!({ "sweep": sweep.objects(), "choices": select::objects(selected)? }))
                }
                (false, []) => output::print(&sweep.table().to_string()),
                (false, selected) => output::print(&format!("{}\n\n{}", sweep.table(), select::table(selected))),
            }?;
            return match failed {
                Some(error) => Err(error),
                None if done < all => Err(Interrupted::measurement(done, all).into()),
                None => Ok(()),
            };
        }
    }
    let selected = select::select(&rules, args, session)?;
    if !selected.is_empty() {
        select::write(args, &selected)?;
        return match args.json.json {
            true => output::print_json(&select::objects(&selected)?),
            false => output::print(&select::table(&selected).to_string()),
        };
    }
    let task = RunDir::open(&args.run)?.record()?.task;
    Err(Usage(format!(
        "no data to evaluate this run of {task} on; give --suite (accuracy), --captions and --images (recall), or --images, \
         --annotations and --classes, or --dataset (mIoU); or choose alpha by rules with --select"
    ))
    .into())
}
