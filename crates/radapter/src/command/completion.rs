//! Completion in bash, zsh and fish: the shell asks this command, which knows its settings.

use std::ffi::OsString;
use std::io::{Error, Write};
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::CompleteEnv;
use clap_complete::engine::complete;
use clap_complete::env::{self, EnvCompleter, Fish, Shells, Zsh};

use super::args::Cli;

/// The environment variable that a shell sets to ask for completions.
pub(super) const VARIABLE: &str = "RADAPTER_COMPLETE";

/// The supported shells.
pub(super) const SHELLS: Shells<'static> = Shells(&[&Bash, &Zsh, &Fish]);

/// Answers a shell that asks for completions, and then exits.
pub(super) fn answer() {
    CompleteEnv::with_factory(Cli::command).var(VARIABLE).shells(SHELLS).complete();
}

/// bash, which splits `--set loss.kind=i` into `loss.kind`, `=` and `i`, and replaces the last of them.
struct Bash;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        env::Bash.name()
    }

    fn is(&self, name: &str) -> bool {
        env::Bash.is(name)
    }

    fn write_registration(
        &self,
        var: &str,
        name: &str,
        bin: &str,
        completer: &str,
        buf: &mut dyn Write,
    ) -> Result<(), Error> {
        let mut script = Vec::new();
        env::Bash.write_registration(var, name, bin, completer, &mut script)?;
        // Where this command offers nothing, bash completes the names of files.
        let script = String::from_utf8_lossy(&script).replace("-o bashdefault", "-o bashdefault -o default");
        buf.write_all(script.as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut Command,
        args: Vec<OsString>,
        current_dir: Option<&Path>,
        buf: &mut dyn Write,
    ) -> Result<(), Error> {
        let index = std::env::var("_CLAP_COMPLETE_INDEX").ok().and_then(|index| index.parse::<usize>().ok());
        let separator = std::env::var("_CLAP_IFS").unwrap_or_else(|_| "\n".to_owned());
        let (words, kept) = joined(args.into_iter().take(index.unwrap_or(0) + 1));
        let last = words.len().saturating_sub(1);
        let candidates = complete(command, words, last, current_dir)?;
        let texts = candidates.iter().map(|candidate| candidate.get_value().to_string_lossy().into_owned());
        let texts: Vec<String> =
            texts.map(|text| text.strip_prefix(&kept).map_or(text.clone(), str::to_owned)).collect();
        write!(buf, "{}", texts.join(&separator))
    }
}

/// The words as typed, and the part of the last one that bash keeps.
fn joined(words: impl Iterator<Item = OsString>) -> (Vec<OsString>, String) {
    let mut joined: Vec<OsString> = Vec::new();
    let mut kept = String::new();
    let mut follows_equals = false;
    for word in words {
        let is_equals = word == "=";
        match joined.last_mut() {
            Some(last) if is_equals || follows_equals => {
                if follows_equals {
                    kept = last.to_string_lossy().into_owned();
                }
                last.push(&word);
            }
            _ => {
                kept.clear();
                joined.push(word);
            }
        }
        follows_equals = is_equals;
    }
    // Directly after `=`, bash gives an empty word in its place.
    if let [.., flag, key, end] = &mut joined[..]
        && flag == "--set"
        && end.is_empty()
        && !key.to_string_lossy().contains('=')
    {
        key.push("=");
        kept = key.to_string_lossy().into_owned();
        joined.pop();
    }
    (joined, kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_bash_splits_at_equals_are_joined() {
        for (words, expected, kept) in [
            (&["--set", "l"][..], &["--set", "l"][..], ""),
            (&["--set", "loss.kind", "=", "i"], &["--set", "loss.kind=i"], "loss.kind="),
            (&["--set", "loss.kind", ""], &["--set", "loss.kind="], "loss.kind="),
            (&["--set", "lr", "=", "1", "--set", "e"], &["--set", "lr=1", "--set", "e"], ""),
            (&["--set", "=", "lr", "=", "1"], &["--set=lr=1"], "--set=lr="),
            (&["--set", "lr", "=", "1", ""], &["--set", "lr=1", ""], ""),
        ] {
            let (found, of_last) = joined(words.iter().map(OsString::from));
            assert_eq!((found, of_last.as_str()), (expected.iter().map(OsString::from).collect(), kept), "{words:?}");
        }
    }
}
