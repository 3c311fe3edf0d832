//! Support code that the tests share.

mod command;
mod data;
mod model;
#[cfg(unix)]
mod terminal;
mod trained;

pub(crate) use command::{Done, Invocation, radapter};
pub(crate) use data::{classes_folder, drawn, solid_png, write_suite};
pub(crate) use model::{embeddings, safetensors_metadata, tensor, tiny_checkpoint, tiny_config, tiny_model};
#[cfg(unix)]
pub(crate) use terminal::Terminal;
pub(crate) use trained::{CLASSES, SHORT, trained, training};

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder of its own for a test, removed after it.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A path in the folder.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file into the folder.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The sorted names in a subfolder; empty if it does not exist.
    pub(crate) fn names(&self, name: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.join(name)) else {
            return Vec::new();
        };
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }
}

/// The golden files of another program, if they exist.
pub(crate) fn golden() -> Option<PathBuf> {
    shared("RADAPTER_GOLDEN", "golden/clip-small")
}

fn shared(variable: &str, default: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(default);
    let path = std::env::var_os(variable).map_or_else(beside, PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: {} does not exist ({variable} names another folder)", path.display());
    None
}
