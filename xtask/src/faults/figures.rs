//! The figures of all faults, as the table of the docs.

use std::fmt::Write as _;
use std::process::Command;

/// What was caused, and what it broke.
#[derive(Default)]
pub(crate) struct Figures {
    rows: Vec<[String; 4]>,
    /// Parts that this machine cannot run, and why.
    skipped: Vec<String>,
    pub(crate) findings: Vec<String>,
}

impl Figures {
    /// Adds a row: the fault, what it was caused in, how often, and how it ended.
    pub(crate) fn row(&mut self, fault: &str, on: &str, times: usize, outcome: String) {
        eprintln!("{fault}, {on}: {times} times; {outcome}");
        self.rows.push([fault.to_owned(), on.to_owned(), times.to_string(), outcome]);
    }

    /// Adds something that is not as it must be.
    pub(crate) fn finding(&mut self, text: String) {
        eprintln!("FINDING: {text}");
        self.findings.push(text);
    }

    /// Checks a condition, whose failure is a finding.
    pub(crate) fn check(&mut self, holds: bool, text: impl FnOnce() -> String) -> bool {
        if !holds {
            self.finding(text());
        }
        holds
    }

    pub(crate) fn skip(&mut self, why: String) {
        eprintln!("skipped: {why}");
        self.skipped.push(why);
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = "| fault | in | times | outcome |\n|---|---|---:|---|\n".to_owned();
        for [fault, on, times, outcome] in &self.rows {
            let _ = writeln!(text, "| {fault} | {on} | {times} | {outcome} |");
        }
        let _ = write!(text, "\nFindings: {}.", self.findings.len());
        for finding in &self.findings {
            let _ = write!(text, "\n* {}", finding.lines().next().unwrap_or_default());
        }
        for why in &self.skipped {
            let _ = write!(text, "\n\nSkipped: {why}.");
        }
        let day = Command::new("date").arg("+%F").output().map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let _ = write!(text, "\n\n{cores} cores, shared with other work, {}.", day.unwrap_or_default().trim());
        text
    }
}
