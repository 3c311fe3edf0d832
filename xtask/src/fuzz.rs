//! `cargo xtask fuzz`: runs the fuzz targets, adds their figures to a file, and writes the table of `docs/reliability.md`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use radapter_fuzz::{Parser, TARGETS, Target};
use serde::{Deserialize, Serialize};

use crate::page;

/// Bytes of a target's corpus in the repository.
const CORPUS_BYTES: u64 = 24 << 10;
/// Files of a target's corpus in the repository.
const CORPUS_FILES: usize = 64;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Targets; all if none is named
    targets: Vec<String>,
    /// Folder of the binaries that `cargo fuzz build` made
    #[arg(long, value_name = "DIR", default_value = "fuzz/target/x86_64-unknown-linux-gnu/release")]
    binaries: PathBuf,
    /// Folder for growing corpora and for inputs that make a target fail
    #[arg(long, value_name = "DIR", default_value = "target/fuzz")]
    work: PathBuf,
    /// Folder with more inputs to begin with, `DIR/TARGET/*`
    #[arg(long, value_name = "DIR")]
    seeds: Option<PathBuf>,
    /// Executions of a target whose parser is this project's
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    executions: u64,
    /// Executions of a target whose parser is a library's
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    library_executions: u64,
    /// End a target after this time, whatever its number of executions
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// Replace the targets' corpora in the repository by the smallest inputs that reach the same code
    #[arg(long)]
    minimize: bool,
    /// File that collects the figures of all runs
    #[arg(long, value_name = "FILE", default_value = "target/fuzz/figures.json")]
    figures: PathBuf,
    /// Folder of the docs whose table is written from the figures
    #[arg(long, value_name = "DIR")]
    docs: Option<PathBuf>,
}

/// Figures of a target, summed over its runs.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Figures {
    executions: u64,
    seconds: u64,
    /// Edges of the control flow that some input takes, as of the last run.
    edges: u64,
    /// Those, together with how often they are taken and what was compared.
    features: u64,
    /// Inputs that are kept because each takes an edge of its own.
    inputs: u64,
    /// Inputs that made the target fail, over all runs.
    failures: u64,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace's folder")?;
    for name in &args.targets {
        ensure!(TARGETS.iter().any(|target| target.name == name), "no target `{name}`; `cargo fuzz list` lists them");
    }
    let page = args.docs.as_ref().map(|docs| docs.join("reliability.md"));
    page.iter().try_for_each(|page| page::check(page, "fuzz"))?;
    let cannot_read = || format!("cannot read {}", args.figures.display());
    let mut all: BTreeMap<String, Figures> = match fs::read(&args.figures) {
        Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
        text => serde_json::from_slice(&text.with_context(cannot_read)?).with_context(cannot_read)?,
    };
    let mut failed = Vec::new();
    for target in
        TARGETS.iter().filter(|target| args.targets.is_empty() || args.targets.iter().any(|n| n == target.name))
    {
        if args.minimize {
            minimize(target, args, root)?;
            continue;
        }
        let wanted = match target.parser {
            Parser::Ours => args.executions,
            Parser::Library => args.library_executions,
        };
        let figures = all.entry(target.name.to_owned()).or_default();
        if wanted <= figures.executions {
            continue;
        }
        let found = fuzz(target, wanted - figures.executions, args, root)?;
        println!("{}: {found:?}", target.name);
        if found.failures > 0 {
            failed.push(target.name);
        }
        *figures = Figures {
            executions: figures.executions + found.executions,
            seconds: figures.seconds + found.seconds,
            failures: figures.failures + found.failures,
            ..found
        };
        page::save(&args.figures, &serde_json::to_string_pretty(&all)?)?;
    }
    page.iter().try_for_each(|page| page::replace(page, "fuzz", &table(&all)))?;
    ensure!(
        failed.is_empty(),
        "failing inputs of {} are in {}",
        failed.join(", "),
        args.work.join("failures").display()
    );
    Ok(())
}

fn binary(target: &Target, args: &Args) -> anyhow::Result<Command> {
    let path = args.binaries.join(target.name);
    ensure!(
        path.is_file(),
        "{} is missing; build it with `cargo fuzz build -s none -O -a --features fuzzing`, or name its folder with --binaries",
        path.display()
    );
    Ok(Command::new(path))
}

