//! `cargo xtask faults`: kills, full disks, little memory, concurrent processes and clock changes; the command loses nothing.
//!
//! The command computes on tiny drawn data with the embedded model. What it leaves behind after a fault must be intact, and what
//! it makes of that afterwards equal to the bit to the result of a process that nothing disturbed.

mod cases;
mod clock;
mod disk;
mod figures;
mod intact;
mod kills;
mod memory;
mod refused;
mod signals;
mod syscalls;
mod world;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use clap::ValueEnum;

use crate::page;
use figures::Figures;
use world::World;

/// A group of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// kill -9 at random moments
    Kills,
    /// A full disk, by a small tmpfs; needs root
    Disk,
    /// fsync before and after each rename, by strace
    Syscalls,
    /// Two processes on one directory, and folders that are read-only
    Refused,
    /// SIGTERM, closed stdout and stderr
    Signals,
    /// A clock that jumps back, files from the future
    Clock,
    /// A limit of the address space
    Memory,
}

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The faults to cause [default: all]
    #[arg(long, value_delimiter = ',')]
    part: Vec<Part>,
    /// Kills in all, spread evenly over the cases
    #[arg(long, default_value_t = 300)]
    kills: usize,
    /// Seed of the moments
    #[arg(long, default_value_t = 15)]
    seed: u64,
    /// Only cases whose name contains this text
    #[arg(long, default_value = "")]
    case: String,
    /// The command [default: built by cargo]
    #[arg(long, value_name = "FILE")]
    command: Option<PathBuf>,
    /// Write the table into `reliability.md` of this folder
    #[arg(long)]
    docs: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let page = args.docs.as_ref().map(|docs| docs.join("reliability.md"));
    page.iter().try_for_each(|page| page::check(page, "faults"))?;
    let world = World::new(command(args)?)?;
    let mut figures = Figures::default();
    let parts = if args.part.is_empty() { Part::value_variants() } else { &args.part };
    for part in parts {
        eprintln!("== {part:?}");
        match part {
            Part::Kills => kills::run(args, &world, &mut figures)?,
            Part::Disk => disk::run(args, &world, &mut figures)?,
            Part::Syscalls => syscalls::run(args, &world, &mut figures)?,
            Part::Refused => refused::run(&world, &mut figures)?,
            Part::Signals => signals::run(&world, &mut figures)?,
            Part::Clock => clock::run(&world, &mut figures)?,
            Part::Memory => memory::run(&world, &mut figures)?,
        }
    }
    let text = figures.markdown();
    println!("{text}");
    page.iter().try_for_each(|page| page::replace(page, "faults", &text))?;
    ensure!(figures.findings.is_empty(), "{} findings, listed above", figures.findings.len());
    Ok(())
}

/// The command that is tested, as its users build it.
fn command(args: &Args) -> anyhow::Result<PathBuf> {
    if let Some(command) = &args.command {
        return command.canonicalize().with_context(|| format!("no command at {}", command.display()));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace's folder")?;
    let built = Command::new("cargo").args(["build", "--release", "-p", "radapter"]).current_dir(root).status()?;
    ensure!(built.success(), "the command does not build");
    let beside = std::env::current_exe()?.with_file_name("radapter");
    ensure!(beside.exists(), "no command at {}; name it by --command", beside.display());
    Ok(beside)
}
