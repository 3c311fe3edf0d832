//! What can be wrong inside of a JPEG, before the file's name is known.

use crate::error::ImageError;

/// Why the data give no image.
#[derive(Debug)]
pub(super) enum Fault {
    /// They end too early.
    Truncated(String),
    /// They contradict the standard.
    Corrupt(String),
    /// They use a part of the standard that is not built.
    Unsupported(&'static str),
}

impl Fault {
    pub(super) fn corrupt<T>(message: impl Into<String>) -> Result<T, Self> {
        Err(Self::Corrupt(message.into()))
    }

    pub(super) fn truncated<T>(message: impl Into<String>) -> Result<T, Self> {
        Err(Self::Truncated(message.into()))
    }

    pub(super) fn named(self, name: &str) -> ImageError {
        let name = name.to_owned();
        match self {
            Self::Truncated(message) => ImageError::Truncated { name, format: "JPEG", message },
            Self::Corrupt(message) => ImageError::Corrupt { name, format: "JPEG", message },
            Self::Unsupported(found) => ImageError::Unsupported { name, found: format!("JPEG with {found}") },
        }
    }
}
