//! kill -9 at random moments; what is continued afterwards ends as if nothing had happened.

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::Args;
use super::cases::{CASES, Case};
use super::figures::Figures;
use super::intact::{Content, content, difference, has_temporary, torn};
use super::world::World;

/// Kills of one process and its successors, at most.
const CHAIN: usize = 3;
/// Writes of one process that an aimed kill may choose from.
const WRITES: usize = 12;
/// Interval at which an aimed kill looks for a temporary file.
const LOOK: Duration = Duration::from_micros(200);

/// When a process is killed.
enum Moment {
    After(Duration),
    /// This long after the n-th temporary file appears.
    Write(usize, Duration),
}

#[derive(Default)]
struct Tally {
    kills: usize,
    /// Kills that left a temporary file.
    in_writes: usize,
    /// Chains of kills, each continued to its end.
    chains: usize,
    /// Those whose result is that of an undisturbed process.
    equal: usize,
    torn: usize,
}

pub(super) fn run(args: &Args, world: &World, figures: &mut Figures) -> anyhow::Result<()> {
    let cases: Vec<&Case> = CASES.iter().filter(|case| case.name.contains(&args.case)).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
    for (index, case) in cases.iter().enumerate() {
        let kills = args.kills * (index + 1) / cases.len() - args.kills * index / cases.len();
        kill(case, kills, world, &mut rng, figures).with_context(|| case.name)?;
    }
    Ok(())
}

/// Runs a case undisturbed; returns its result and how long it takes.
pub(super) fn undisturbed(case: &Case, world: &World) -> anyhow::Result<(Content, Duration)> {
    let out = world.fresh("whole")?;
    case.prepare(world, &out)?;
    let ended = world.finish(&mut case.start(world, &out))?;
    ensure!(ended.status == Some(0), "fails undisturbed:\n{}", ended.stderr);
    Ok((content(case, &out)?, ended.time))
}

/// Continues a case to its end, and compares the result.
pub(super) fn continued(case: &Case, world: &World, out: &Path, whole: &Content) -> anyhow::Result<Option<String>> {
    if let Some(words) = case.continued(out) {
        let ended = world.finish(&mut world.radapter(&words, out))?;
        if ended.status != Some(0) {
            return Ok(Some(format!("cannot be continued: {:?} {}", ended.status, ended.end())));
        }
    }
    Ok(match content(case, out) {
        Ok(found) => difference(whole, &found),
        Err(error) => Some(format!("{error:#}")),
    })
}

fn kill(case: &Case, kills: usize, world: &World, rng: &mut ChaCha8Rng, figures: &mut Figures) -> anyhow::Result<()> {
    let (whole, first) = undisturbed(case, world)?;
    let (again, second) = undisturbed(case, world)?;
    figures.check(again == whole, || {
        format!("{}: differs without a fault: {}", case.name, difference(&whole, &again).unwrap_or_default())
    });
    let duration = first.max(second);
    let mut tally = Tally::default();
    while tally.kills < kills {
        let out = world.fresh("killed")?;
        case.prepare(world, &out)?;
        let before = tally.kills;
        let number = tally.chains;
        for _ in 0..rng.random_range(1..=CHAIN.min(kills - before)) {
            let moment = match rng.random_bool(0.5) {
                true => Moment::After(duration.mul_f64(rng.random())),
                false => Moment::Write(rng.random_range(1..=WRITES), Duration::from_micros(rng.random_range(0..2000))),
            };
            let Some(words) = case.continued(&out) else { break };
            let mut child = world.radapter(&words, &out).spawn()?;
            if !die(&mut child, &moment, &out)? {
                break;
            }
            tally.kills += 1;
            tally.in_writes += usize::from(has_temporary(&out));
            if let Err(error) = torn(case, &out, Some(&whole)) {
                tally.torn += 1;
                figures.finding(format!("{}, chain {number}: {error:#}", case.name));
            }
        }
        if tally.kills == before {
            continue;
        }
        tally.chains += 1;
        match continued(case, world, &out, &whole)? {
            None => tally.equal += 1,
            Some(difference) => {
                let kept = std::env::temp_dir()
                    .join(format!("radapter-faults-kept-{}-{number}", case.name.replace([' ', ','], "-")));
                super::world::copy(&out, &kept)?;
                figures.finding(format!("{}, chain {number}: {difference} (kept in {})", case.name, kept.display()));
            }
        }
    }
    let Tally { kills, in_writes, chains, equal, torn } = tally;
    let took = duration.as_secs_f64();
    figures.row(
        "kill -9",
        &format!("{} ({took:.1} s)", case.name),
        kills,
        format!("{in_writes} with a file half written; {equal} of {chains} results equal; {torn} torn files"),
    );
    Ok(())
}

/// Kills a process at a moment; `false` if it ended before.
fn die(child: &mut Child, moment: &Moment, out: &Path) -> anyhow::Result<bool> {
    let begun = Instant::now();
    let (mut seen, mut there) = (0, has_temporary(out));
    loop {
        if child.try_wait()?.is_some() {
            return Ok(false);
        }
        let now = match moment {
            Moment::After(time) => begun.elapsed() >= *time,
            Moment::Write(number, _) => {
                let before = std::mem::replace(&mut there, has_temporary(out));
                seen += usize::from(there && !before);
                seen >= *number
            }
        };
        if now {
            break;
        }
        std::thread::sleep(LOOK);
    }
    if let Moment::Write(_, after) = moment {
        std::thread::sleep(*after);
    }
    child.kill()?;
    Ok(child.wait()?.code().is_none())
}
