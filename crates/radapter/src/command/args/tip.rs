//! What to type instead of an argument that a command does not have.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Error};
use radapter_settings::schema::Entry;
use radapter_training::AnyTask;

use super::Cli;
use crate::tasks::{TASKS, owners, task};

/// A tip beyond clap's own: settings are no flags, and some flags are another command's or another task's. `words` are the
/// arguments of the process.
pub(crate) fn tip(error: &Error, words: &[String]) -> Option<String> {
    let (cli, mut words) = (Cli::command(), words.iter());
    let command = words.find(|word| cli.find_subcommand(word).is_some())?;
    if error.kind() == ErrorKind::MissingRequiredArgument && command == "merge" {
        let given: Vec<&String> = words.collect();
        let has = |flag: &str| given.iter().any(|word| word.starts_with(flag));
        return (has("--model") && !has("--run") && !has("--adapters")).then(|| {
            "--model is the base model of --adapters; a run is merged with `--run RUN`, without --model".to_owned()
        });
    }
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return None };
    match command.as_str() {
        "sweep" if flag == "--model" => Some("only a run has adapters to scale: name it with `--run RUN`".to_owned()),
        "sweep" if flag == "--data" => {
            Some("classification is swept on a suite, `--suite FILE.toml`; `radapter eval classification --data` takes a folder".to_owned())
        }
        "embed" | "eval" | "index" | "predict" | "segment" | "zero-shot" if flag == "--run" => {
            Some("a run is a MODEL too: name it with `--model RUN`".to_owned())
        }
        "export" if flag == "--run" || flag == "--model" => {
            Some("the model or run has no flag: `radapter export RUN --format onnx --out DIR`".to_owned())
        }
        "zero-shot" if flag == "--suite" => {
            Some("`radapter eval classification --suite FILE` evaluates a suite".to_owned())
        }
        "train" => Some(setting(flag, words.find(|word| !word.starts_with('-')).and_then(|word| task(word)))),
        _ => None,
    }
}

/// The setting that a flag of `train` may mean.
fn setting(flag: &str, of: Option<&dyn AnyTask>) -> String {
    let name = flag.trim_start_matches('-').replace('-', "_");
    let find = |task: &dyn AnyTask| -> Option<Entry> {
        let entries = task.settings().entries().to_vec();
        entries.into_iter().find(|entry| entry.key.rsplit('.').next() == Some(name.as_str()))
    };
    if let Some(Entry { key, .. }) = of.and_then(find) {
        return format!("`{key}` is a setting without a flag: use `--set {key}=VALUE`; see `radapter settings {key}`");
    }
    match TASKS.iter().find_map(|task| find(*task)) {
        Some(Entry { key, .. }) => match of {
            Some(task) => {
                format!("`{key}` is a setting of {}, not of {}", owners(&key, task).join(" and "), task.name())
            }
            None => format!("`{key}` is a setting; name a task before it, as in `radapter train {}`", TASKS[0].name()),
        },
        None => "settings without a flag are given as `--set KEY=VALUE`; `radapter settings` lists them".to_owned(),
    }
}
