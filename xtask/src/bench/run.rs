//! Runs all measurements, each in a process of its own.

use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use radapter::clip::model::Precision;
use serde::de::DeserializeOwned;

use super::measurement::Measurement;
use super::peer::{self, Reply, Way};
use super::rows::{Case, Figures, Row};
use super::{Args, Part, against, photos, products};
use crate::machine::machine;
use crate::page;

/// Runs all measurements, each in a process of its own.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if args.peer.is_some() && !args.plain() {
        bail!("the peer runs only the plain step; omit --all, --micro-batch and --checkpointing, or --peer");
    }
    if args.peer.is_some() && !matches!(args.device.as_str(), "cpu" | "cuda") {
        bail!("PyTorch has no device `{}` to compare with; omit --peer", args.device);
    }
    // Read before anything is measured, so that a wrong path does not cost an hour's figures.
    let earlier = args.against.as_deref().map(against::read).transpose()?;
    let ways = peer::ways(args)?;
    let mut cases = Vec::new();
    for arch in &args.arch {
        for &part in &args.part {
            cases.push(case(args, &ways, arch, part)?);
        }
    }
    let products = products::measure(args)?;
    let photos = args.photos.as_deref().map(|folder| photos::measure(folder, &args.arch[0])).transpose()?;
    let figures = Figures { machine: machine(), cases, products, photos };
    let table = figures.table()?;
    print!("{table}");
    if let Some(path) = &args.json {
        page::save(path, &serde_json::to_string_pretty(&figures)?)?;
    }
    if let Some(docs) = &args.docs {
        page::replace(&docs.join("performance.md"), "bench", &table)?;
    }
    match earlier {
        Some(earlier) => against::check(&earlier, &figures),
        None => Ok(()),
    }
}

fn case(args: &Args, ways: &[Way], arch: &str, part: Part) -> anyhow::Result<Case> {
    let mut ours: Vec<(Precision, Row)> =
        args.precision.iter().map(|&precision| (precision, Row::new(format!("R-Adapter {precision}")))).collect();
    let mut theirs: Vec<(&Way, Row)> = ways.iter().map(|way| (way, Row::new(way.name.clone()))).collect();
    for round in 1..=args.rounds {
        eprintln!("{arch}, {}: round {round} of {}", part.name(), args.rounds);
        for (precision, row) in &mut ours {
            let found = own(args, arch, part, *precision)?;
            eprintln!("  {:.2} samples/s, {}", found.samples_per_second, row.name);
            row.rounds.push(Some(found));
        }
        // What a mode cannot do in one round it cannot do in the next.
        theirs.retain_mut(|(way, row)| round_of(args, arch, part, way, row));
    }
    let ours = ours.into_iter().map(|(_, row)| row).collect();
    // A way that always failed has no figures to show.
    let peers = theirs.into_iter().map(|(_, row)| row).filter(|row| row.rounds.iter().any(Option::is_some)).collect();
    Ok(Case { arch: arch.to_owned(), variant: args.variant(), part, batch_size: args.batch_size, ours, peers })
}

/// Adds a round to a peer's row; `false` if the mode cannot do this work. A mode that fails loses only its own round.
fn round_of(args: &Args, arch: &str, part: Part, way: &Way, row: &mut Row) -> bool {
    let Some(python) = &args.peer else { return false };
    let found = match way.measure(python, args, arch, part) {
        Ok(Reply::Skipped { skipped }) => {
            eprintln!("  {}: skipped: {skipped}", way.name);
            return false;
        }
        Ok(Reply::Figures { figures, note }) => {
            eprintln!("  {:.2} samples/s, {}", figures.samples_per_second, way.name);
            row.note = note;
            Some(figures)
        }
        Err(error) => {
            eprintln!("  {}: {error:#}", way.name);
            None
        }
    };
    row.rounds.push(found);
    true
}

/// This program's benchmark as a process of its own.
pub(crate) fn itself() -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("bench");
    Ok(command)
}

/// The command that measures one part of ours in a process of its own.
pub(crate) fn of_part(arch: &str, part: Part) -> std::io::Result<Command> {
    let mut command = itself()?;
    command.args(["--one", "--arch", arch, "--part", part.name()]);
    Ok(command)
}

fn own(args: &Args, arch: &str, part: Part, precision: Precision) -> anyhow::Result<Measurement> {
    let mut command = of_part(arch, part)?;
    command.args(["--batch-size", &args.batch_size.to_string(), "--steps", &args.steps.to_string()]);
    for (given, flag) in [(args.all, "--all"), (args.checkpointing, "--checkpointing")] {
        if given {
            command.arg(flag);
        }
    }
    command.args(["--device", &args.device, "--precision", &precision.to_string()]);
    if let Some(size) = args.micro_batch {
        command.args(["--micro-batch", &size.to_string()]);
    }
    command.args(args.set.iter().flat_map(|setting| ["--set", setting]));
    answer(&mut command)
}

/// Runs a process that measures, and parses the figures.
pub(crate) fn answer(command: &mut Command) -> anyhow::Result<Measurement> {
    reply(command)
}

/// Runs a process and parses its last line of output.
pub(crate) fn reply<T: DeserializeOwned>(command: &mut Command) -> anyhow::Result<T> {
    let output = command.stderr(Stdio::piped()).output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next_back().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("{command:?} printed `{line}`; expected figures as JSON"))
}
