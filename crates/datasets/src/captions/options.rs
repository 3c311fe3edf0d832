//! Format of captions, and options for reading them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::DatasetError;

/// Format of captions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaptionsFormat {
    /// Karpathy's JSON: the splits of COCO, Flickr30k and Flickr8k.
    Karpathy,
    /// COCO's JSON: images and annotations.
    Coco,
    /// A table with one caption per row.
    Csv,
    /// Webdataset's tar files.
    Shards,
}

impl CaptionsFormat {
    /// In the order in which errors list them.
    pub const ALL: [Self; 4] = [Self::Karpathy, Self::Coco, Self::Csv, Self::Shards];

    /// Returns the value of the setting.
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

/// Options for reading a set; what is `None` is detected or unrestricted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaptionsOptions {
    /// `None`: detected.
    pub format: Option<CaptionsFormat>,
    /// Folder of the images. Karpathy's and COCO's formats need it; a table's default is its own folder; shards contain their
    /// images.
    pub images: Option<PathBuf>,
    /// Splits to read, all if empty. Only Karpathy's format has splits.
    pub splits: Vec<String>,
    /// File of the image ids to read, a JSON list or one per line. Only COCO's format has ids.
    pub image_ids: Option<PathBuf>,
    /// Column of image paths in a table: its name, or its number from 1.
    pub csv_img_key: Option<String>,
    /// Column of captions in a table: its name, or its number from 1.
    pub csv_caption_key: Option<String>,
    /// Separator of a table.
    pub csv_separator: Option<char>,
    /// Number of captions to keep per image, from the first; `None` for all.
    pub max_captions: Option<usize>,
}

impl CaptionsOptions {
    /// Checks that the options fit a format.
    ///
    /// # Errors
    /// [`DatasetError`] for a setting of another format, and a folder that does not exist.
    pub fn check(&self, format: CaptionsFormat) -> Result<(), DatasetError> {
        use CaptionsFormat::{Coco, Csv, Karpathy, Shards};
        if self.max_captions == Some(0) {
            return Err(crate::shards::no_captions());
        }
        for (setting, given, only) in [
            ("split", !self.splits.is_empty(), Karpathy),
            ("image_ids", self.image_ids.is_some(), Coco),
            ("csv_img_key", self.csv_img_key.is_some(), Csv),
            ("csv_caption_key", self.csv_caption_key.is_some(), Csv),
            ("csv_separator", self.csv_separator.is_some(), Csv),
        ] {
            if given && only != format {
                return Err(DatasetError::OtherForm { setting, only: only.name(), format: format.name() });
            }
        }
        match &self.images {
            Some(folder) if format == Shards => {
                tracing::warn!("shards contain their images; the folder {} is ignored", folder.display());
                Ok(())
            }
            Some(folder) if !folder.is_dir() => {
                Err(DatasetError::about(folder, "is not a folder; expected the folder of the images".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Returns the folder of images, for a format that needs one.
    pub(super) fn folder(&self, format: CaptionsFormat) -> Result<&Path, DatasetError> {
        let problem =
            || format!("captions in the format `{format}` need the folder of the images; set it with `images`");
        self.images.as_deref().ok_or_else(|| DatasetError::Option(problem()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn the_format_is_a_word() {
        for format in CaptionsFormat::ALL {
            assert_eq!(format.name().parse(), Ok(format));
            assert_eq!(serde_json::to_string(&format).unwrap(), format!("\"{format}\""));
        }
        let message = "json".parse::<CaptionsFormat>().unwrap_err();
        assert_eq!(message, "expected one of `karpathy`, `coco`, `csv`, `shards`, found `json`");
    }
}
