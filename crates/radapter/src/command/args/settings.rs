//! `settings`, `methods` and `completions`.

use std::collections::BTreeSet;
use std::ffi::OsStr;

use clap::Args;
use clap::builder::PossibleValuesParser;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use radapter_methods::METHODS;
use radapter_training::AnyTask;

use super::JsonFlag;
use crate::command::completion::SHELLS;
use crate::tasks::{TASKS, kind, recipes, task};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  radapter settings
  radapter settings --task retrieval
  radapter settings --task classification --recipe paper-16-shot
  radapter settings lr loss.margin --json")]
pub(crate) struct SettingsArgs {
    /// Only the settings of this task [default: every task]
    #[arg(long, value_name = "TASK", value_parser = parse_task, add = names(|| TASKS.iter().map(|task| task.name()).collect()))]
    pub(crate) task: Option<TaskName>,
    /// Show the values that this recipe sets
    #[arg(long, value_name = "NAME", add = names(|| TASKS.iter().flat_map(|task| recipes(*task)).collect()))]
    pub(crate) recipe: Option<String>,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
    /// Show only these settings
    #[arg(value_name = "KEY", add = ArgValueCompleter::new(keys))]
    pub(crate) keys: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  radapter methods
  radapter methods --json
  radapter train classification --model embedded --train pets/train \\
      --method full --out runs/full")]
pub(crate) struct MethodsArgs {
    #[command(flatten)]
    pub(crate) json: JsonFlag,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Setting keys complete after --set, and enumerated values (such as those of loss.kind) after the `=`.

Examples:
  source <(radapter completions bash)  # in ~/.bashrc
  source <(radapter completions zsh)  # in ~/.zshrc
  radapter completions fish | source  # in ~/.config/fish/config.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell to write the script for
    #[arg(value_name = "SHELL", value_parser = PossibleValuesParser::new(SHELLS.names()))]
    pub(crate) shell: String,
}

/// A task on the command line.
#[derive(Clone, Copy)]
pub(crate) struct TaskName(pub(crate) &'static dyn AnyTask);

impl std::fmt::Debug for TaskName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

/// Parses a task's name.
fn parse_task(name: &str) -> Result<TaskName, String> {
    task(name).map(TaskName).ok_or_else(|| {
        let names: Vec<&str> = TASKS.iter().map(|task| task.name()).collect();
        format!("expected one of {}", names.join(", "))
    })
}

/// Completes the names of methods.
pub(super) fn methods() -> ArgValueCompleter {
    names(|| METHODS.iter().map(|method| method.name()).collect())
}

/// Completes one of these names.
fn names(all: fn() -> BTreeSet<&'static str>) -> ArgValueCompleter {
    ArgValueCompleter::new(move |current: &OsStr| {
        let start = current.to_str().unwrap_or_default();
        all().into_iter().filter(|name| name.starts_with(start)).map(CompletionCandidate::new).collect()
    })
}

/// Completes `KEY=VALUE`.
pub(super) fn assignments() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| match current.to_str().unwrap_or_default().split_once('=') {
        None => candidates("=", current),
        Some((key, start)) => {
            let words_of = |task: &&'static dyn AnyTask| {
                let entries = task.settings().entries().to_vec();
                let entry = entries.into_iter().find(|entry| entry.key == key);
                entry.map(|entry| kind(*task, &entry).words).unwrap_or_default()
            };
            let mut words: Vec<String> = Vec::new();
            for word in TASKS.iter().flat_map(words_of) {
                if !words.contains(&word) {
                    words.push(word);
                }
            }
            let matching = words.into_iter().filter(|word| word.starts_with(start));
            matching.map(|word| CompletionCandidate::new(format!("{key}={word}"))).collect()
        }
    })
}

fn keys(current: &OsStr) -> Vec<CompletionCandidate> {
    candidates("", current)
}

/// The settings whose key starts with `current`, each once; `suffix` follows the completed key.
fn candidates(suffix: &str, current: &OsStr) -> Vec<CompletionCandidate> {
    let start = current.to_str().unwrap_or_default();
    let mut found: Vec<(String, &'static str)> = TASKS
        .iter()
        .flat_map(|task| task.settings().entries().to_vec())
        .filter(|entry| entry.key.starts_with(start))
        .map(|entry| (entry.key.clone(), entry.setting.help()))
        .collect();
    found.sort();
    found.dedup_by(|a, b| a.0 == b.0);
    let candidate = |(key, help): (String, &'static str)| {
        CompletionCandidate::new(format!("{key}{suffix}")).help(Some(help.into()))
    };
    found.into_iter().map(candidate).collect()
}
