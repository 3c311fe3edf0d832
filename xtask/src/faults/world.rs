//! Tiny drawn data, a run to merge and sweep, and the command that works on them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use radapter::datasets::shapes::{self, Domain, Split};
use tempfile::TempDir;

/// Images per domain.
const IMAGES: u64 = 24;

/// A folder with data, and the command under test.
pub(crate) struct World {
    root: TempDir,
    command: PathBuf,
}

/// How a process ended.
pub(crate) struct Ended {
    /// The exit status; `None` after a signal.
    pub(crate) status: Option<i32>,
    pub(crate) stderr: String,
    pub(crate) time: Duration,
}

impl World {
    /// Draws the data and trains the run.
    pub(crate) fn new(command: PathBuf) -> anyhow::Result<Self> {
        let root = tempfile::Builder::new().prefix("radapter-faults-").tempdir()?;
        let world = Self { root, command };
        let data = world.path("data");
        let scenes = shapes::World::new(15);
        shapes::write(&scenes, &data, Split::Train, &[Domain::Photo, Domain::Sketch], IMAGES, false)?;
        shapes::write(&scenes, &world.path("several"), Split::Train, &[Domain::Photo], IMAGES, true)?;
        let classes = shapes::label_names().join("\n");
        std::fs::write(world.path("labels.txt"), classes)?;
        let suite = "[id]\nname = \"photo\"\ndata = \"data/train/photo\"\n\n[[ood]]\nname = \"sketch\"\ndata = \"data/train/sketch\"\n";
        std::fs::write(world.path("suite.toml"), suite)?;
        world.draw_changing_folder()?;
        let words = "train classification --model embedded --train {root}/data/train/photo --steps 2 --batch-size 8 \
                     --set val_fraction=0 --set adapter.rank=2 --out {root}/run";
        let trained = world.finish(&mut world.radapter(words, &world.path("unused")))?;
        ensure!(trained.status == Some(0), "cannot train the run:\n{}", trained.stderr);
        Ok(world)
    }

    /// `part` has images of the index before its update: some stay, some change, some are gone after it.
    fn draw_changing_folder(&self) -> anyhow::Result<()> {
        let (photos, part) = (self.path("data/train/photo"), self.path("part"));
        for (number, path) in files(&photos)?.iter().enumerate() {
            let target = part.join(path.strip_prefix(&photos)?);
            std::fs::create_dir_all(target.parent().context("a folder")?)?;
            match number % 4 {
                // The same file, with its time.
                0 | 1 => std::fs::hard_link(path, &target)?,
                2 => drop(std::fs::copy(path, target.with_file_name(format!("gone-{number}.png")))?),
                _ => {}
            }
        }
        let made =
            self.finish(&mut self.radapter("index --model embedded --images {root}/part --out {root}/index", &part))?;
        ensure!(made.status == Some(0), "cannot make the index:\n{}", made.stderr);
        Ok(())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The command with arguments, given as one text that is split at spaces; `{root}` is the folder of the data, `{out}` that
    /// of the results.
    pub(crate) fn radapter(&self, words: &str, out: &Path) -> Command {
        self.under(&[], words, out)
    }

    /// As [`radapter`](Self::radapter), started by another program, such as strace.
    pub(crate) fn under(&self, program: &[&str], words: &str, out: &Path) -> Command {
        let mut command = match program {
            [] => Command::new(&self.command),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(&self.command);
                command
            }
        };
        let (root, out) = (self.root.path().display().to_string(), out.display().to_string());
        command.args(words.split_whitespace().map(|word| word.replace("{root}", &root).replace("{out}", &out)));
        // The number of threads decides the last bits.
        command
            .env("RAYON_NUM_THREADS", "2")
            .env_remove("RADAPTER_LOG")
            .env_remove("RUST_BACKTRACE")
            .env("RADAPTER_CACHE", self.path("cache"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a process to its end.
    #[allow(clippy::unused_self, reason = "reads as the world's own processes")]
    pub(crate) fn finish(&self, command: &mut Command) -> anyhow::Result<Ended> {
        let begun = Instant::now();
        let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
        Ok(Ended::of(output, begun.elapsed()))
    }

    /// An empty folder for the results of a process.
    pub(crate) fn fresh(&self, name: &str) -> anyhow::Result<PathBuf> {
        let out = self.path("out").join(name);
        if out.exists() {
            std::fs::remove_dir_all(&out)?;
        }
        std::fs::create_dir_all(&out)?;
        Ok(out)
    }
}

impl Ended {
    pub(crate) fn of(output: Output, time: Duration) -> Self {
        Self { status: output.status.code(), stderr: String::from_utf8_lossy(&output.stderr).into_owned(), time }
    }

    /// Waits for a process whose output is piped.
    pub(crate) fn wait(child: Child) -> anyhow::Result<Self> {
        let begun = Instant::now();
        Ok(Self::of(child.wait_with_output()?, begun.elapsed()))
    }

    pub(crate) fn panicked(&self) -> bool {
        ["panicked at", "RUST_BACKTRACE", "the device or a library failed"]
            .iter()
            .any(|word| self.stderr.contains(word))
    }

    /// The last lines on stderr, for a finding.
    pub(crate) fn end(&self) -> String {
        let lines: Vec<&str> = self.stderr.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(3)..].join(" / ")
    }
}

/// All files below a folder, sorted.
pub(crate) fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        // A folder may go while it is read.
        match path.is_dir() {
            true => found.extend(files(&path)?),
            false => found.push(path),
        }
    }
    found.sort();
    Ok(found)
}

/// Copies a folder.
pub(crate) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    for path in files(from)? {
        let target = to.join(path.strip_prefix(from)?);
        std::fs::create_dir_all(target.parent().context("a folder")?)?;
        std::fs::copy(&path, target)?;
    }
    Ok(())
}

/// Whether a program can be started.
pub(crate) fn is_installed(program: impl AsRef<OsStr>) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}
