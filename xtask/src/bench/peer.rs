//! The peer: other programs' ways to do the same work, which `bench/peer.py` declares and runs.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

use super::measurement::Measurement;
use super::run::reply;
use super::{Args, Part};

/// The value of `--peer-preload` that preloads nothing.
pub(crate) const NO_PRELOAD: &str = "none";

/// A mode of `bench/peer.py`.
#[derive(Clone, Deserialize)]
struct Mode {
    key: String,
    name: String,
}

/// A mode, and the library that its process starts with.
pub(crate) struct Way {
    key: String,
    preload: Option<String>,
    /// Both, as the table names them.
    pub(crate) name: String,
}

/// The peer's answer: figures, or why the mode cannot do this work here.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Reply<T> {
    Skipped {
        skipped: String,
    },
    Figures {
        #[serde(flatten)]
        figures: T,
        #[serde(default)]
        note: Option<String>,
    },
}

/// The script with its Python and device.
pub(crate) fn command(python: &Path, device: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/peer.py")).args(["--device", device]);
    command
}

/// The ways that the arguments ask for; none without `--peer`.
///
/// # Errors
/// If the peer does not run, has no such mode, or a library to preload is missing: before anything is measured.
pub(crate) fn ways(args: &Args) -> anyhow::Result<Vec<Way>> {
    let Some(python) = &args.peer else { return Ok(Vec::new()) };
    let modes: Vec<Mode> = reply(command(python, &args.device).arg("--list"))?;
    let mut ways = Vec::new();
    for key in &args.peer_mode {
        let Some(mode) = modes.iter().find(|mode| mode.key == *key) else {
            let known: Vec<&str> = modes.iter().map(|mode| mode.key.as_str()).collect();
            bail!("--peer-mode: the peer has no mode `{key}`; expected one of {}", known.join(", "));
        };
        for preload in &args.peer_preload {
            ways.push(Way::new(mode, preload)?);
        }
    }
    Ok(ways)
}

impl Way {
    fn new(mode: &Mode, preload: &str) -> anyhow::Result<Self> {
        if preload == NO_PRELOAD {
            return Ok(Self { key: mode.key.clone(), preload: None, name: mode.name.clone() });
        }
        let path = Path::new(preload);
        ensure!(path.is_file(), "--peer-preload: {preload}: no such file; expected a shared library, or {NO_PRELOAD}");
        let file = path.file_name().context("a library has a file name")?.to_string_lossy();
        let name = format!("{}, {file}", mode.name);
        Ok(Self { key: mode.key.clone(), preload: Some(preload.to_owned()), name })
    }

    /// Does the work once, in a process of its own.
    pub(crate) fn measure(
        &self,
        python: &Path,
        args: &Args,
        arch: &str,
        part: Part,
    ) -> anyhow::Result<Reply<Measurement>> {
        let mut command = command(python, &args.device);
        command.args(["--arch", arch, "--part", part.name(), "--mode", &self.key]);
        command.args(["--batch", &args.batch_size.to_string(), "--steps", &args.steps.to_string()]);
        command.args(self.preload.iter().flat_map(|library| ["--preload", library]));
        reply(&mut command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_mode_is_no_figure_and_a_note_is_kept() {
        let skipped = serde_json::from_str::<Reply<Measurement>>(r#"{"mode": "onnx", "skipped": "only inference"}"#);
        assert!(matches!(skipped, Ok(Reply::Skipped { skipped }) if skipped == "only inference"));
        let figures = r#"{"mode": "eager", "seconds": 2, "samples_per_second": 16, "gemm_gflops": 1, "note": "slow"}"#;
        let found = serde_json::from_str::<Reply<Measurement>>(figures);
        assert!(matches!(found, Ok(Reply::Figures { figures, note: Some(_) }) if figures.seconds == 2.0));
    }

    #[test]
    fn a_missing_library_is_refused_and_a_present_one_is_named() {
        let mode = Mode { key: "eager".to_owned(), name: "PyTorch eager".to_owned() };
        assert!(Way::new(&mode, "/no/such/library.so").is_err());
        let file = tempfile::NamedTempFile::with_suffix(".so").expect("a temporary file");
        let way = Way::new(&mode, &file.path().display().to_string()).expect("the file is there");
        let file = file.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        assert_eq!(way.name, format!("PyTorch eager, {file}"));
    }
}
