//! A limit of the address space.

use super::cases::case;
use super::figures::Figures;
use super::intact::torn;
use super::kills::{continued, undisturbed};
use super::world::{World, is_installed};

/// Limits per case, evenly from nothing to what the case needs.
const LIMITS: u64 = 16;
/// Address space that is enough for every case.
const ENOUGH: u64 = 4 << 30;

pub(super) fn run(world: &World, figures: &mut Figures) -> anyhow::Result<()> {
    if !is_installed("prlimit") {
        figures.skip("a limit of the address space (no prlimit)".to_owned());
        return Ok(());
    }
    for name in ["train classification", "train segmentation", "index", "merge"] {
        let case = case(name);
        let (whole, _) = undisturbed(case, world)?;
        let limited = |limit: u64| -> anyhow::Result<_> {
            let out = world.fresh("limited")?;
            case.prepare(world, &out)?;
            let limit = format!("--as={limit}");
            let ended = world.finish(&mut world.under(&["prlimit", &limit, "--core=0"], &case.words(), &out))?;
            Ok((out, ended))
        };
        // About the smallest limit that is enough; the allocator does not need the same every time.
        let (mut least, mut most) = (0, ENOUGH);
        while most - least > 4 << 20 {
            let middle = least.midpoint(most);
            match limited(middle)?.1.status {
                Some(0) => most = middle,
                _ => least = middle,
            }
        }
        let (mut told, mut aborted, mut finished, mut equal) = (0, 0, 0, 0);
        for number in 1..=LIMITS {
            let (out, ended) = limited(most * number / LIMITS)?;
            match ended.status {
                Some(0) => finished += 1,
                Some(1) if !ended.panicked() => told += 1,
                // The loader found no room for a library.
                Some(127) => aborted += 1,
                Some(status) => figures.finding(format!("{name} ended with status {status}: {}", ended.end())),
                None => aborted += 1,
            }
            let problem = match torn(case, &out, Some(&whole)) {
                Err(error) => Some(format!("{error:#}")),
                Ok(()) => continued(case, world, &out, &whole)?,
            };
            let problem =
                problem.map(|problem| format!("{name} limited to {number}/{LIMITS} of {most} bytes: {problem}"));
            equal += usize::from(figures.check(problem.is_none(), || problem.unwrap_or_default()));
        }
        let outcome = format!(
            "{told} ended with an error, {aborted} aborted by the allocator or the loader, {finished} finished; {equal} intact, and equal without the limit"
        );
        figures.row("address space", &format!("{name} (limits up to {} MiB)", most >> 20), LIMITS as usize, outcome);
    }
    Ok(())
}
