//! `cargo xtask validate`: the checks that every change must pass.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also run the slow checks: cargo-deny, remote devices, the command for CUDA, and the CUDA tests, which need a GPU to run
    #[arg(long)]
    all: bool,
}

/// Runs `.ci/run`, the list of checks, cheapest first.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace's folder")?;
    check(Command::new(root.join(".ci/run")).current_dir(root))?;
    if !args.all {
        return Ok(());
    }
    // Not part of `.ci/run`, because cargo-deny must be installed: `cargo install cargo-deny --locked`.
    check(Command::new("cargo").args(["deny", "check", "licenses", "sources", "bans"]).current_dir(root))?;
    let tests = |features: &str, rest: &[&str]| {
        let mut command = Command::new("cargo");
        command
            .args(["test", "--release", "-p", "radapter-tests", "--features", features])
            .args(rest)
            .current_dir(root);
        command
    };
    let lints = ["clippy", "--release", "-p", "radapter", "-p", "radapter-tests", "--features", "radapter/remote"];
    check(Command::new("cargo").args(lints).args(["--all-targets", "--", "-D", "warnings"]).current_dir(root))?;
    check(&mut tests("remote", &["--test", "radapter", "remote::"]))?;
    let own = ["test", "--release", "-p", "radapter", "--features", "remote", "--lib", "remote::"];
    check(Command::new("cargo").args(own).current_dir(root))?;
    // The builds fetch the LLVM that they link.
    let command = ["build", "--release", "-p", "radapter", "--features", "cuda"];
    check(Command::new("cargo").args(command).current_dir(root))?;
    check(&mut tests("cuda", &["--test", "backends", "--no-run"]))?;
    match Command::new("nvidia-smi").output().is_ok_and(|found| found.status.success()) {
        true => check(&mut tests("cuda", &["--test", "backends"])),
        false => {
            eprintln!("no CUDA device; its tests are built but not run");
            Ok(())
        }
    }
}

fn check(command: &mut Command) -> anyhow::Result<()> {
    eprintln!("== {command:?}");
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}
