//! Which form captions have, and how they are to be read.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::DatasetError;

/// A form that captions come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaptionsFormat {
    /// Karpathy's JSON: the splits of COCO, Flickr30k and Flickr8k.
    Karpathy,
    /// COCO's JSON: images and annotations.
    Coco,
    /// A table with a caption in each row.
    Csv,
    /// Webdataset's tar files.
    Shards,
}

impl CaptionsFormat {
    #[allow(missing_docs, reason = "the name says it all")]
    pub const ALL: [Self; 4] = [Self::Karpathy, Self::Coco, Self::Csv, Self::Shards];

    /// The value of the setting.
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

/// How to read a set; what is not given is detected or not restricted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaptionsOptions {
    /// The form; detected if it is not given.
    pub format: Option<CaptionsFormat>,
    /// The folder of the images. Karpathy's and COCO's form need it; a table's default is its own folder; shards contain their images.
    pub images: Option<PathBuf>,
    /// The splits to read, all if empty. Only Karpathy's form has splits.
    pub splits: Vec<String>,
    /// A file of the image ids to read, a JSON list or one on each line. Only COCO's form has ids.
    pub image_ids: Option<PathBuf>,
    /// A table's column of image paths: its name, or its number from 1.
    pub csv_img_key: Option<String>,
    /// A table's column of captions: its name, or its number from 1.
    pub csv_caption_key: Option<String>,
    /// A table's separator.
    pub csv_separator: Option<char>,
    /// How many captions of each image to keep, from the first; all if not given.
    pub max_captions: Option<usize>,
}

impl CaptionsOptions {
    /// Checks that the options fit a form.
    ///
    /// # Errors
    /// [`DatasetError`] for a setting of another form, and a folder that does not exist.
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
                tracing::warn!("shards contain their images; the folder {} is not used", folder.display());
                Ok(())
            }
            Some(folder) if !folder.is_dir() => {
                Err(DatasetError::about(folder, "is not a folder; expected the folder of the images".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// The folder of images, for a form that needs one.
    pub(super) fn folder(&self, format: CaptionsFormat) -> Result<&Path, DatasetError> {
        let problem = || format!("captions of the form `{format}` need the folder of the images; set it with `images`");
        self.images.as_deref().ok_or_else(|| DatasetError::Option(problem()))
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
