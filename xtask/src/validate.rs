//! What must pass before a change is shared.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

/// Runs `.ci/run`, the one list of checks, cheapest first.
pub(crate) fn run() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace's folder")?;
    let script = root.join(".ci/run");
    let status = Command::new(&script).status().with_context(|| format!("cannot run {}", script.display()))?;
    ensure!(status.success(), "{} failed: {status}", script.display());
    Ok(())
}
