//! The formats of files of predictions.

use std::path::Path;

use super::failure::Usage;

/// The format of a file of predictions, by its extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Csv,
    JsonLines,
}

impl Form {
    pub(super) fn of(path: &Path) -> Result<Self, Usage> {
        let ending = path.extension().and_then(|ending| ending.to_str());
        match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => Ok(Self::Csv),
            Some("jsonl") => Ok(Self::JsonLines),
            _ => Err(Usage(format!("`{}`: expected a file ending in .csv or .jsonl", path.display()))),
        }
    }
}
