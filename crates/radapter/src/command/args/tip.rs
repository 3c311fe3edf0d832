//! What to type instead of an argument that a command does not have.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::tasks::TASKS;

/// A tip beyond clap's own: settings are no flags, and some flags are another command's.
pub(crate) fn tip(error: &Error, command: &str) -> Option<String> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return None };
    match (command, flag.as_str()) {
        ("zero-shot", "--suite") => Some("`radapter eval classification --suite FILE` evaluates a suite".to_owned()),
        ("train", flag) => Some(setting(flag)),
        _ => None,
    }
}

/// The setting that a flag of `train` may mean.
fn setting(flag: &str) -> String {
    let name = flag.trim_start_matches('-').replace('-', "_");
    let entries = TASKS.iter().flat_map(|task| task.settings().entries().to_vec());
    let found = entries.map(|entry| entry.key).find(|key| key.rsplit('.').next() == Some(name.as_str()));
    match found {
        Some(key) => {
            format!("`{key}` is a setting without a flag: use `--set {key}=VALUE`; see `radapter settings {key}`")
        }
        None => "settings without a flag are given as `--set KEY=VALUE`; `radapter settings` lists them".to_owned(),
    }
}
