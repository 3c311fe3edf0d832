//! `completions`: the line that makes a shell ask this command for completions.

use anyhow::Context;
use clap_complete::env::Shells;

use crate::command::args::CompletionsArgs;
use crate::command::{COMPLETE, output};

pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<()> {
    let shells = Shells::builtins();
    let shell = shells.completer(&args.shell).context("clap allows only these shells")?;
    let mut script = Vec::new();
    shell.write_registration(COMPLETE, "radapter", "radapter", "radapter", &mut script)?;
    output::print(String::from_utf8_lossy(&script).trim_end())
}
