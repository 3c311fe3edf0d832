//! A run of this command as a child process, so that its memory and its end are its own.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use radapter_files::io_error;

use crate::command::failure::Interrupted;

/// How often a child is asked whether it has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// Starts children.
pub(super) struct Children {
    /// Where their output goes.
    pub(super) logs: PathBuf,
    pub(super) interrupt: Arc<AtomicBool>,
    /// The folder of the comparison, for messages.
    pub(super) out: PathBuf,
}

/// A child that ended well.
pub(super) struct Done {
    pub(super) stdout: Vec<u8>,
    pub(super) seconds: f64,
}

impl Children {
    /// Runs a child to its end; `name` names its log.
    ///
    /// # Errors
    /// [`Interrupted`], what the child gave as its error, and the system's errors.
    pub(super) fn run(&self, name: &str, arguments: Vec<OsString>) -> anyhow::Result<Done> {
        self.check()?;
        let binary = std::env::current_exe().context("cannot find this command's own file")?;
        let (log, results) = (self.logs.join(format!("{name}.log")), self.logs.join(format!("{name}.out")));
        let create = |path: &Path| File::create(path).map_err(io_error("write", path));
        let mut command = Command::new(binary);
        command.args(arguments);
        command.stdin(Stdio::null()).stdout(create(&results)?).stderr(create(&log)?);
        // Ctrl-C reaches this process alone, which passes it on once; a second one would make the child give up.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let started = Instant::now();
        let status = self.wait(&mut command)?;
        let stdout = std::fs::read(&results).map_err(io_error("read", &results))?;
        std::fs::remove_file(&results).map_err(io_error("remove", &results))?;
        if status.success() {
            return Ok(Done { stdout, seconds: started.elapsed().as_secs_f64() });
        }
        self.check()?;
        anyhow::bail!("{} (log: {})", reason(&log, status), log.display())
    }

    /// Ends the comparison if it was interrupted.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        match self.interrupt.load(Ordering::Relaxed) {
            true => Err(Interrupted::comparison(&self.out).into()),
            false => Ok(()),
        }
    }

    fn wait(&self, command: &mut Command) -> anyhow::Result<ExitStatus> {
        let mut child = command.spawn().context("cannot start this command again")?;
        let mut asked = false;
        loop {
            if let Some(status) = child.try_wait().context("cannot wait for a child process")? {
                return Ok(status);
            }
            if !asked && self.interrupt.load(Ordering::Relaxed) {
                asked = true;
                #[cfg(unix)]
                pass_on(&child);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// Interrupts a child, which then saves and ends.
#[cfg(unix)]
fn pass_on(child: &std::process::Child) {
    let id = rustix::process::Pid::from_child(child);
    if let Err(error) = rustix::process::kill_process(id, rustix::process::Signal::INT) {
        // It has just ended, which the next look finds.
        tracing::debug!("cannot interrupt a child process: {error}");
    }
}

/// The error that a child printed at its end, on one line.
fn reason(log: &Path, status: ExitStatus) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.starts_with("For more information")).collect();
    let start = lines.iter().rposition(|line| line.starts_with("error: "));
    match start {
        Some(start) => lines[start..].join("; ").trim_start_matches("error: ").to_owned(),
        None => format!("the process ended without a message, {status}"),
    }
}
