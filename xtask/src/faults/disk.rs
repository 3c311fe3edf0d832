//! A disk that is full: a small tmpfs as the folder of a run, an index, a merged checkpoint.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;

use super::Args;
use super::cases::{CASES, Case};
use super::figures::Figures;
use super::intact::{Content, torn};
use super::kills::{continued, undisturbed};
use super::world::{World, files};

/// Sizes of the disk per case.
const SIZES: u64 = 12;
/// The largest, by the size of the result: temporary files need room beside it.
const LARGEST: f64 = 1.3;
/// A disk with room for everything.
const ROOM: u64 = 256 << 20;
const PAGE: u64 = 4096;

/// A mounted tmpfs, unmounted when dropped.
pub(super) struct Mount(PathBuf);

impl Mount {
    /// Mounts an empty tmpfs of some bytes. Fails without root.
    pub(super) fn new(path: &Path, size: u64) -> anyhow::Result<Self> {
        std::fs::create_dir_all(path)?;
        let mount = Self(path.to_owned());
        mount.mount(&format!("size={size}"))?;
        Ok(mount)
    }

    /// Changes the options.
    pub(super) fn again(&self, options: &str) -> anyhow::Result<()> {
        self.mount(&format!("remount,{options}"))
    }

    fn mount(&self, options: &str) -> anyhow::Result<()> {
        let done =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "radapter-faults"]).arg(&self.0).output()?;
        ensure!(done.status.success(), "cannot mount a tmpfs: {}", String::from_utf8_lossy(&done.stderr).trim());
        Ok(())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).output();
    }
}

pub(super) fn run(args: &Args, world: &World, figures: &mut Figures) -> anyhow::Result<()> {
    if let Err(error) = Mount::new(&world.path("disk"), PAGE) {
        figures.skip(format!("a full disk ({error})"));
        return Ok(());
    }
    for case in CASES.iter().filter(|case| case.name.contains(&args.case) && !case.name.contains("cache")) {
        let (whole, _) = undisturbed(case, world)?;
        let used: u64 = files(&world.path("out/whole"))?
            .iter()
            .map(|file| Ok(std::fs::metadata(file)?.len().next_multiple_of(PAGE)))
            .sum::<std::io::Result<u64>>()?;
        let before = match case.kind {
            super::cases::Kind::Index => used / 2,
            _ => PAGE,
        };
        let (mut failed, mut equal, mut too_small) = (0, 0, 0);
        for number in 0..SIZES {
            let largest = (LARGEST * used as f64) as u64;
            let size = before + (largest - before) * number / SIZES;
            match fill(case, world, size.next_multiple_of(PAGE), &whole)? {
                Ok(Some(full)) => {
                    failed += usize::from(full);
                    equal += 1;
                }
                Ok(None) => too_small += 1,
                Err(problem) => figures.finding(format!("{} on a disk of {size} bytes: {problem}", case.name)),
            }
        }
        let sizes = SIZES as usize - too_small;
        let outcome =
            format!("{failed} failed with an error that names the file; {equal} of {sizes} equal once there was room");
        figures.row("full disk (tmpfs)", case.name, sizes, outcome);
    }
    Ok(())
}

/// Runs a case on a disk of some bytes, then with room. Returns whether the disk was full, or what is wrong; `None` for a disk that
/// is smaller than what the case begins with.
fn fill(case: &Case, world: &World, size: u64, whole: &Content) -> anyhow::Result<Result<Option<bool>, String>> {
    let disk = Mount::new(&world.path("disk"), ROOM)?;
    let out = world.path("disk/out");
    std::fs::create_dir(&out)?;
    case.prepare(world, &out)?;
    if disk.again(&format!("size={size}")).is_err() {
        return Ok(Ok(None));
    }
    let ended = world.finish(&mut case.start(world, &out))?;
    let full = ended.status != Some(0);
    if full {
        let named = ended.stderr.contains("o space left") && ended.stderr.contains("disk/out");
        if ended.status != Some(1) || ended.panicked() || !named {
            return Ok(Err(format!("exit status {:?}: {}", ended.status, ended.end())));
        }
        if let Err(error) = torn(case, &out, Some(whole)) {
            return Ok(Err(format!("{error:#}")));
        }
    }
    disk.again(&format!("size={ROOM}"))?;
    Ok(match continued(case, world, &out, whole)? {
        None => Ok(Some(full)),
        Some(difference) => Err(difference),
    })
}
