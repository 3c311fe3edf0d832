//! Runs all measurements, each in a process of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use super::measurement::Measurement;
use super::table::{Case, Figures, Mode};
use super::{Args, Part, against, photos};
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
    let mut cases = Vec::new();
    for arch in &args.arch {
        for &part in &args.part {
            cases.push(case(args, arch, part)?);
        }
    }
    let photos = args.photos.as_deref().map(|folder| photos::measure(folder, &args.arch[0])).transpose()?;
    let figures = Figures { machine: machine(), cases, photos };
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

fn case(args: &Args, arch: &str, part: Part) -> anyhow::Result<Case> {
    let modes: Vec<Mode> = match &args.peer {
        Some(_) => {
            args.peer_mode.iter().copied().filter(|mode| *mode != Mode::Onnx || part == Part::Inference).collect()
        }
        None => Vec::new(),
    };
    let mut ours = Vec::new();
    let mut peers: BTreeMap<Mode, Vec<Option<Measurement>>> = BTreeMap::new();
    for round in 1..=args.rounds {
        eprintln!("{arch}, {}: round {round} of {}", part.name(), args.rounds);
        let found = own(args, arch, part)?;
        eprintln!("  {:.2} samples/s", found.samples_per_second);
        ours.push(found);
        for &mode in &modes {
            let python = args.peer.as_deref().context("modes need a peer")?;
            // A mode that fails loses only its own row.
            let found = match peer(python, args, arch, part, mode) {
                Ok(found) => {
                    eprintln!("  {:.2} samples/s, {}", found.samples_per_second, mode.name());
                    Some(found)
                }
                Err(error) => {
                    eprintln!("{}: {error:#}", mode.name());
                    None
                }
            };
            peers.entry(mode).or_default().push(found);
        }
    }
    Ok(Case { arch: arch.to_owned(), variant: args.variant(), part, batch_size: args.batch_size, ours, peers })
}

/// The command that measures one part of ours in a process of its own.
pub(crate) fn of_part(arch: &str, part: Part) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bench", "--one", "--arch", arch, "--part", part.name()]);
    Ok(command)
}

fn own(args: &Args, arch: &str, part: Part) -> anyhow::Result<Measurement> {
    let mut command = of_part(arch, part)?;
    command.args(["--batch-size", &args.batch_size.to_string(), "--steps", &args.steps.to_string()]);
    for (given, flag) in [(args.all, "--all"), (args.checkpointing, "--checkpointing")] {
        if given {
            command.arg(flag);
        }
    }
    command.args(["--device", &args.device, "--precision", &args.precision.to_string()]);
    if let Some(size) = args.micro_batch {
        command.args(["--micro-batch", &size.to_string()]);
    }
    command.args(args.set.iter().flat_map(|setting| ["--set", setting]));
    answer(&mut command)
}

fn peer(python: &Path, args: &Args, arch: &str, part: Part, mode: Mode) -> anyhow::Result<Measurement> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/peer.py");
    let mut command = Command::new(python);
    command.arg(script).args(["--arch", arch, "--part", part.name()]);
    command.args(["--batch", &args.batch_size.to_string(), "--steps", &args.steps.to_string()]);
    let how: &[&str] = match mode {
        Mode::Eager | Mode::EagerHugepages => &["--mode", "eager"],
        Mode::EagerTf32 => &["--mode", "eager", "--tf32"],
        Mode::Compile => &["--mode", "compile"],
        Mode::EagerBf16 => &["--mode", "eager", "--dtype", "bf16"],
        Mode::CompileBf16 => &["--mode", "compile", "--dtype", "bf16"],
        Mode::Onnx => &["--mode", "onnx"],
    };
    command.args(how);
    if args.device == "cuda" {
        command.args(["--device", "cuda"]);
    }
    if mode == Mode::EagerHugepages {
        command.env("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
    }
    answer(&mut command)
}

/// Runs a process and parses its last line of output.
pub(crate) fn answer(command: &mut Command) -> anyhow::Result<Measurement> {
    let output = command.stderr(Stdio::piped()).output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next_back().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("{command:?} printed `{line}`; expected figures as JSON"))
}
