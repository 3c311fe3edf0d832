//! Why settings cannot be used.

use std::fmt;
use std::path::PathBuf;

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line of a file, counted from 1.
    File {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// Something with a name: `--set`, a flag, a recipe.
    Named(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// No setting has this key.
    #[error("unknown setting `{key}` in {origin}{hint}")]
    UnknownKey {
        /// The dotted key.
        key: String,
        /// Where it was given.
        origin: Origin,
        /// Keys of similar names, or all.
        hint: String,
    },
    /// A value of the wrong type, out of range, or that names nothing.
    #[error("{key} = {found} in {origin} is refused: {expected}")]
    Value {
        /// The dotted key.
        key: String,
        /// The value.
        found: String,
        /// Where it was given.
        origin: Origin,
        /// What it has to be.
        expected: String,
    },
    /// Settings that exclude each other, or one that needs another.
    #[error("{key} = {found} is refused: {expected}")]
    Conflict {
        /// The dotted key.
        key: &'static str,
        /// The value.
        found: String,
        /// What it has to be, and because of what.
        expected: &'static str,
    },
    /// A `--set` without `=`.
    #[error("`{text}` is not a setting: expected key=value, as in lr=1e-4 or loss.margin=0.1")]
    NoAssignment {
        /// The text.
        text: String,
    },
    /// A key that goes through a value, as `lr.x` does.
    #[error("`{key}`: `{part}` is a value, not a group of settings")]
    NotAGroup {
        /// The dotted key.
        key: String,
        /// Its part that is a value.
        part: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {path}: {error}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Text that is not TOML.
    #[error("{origin} is not TOML: {reason}")]
    Syntax {
        /// The file.
        origin: String,
        /// What the parser said, with the place.
        reason: String,
    },
    /// Recorded settings that lack a key or have one too many.
    #[error("the settings are incomplete: {reason}")]
    Incomplete {
        /// What the parser said.
        reason: String,
    },
}
