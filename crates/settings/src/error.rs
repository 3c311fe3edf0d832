//! Why settings cannot be used.

use std::fmt;
use std::path::PathBuf;

/// The place where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Origin {
    /// A line of a file, counted from 1.
    File { path: PathBuf, line: usize },
    /// A named source: `--set`, a flag, a recipe.
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
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum SettingsError {
    /// No setting has this key.
    #[error("unknown setting `{key}` in {origin}{hint}")]
    UnknownKey {
        key: String,
        origin: Origin,
        /// Similar keys, else all keys.
        hint: String,
    },
    /// A value of the wrong type, out of range, or that names nothing.
    #[error("{key} = {found} in {origin} is refused: {expected}")]
    Value { key: String, found: String, origin: Origin, expected: String },
    /// Settings that exclude each other, or one that needs another.
    #[error("{key} = {found} is refused: {expected}")]
    Conflict {
        key: &'static str,
        found: String,
        /// The values allowed, and why.
        expected: &'static str,
    },
    /// A `--set` without `=`.
    #[error("`{text}` is not a setting: expected key=value, as in lr=1e-4 or loss.margin=0.1")]
    NoAssignment { text: String },
    /// A key that goes through a value, as `lr.x` does.
    #[error("`{key}`: `{part}` is a value, not a group of settings")]
    NotAGroup { key: String, part: String },
    /// A file that cannot be read.
    #[error("cannot read {path}: {error}", path = path.display())]
    File { path: PathBuf, error: std::io::Error },
    /// Text that is not TOML.
    #[error("{origin} is not TOML: {reason}")]
    Syntax {
        origin: String,
        /// The parser's message, which names the line.
        reason: String,
    },
    /// Recorded settings that lack a key or have one too many.
    #[error("the settings are incomplete: {reason}")]
    Incomplete { reason: String },
}