/// The corpora of a target: the growing one, the one in the repository, and the seeds.
fn corpora(target: &Target, args: &Args, root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let growing = args.work.join("corpus").join(target.name);
    fs::create_dir_all(&growing).with_context(|| format!("cannot create {}", growing.display()))?;
    let others = [Some(root.join("fuzz/corpus")), args.seeds.clone()];
    let others = others.into_iter().flatten().map(|folder| folder.join(target.name)).filter(|folder| folder.is_dir());
    Ok(std::iter::once(growing).chain(others).collect())
}

/// Runs a target until it has done so many executions, fails or runs out of time.
fn fuzz(target: &Target, executions: u64, args: &Args, root: &Path) -> anyhow::Result<Figures> {
    let failures = args.work.join("failures").join(target.name);
    fs::create_dir_all(&failures).with_context(|| format!("cannot create {}", failures.display()))?;
    let before = fs::read_dir(&failures)?.count();
    let mut command = binary(target, args)?;
    command
        .args(corpora(target, args, root)?)
        .arg(format!("-runs={executions}"))
        .arg(format!("-max_len={}", target.max_len))
        .arg(format!("-artifact_prefix={}/", failures.display()))
        .args(["-timeout=20", "-rss_limit_mb=2048", "-reload=0"])
        .args(args.seconds.map(|seconds| format!("-max_total_time={seconds}")))
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
    let log = args.work.join(format!("{}.log", target.name));
    let mut lines = Vec::new();
    for line in BufReader::new(child.stderr.take().context("stderr is piped")?).lines() {
        lines.push(line?);
    }
    child.wait()?;
    page::save(&log, &lines.join("\n"))?;
    let seconds = start.elapsed().as_secs();
    let failures = (fs::read_dir(&failures)?.count() - before) as u64;
    // `#1234  NEW  cov: 5 ft: 6 corp: 7/89b …`
    let Some(last) = lines.iter().rev().find(|line| line.starts_with('#') && line.contains(" cov: ")) else {
        bail!("{} printed no statistics; see {}", target.name, log.display());
    };
    let words: Vec<&str> = last.split_whitespace().collect();
    let after = |key: &str| {
        let at = words.iter().position(|word| *word == key)?;
        words.get(at + 1)?.split('/').next()?.parse::<u64>().ok()
    };
    // `Done 1234 runs in 5 second(s)` ends a run without a failure.
    let done = lines.iter().find_map(|line| line.strip_prefix("Done ")?.split(' ').next()?.parse().ok());
    let executions = done.or_else(|| words[0][1..].parse().ok()).unwrap_or(0);
    let [edges, features, inputs] = ["cov:", "ft:", "corp:"].map(|key| after(key).unwrap_or(0));
    Ok(Figures { executions, seconds, edges, features, inputs, failures })
}

/// Replaces a target's corpus in the repository.
fn minimize(target: &Target, args: &Args, root: &Path) -> anyhow::Result<()> {
    let merged = tempfile::tempdir()?;
    let mut command = binary(target, args)?;
    command.arg("-merge=1").arg(format!("-max_len={}", target.max_len)).arg(merged.path());
    let status = command.args(corpora(target, args, root)?).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "{command:?} failed: {status}");
    let mut inputs = Vec::new();
    for entry in fs::read_dir(merged.path())? {
        let path = entry?.path();
        inputs.push((fs::metadata(&path)?.len(), path));
    }
    inputs.sort();
    let folder = root.join("fuzz/corpus").join(target.name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let (mut bytes, mut kept) = (0, 0);
    for (length, path) in inputs.iter().step_by(inputs.len().div_ceil(CORPUS_FILES).max(1)) {
        bytes += length;
        if bytes > CORPUS_BYTES {
            break;
        }
        fs::copy(path, folder.join(path.file_name().context("a file has a name")?))?;
        kept += 1;
    }
    println!("{}: {kept} of {} inputs", target.name, inputs.len());
    Ok(())
}

fn table(all: &BTreeMap<String, Figures>) -> String {
    let mut table = "| target | parser | executions | seconds | edges | features | inputs kept | failing inputs |\n|---|---|---:|---:|---:|---:|---:|---:|\n".to_owned();
    for target in TARGETS {
        let Some(Figures { executions, seconds, edges, features, inputs, failures }) = all.get(target.name) else {
            continue;
        };
        let parser = match target.parser {
            Parser::Ours => "ours",
            Parser::Library => "library",
        };
        let name = target.name;
        table += &format!(
            "| `{name}` | {parser} | {executions} | {seconds} | {edges} | {features} | {inputs} | {failures} |\n"
        );
    }
    table
}
