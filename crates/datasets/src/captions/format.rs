//! The forms that captions come in.

use serde::{Deserialize, Serialize};

/// The form of a set of captions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaptionsFormat {
    /// Karpathy's JSON: the splits of COCO, Flickr30k and Flickr8k.
    Karpathy,
    /// COCO's JSON: images and annotations.
    Coco,
    /// A table with a caption a row.
    Csv,
    /// Webdataset's tar files.
    Shards,
}

impl CaptionsFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Karpathy, Self::Coco, Self::Csv, Self::Shards];

    /// The word that settings use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Karpathy => "karpathy",
            Self::Coco => "coco",
            Self::Csv => "csv",
            Self::Shards => "shards",
        }
    }
}

impl std::fmt::Display for CaptionsFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for CaptionsFormat {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let words = || Self::ALL.map(|format| format!("`{format}`")).join(", ");
        (Self::ALL.into_iter().find(|format| format.name() == word))
            .ok_or_else(|| format!("expected one of {}, found `{word}`", words()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn the_form_is_a_word() {
        for format in CaptionsFormat::ALL {
            assert_eq!(format.name().parse(), Ok(format));
            assert_eq!(serde_json::to_string(&format).unwrap(), format!("\"{format}\""));
        }
        let message = "json".parse::<CaptionsFormat>().unwrap_err();
        assert_eq!(message, "expected one of `karpathy`, `coco`, `csv`, `shards`, found `json`");
    }
}
