//! `completions`: the script that makes a shell ask this command for completions.

use anyhow::Context;

use crate::command::args::CompletionsArgs;
use crate::command::completion::{SHELLS, VARIABLE};
use crate::command::output;

pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<()> {
    let shell = SHELLS.completer(&args.shell).context("clap allows only these shells")?;
    let mut script = Vec::new();
    shell.write_registration(VARIABLE, "radapter", "radapter", "radapter", &mut script)?;
    output::print(String::from_utf8_lossy(&script).trim())
}
