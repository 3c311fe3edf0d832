//! A clock that jumps back, and files from the future.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::cases::case;
use super::figures::Figures;
use super::kills::{continued, undisturbed};
use super::refused::{signal, wait_for};
use super::world::{World, files, is_installed};

const DAY: Duration = Duration::from_hours(24);

pub(super) fn run(world: &World, figures: &mut Figures) -> anyhow::Result<()> {
    let names = ["train classification, pixel cache", "train retrieval", "index"];
    let mut equal = 0;
    for name in names {
        let case = case(name);
        let (whole, _) = undisturbed(case, world)?;
        let out = world.fresh("future")?;
        case.prepare(world, &out)?;
        if name.starts_with("train") {
            let mut child = case.start(world, &out).spawn()?;
            wait_for(&out.join("run/metrics.jsonl"), &mut child)?;
            signal(&child, "KILL")?;
            child.wait()?;
        }
        // As if everything so far had been written before the clock was set back.
        touch(&out, SystemTime::now() + DAY)?;
        let problem = continued(case, world, &out, &whole)?;
        equal += usize::from(
            figures
                .check(problem.is_none(), || format!("{name}, files from tomorrow: {}", problem.unwrap_or_default())),
        );
    }
    figures.row("files from tomorrow", &names.join("; "), names.len(), format!("{equal} equal"));
    if !is_installed("faketime") {
        figures.skip("a clock set back between two processes (no faketime)".to_owned());
        return Ok(());
    }
    let mut equal = 0;
    for name in names {
        let case = case(name);
        let (whole, _) = undisturbed(case, world)?;
        let out = world.fresh("back")?;
        case.prepare(world, &out)?;
        let mut problem = None;
        // Tomorrow first, then yesterday.
        for shift in ["+1d", "-1d"] {
            let words = match shift {
                "+1d" => Some(case.words()),
                _ => case.continued(&out),
            };
            let Some(words) = words else { continue };
            // The clock alone: files keep their times, and waiting takes as long as ever.
            let mut command = world.under(&["faketime", "-f", shift], &words, &out);
            let mut child = command.env("NO_FAKE_STAT", "1").env("DONT_FAKE_MONOTONIC", "1").spawn()?;
            if shift == "+1d" && name.starts_with("train") {
                wait_for(&out.join("run/metrics.jsonl"), &mut child)?;
                signal(&child, "KILL")?;
            }
            let ended = super::world::Ended::wait(child)?;
            if ended.panicked() || ended.status.is_some_and(|status| status != 0) {
                problem = Some(format!("{shift}: {:?} {}", ended.status, ended.end()));
            }
        }
        problem = match problem {
            None => continued(case, world, &out, &whole)?,
            found => found,
        };
        equal += usize::from(
            figures.check(problem.is_none(), || format!("{name}, clock set back: {}", problem.unwrap_or_default())),
        );
    }
    figures.row(
        "clock two days earlier for the process that continues (faketime)",
        &names.join("; "),
        names.len(),
        format!("{equal} equal"),
    );
    Ok(())
}

/// Sets the times of all files below a folder.
fn touch(folder: &Path, time: SystemTime) -> anyhow::Result<()> {
    for path in files(folder)? {
        std::fs::File::options().append(true).open(path)?.set_modified(time)?;
    }
    Ok(())
}
