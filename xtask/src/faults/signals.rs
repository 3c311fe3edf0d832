//! Requests to stop, and output that nobody reads.

use std::process::Stdio;

use super::cases::case;
use super::figures::Figures;
use super::kills::{continued, undisturbed};
use super::refused::{signal, wait_for};
use super::world::{Ended, World};

/// Exit status of work that was stopped and saved.
const SAVED: i32 = 130;

pub(super) fn run(world: &World, figures: &mut Figures) -> anyhow::Result<()> {
    for (name, file) in [
        ("train classification", "run/metrics.jsonl"),
        ("train classification, two devices", "run/metrics.jsonl"),
        ("train segmentation", "run/metrics.jsonl"),
        ("index", "index/lock"),
    ] {
        let case = case(name);
        let (whole, _) = undisturbed(case, world)?;
        let (mut saved, mut equal) = (0, 0);
        let signals = ["TERM", "INT", "HUP"];
        for kind in signals {
            let out = world.fresh("stopped")?;
            let mut child = case.start(world, &out).spawn()?;
            wait_for(&out.join(file), &mut child)?;
            signal(&child, kind)?;
            let ended = Ended::wait(child)?;
            saved += usize::from(ended.status == Some(SAVED));
            let problem = match ended.status {
                // It was at the end of its work.
                Some(SAVED | 0) => continued(case, world, &out, &whole)?,
                status => Some(format!("exit status {status:?}, {}", ended.end())),
            };
            equal += usize::from(
                figures.check(problem.is_none(), || format!("{name}, SIG{kind}: {}", problem.unwrap_or_default())),
            );
        }
        let outcome =
            format!("{saved} saved with exit status {SAVED}, the others were done; {equal} equal after the next call");
        figures.row("SIGTERM, SIGINT, SIGHUP", name, signals.len(), outcome);
    }
    closed(world, figures)
}

/// A pipe whose reader is gone, as stdout, as stderr and as both.
fn closed(world: &World, figures: &mut Figures) -> anyhow::Result<()> {
    let commands = [
        "--help",
        "train --help",
        "settings",
        "methods",
        "devices",
        "completions bash",
        "tokenize circle",
        "inspect {root}/run",
        "inspect --json {root}/run",
        "train --resume --out {root}/run",
        "train classification --model embedded --train {root}/data/train/photo --steps 1 --json --out {out}/run",
        "index --model embedded --images {root}/data/train/photo --json --out {out}/index",
        "merge --run {root}/run --json --out {out}/merged",
        "sweep --run {root}/run --suite {root}/suite.toml --json --out {out}/swept",
        "eval classification --model {root}/run --data {root}/data/train/photo",
        "search --index {root}/index --text circle",
        "zero-shot --model embedded --classes circle,star --images {root}/data/train/photo/circle",
    ];
    for (name, which) in [("stdout", [true, false]), ("stderr", [false, true]), ("stdout and stderr", [true, true])] {
        let mut right = 0;
        for words in commands {
            let out = world.fresh("closed")?;
            let mut open = world.radapter(words, &out);
            let expected = world.finish(&mut open)?.status;
            let out = world.fresh("closed")?;
            let mut command = world.radapter(words, &out);
            let pipe = || {
                let (reader, writer) = std::io::pipe()?;
                drop(reader);
                Ok::<_, std::io::Error>(Stdio::from(writer))
            };
            if which[0] {
                command.stdout(pipe()?);
            }
            if which[1] {
                command.stderr(pipe()?);
            }
            let ended = world.finish(&mut command)?;
            let fine = ended.status == expected && !ended.panicked();
            right += usize::from(figures.check(fine, || {
                format!(
                    "{name} closed: {words}: exit status {:?}, {expected:?} with a reader: {}",
                    ended.status,
                    ended.end()
                )
            }));
        }
        let outcome = format!("{right} end as with a reader");
        figures.row("closed pipe", &format!("{name} of {} commands", commands.len()), commands.len(), outcome);
    }
    Ok(())
}
