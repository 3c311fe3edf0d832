//! Two processes on one directory, and directories that cannot be written.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::cases::{Case, case};
use super::disk::Mount;
use super::figures::Figures;
use super::intact::{content, difference};
use super::kills::undisturbed;
use super::world::{Ended, World, copy};

pub(super) fn run(world: &World, figures: &mut Figures) -> anyhow::Result<()> {
    for (name, file, words) in [
        ("train classification", "run/metrics.jsonl", "train --resume --out {out}/run"),
        ("index", "index/lock", "index --model embedded --images {root}/data/train/photo --moved --out {out}/index"),
    ] {
        second_process(case(name), file, words, world, figures).with_context(|| name.to_owned())?;
    }
    read_only(world, figures)
}

/// Sends a signal to a process.
pub(super) fn signal(child: &Child, name: &str) -> anyhow::Result<()> {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status()?;
    ensure!(sent.success(), "cannot send {name}");
    Ok(())
}

/// Waits until a process has created a file.
pub(super) fn wait_for(path: &std::path::Path, child: &mut Child) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !path.exists() {
        ensure!(child.try_wait()?.is_none(), "it ended before it created {}", path.display());
        ensure!(begun.elapsed() < Duration::from_secs(120), "no {}", path.display());
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// A second process on the directory of one that is stopped in its work.
fn second_process(case: &Case, file: &str, words: &str, world: &World, figures: &mut Figures) -> anyhow::Result<()> {
    let (whole, _) = undisturbed(case, world)?;
    let out = world.fresh("two")?;
    case.prepare(world, &out)?;
    let mut first = case.start(world, &out).spawn()?;
    wait_for(&out.join(file), &mut first)?;
    signal(&first, "STOP")?;
    let mut refused = 0;
    for words in [words, &case.words()] {
        let second = world.finish(&mut world.radapter(words, &out))?;
        let told = second.stderr.contains("another process") || second.stderr.contains("already holds a run");
        let right = second.status == Some(1) && told && !second.panicked();
        refused += usize::from(right);
        figures.check(right, || format!("{}: a second process: {:?} {}", case.name, second.status, second.end()));
    }
    signal(&first, "CONT")?;
    let ended = Ended::wait(first)?;
    figures.check(ended.status == Some(0), || format!("{}: the first of two processes: {}", case.name, ended.end()));
    let differs = difference(&whole, &content(case, &out)?);
    figures.check(differs.is_none(), || {
        format!("{}: the first of two: {}", case.name, differs.clone().unwrap_or_default())
    });
    let outcome = format!(
        "{refused} refused with the reason; the first one's result {}",
        if differs.is_none() { "equal" } else { "differs" }
    );
    figures.row("two processes", case.name, 2, outcome);
    Ok(())
}

/// A run, an index and pictures on a disk that is mounted read-only.
fn read_only(world: &World, figures: &mut Figures) -> anyhow::Result<()> {
    let disk = match Mount::new(&world.path("disk"), 64 << 20) {
        Ok(disk) => disk,
        Err(error) => {
            figures.skip(format!("read-only folders ({error})"));
            return Ok(());
        }
    };
    let out = world.path("disk");
    copy(&world.path("run"), &out.join("run"))?;
    copy(&world.path("index"), &out.join("index"))?;
    std::fs::remove_file(out.join("run/report.json"))?;
    std::fs::create_dir(out.join("empty"))?;
    disk.again("ro")?;
    let scratch = world.fresh("read-only")?.display().to_string();
    let reading = [
        "inspect {out}/run".to_owned(),
        format!("merge --run {{out}}/run --out {scratch}/merged"),
        "search --index {out}/index --text circle".to_owned(),
        "eval classification --model {out}/run --data {root}/data/train/photo".to_owned(),
    ];
    let mut read = 0;
    for words in &reading {
        let ended = world.finish(&mut world.radapter(words, &out))?;
        read += usize::from(figures.check(ended.status == Some(0), || format!("read-only: {words}: {}", ended.end())));
    }
    figures.row(
        "read-only disk",
        "reading from it: inspect, merge, search, eval",
        reading.len(),
        format!("{read} work"),
    );
    let writing = [
        "train --resume --out {out}/run".to_owned(),
        "train classification --model embedded --train {root}/data/train/photo --out {out}/empty".to_owned(),
        "index --model embedded --images {root}/data/train/photo --moved --out {out}/index".to_owned(),
        "index --model embedded --images {root}/data/train/photo --out {out}/new".to_owned(),
        "merge --run {root}/run --out {out}/merged".to_owned(),
        "sweep --run {root}/run --suite {root}/suite.toml --out {out}/swept".to_owned(),
        "embed --model embedded --images {root}/data/train/photo --out {out}/rows.safetensors".to_owned(),
        "train classification --model embedded --train {root}/data/train/photo --out {root}/out/read-only/run --steps 1 \
         --pixel-cache {out}/pixels"
            .to_owned(),
    ];
    let mut refused = 0;
    for words in &writing {
        let ended = world.finish(&mut world.radapter(words, &out))?;
        let named =
            ended.stderr.contains("Read-only file system") && ended.stderr.contains(&*out.display().to_string());
        let right = ended.status == Some(1) && named && !ended.panicked();
        refused +=
            usize::from(figures.check(right, || format!("read-only: {words}: {:?} {}", ended.status, ended.end())));
    }
    let outcome = format!("{refused} refused with path and reason");
    figures.row(
        "read-only disk",
        "writing to it: train, index, merge, sweep, embed, pixel cache",
        writing.len(),
        outcome,
    );
    Ok(())
}
