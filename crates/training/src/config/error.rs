/// Why settings cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no such key.
    #[error("unknown setting `{key}` in {origin}{hint}")]
    UnknownKey {
        /// The dotted key.
        key: String,
        /// The file, or `--set`.
        origin: String,
        /// Keys of similar names, or all.
        hint: String,
    },
    /// A value of the wrong type or an unknown word.
    #[error("{origin}: {reason}")]
    Value {
        /// The file, or `--set`.
        origin: String,
        /// What is wrong.
        reason: String,
    },
    /// A value outside its range.
    #[error("{key} = {found} is refused: {expected}")]
    Range {
        /// The dotted key.
        key: &'static str,
        /// The value.
        found: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// A `--set` without `=`.
    #[error("`{text}` is no setting: expected key=value, as in lr=1e-4 or loss.margin=0.1")]
    NoAssignment {
        /// The text.
        text: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}
