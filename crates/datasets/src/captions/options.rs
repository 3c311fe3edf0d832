//! How a set of captions is to be read.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::CaptionsError;
use super::format::CaptionsFormat;

/// How a set is to be read; what is not given is found out or not restricted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaptionsOptions {
    /// The form; found out if it is not given.
    pub format: Option<CaptionsFormat>,
    /// The folder that the images lie in. Karpathy's and COCO's form need it; for a table it is the file's own folder if not given; shards
    /// hold their images themselves.
    pub images: Option<PathBuf>,
    /// The splits to read, all if empty. Only Karpathy's form has splits.
    pub splits: Vec<String>,
    /// A file of image ids, a JSON list or one on each line, that COCO's form is restricted to.
    pub image_ids: Option<PathBuf>,
    /// A table's column of image paths: its name, or its number from 1.
    pub csv_img_key: Option<String>,
    /// A table's column of captions: its name, or its number from 1.
    pub csv_caption_key: Option<String>,
    /// A table's separator.
    pub csv_separator: Option<char>,
    /// How many captions of each image to keep, the first ones; all if not given.
    pub max_captions: Option<usize>,
}

impl CaptionsOptions {
    /// Checks that the options make sense for a form.
    ///
    /// # Errors
    /// [`CaptionsError`] for a setting of another form, and a folder that is none.
    pub fn check(&self, format: CaptionsFormat) -> Result<(), CaptionsError> {
        use CaptionsFormat::{Coco, Csv, Karpathy, Shards};
        if self.max_captions == Some(0) {
            return Err(CaptionsError::NoneWanted);
        }
        for (setting, given, only) in [
            ("split", !self.splits.is_empty(), Karpathy),
            ("image_ids", self.image_ids.is_some(), Coco),
            ("csv_img_key", self.csv_img_key.is_some(), Csv),
            ("csv_caption_key", self.csv_caption_key.is_some(), Csv),
            ("csv_separator", self.csv_separator.is_some(), Csv),
        ] {
            if given && only != format {
                return Err(CaptionsError::Setting { setting, only, format });
            }
        }
        match &self.images {
            Some(folder) if format == Shards => {
                tracing::warn!("shards hold their images; the folder {} is not used", folder.display());
            }
            Some(folder) if !folder.is_dir() => return Err(CaptionsError::NotAFolder { path: folder.clone() }),
            _ => {}
        }
        Ok(())
    }

    /// The folder of images, for a form that needs one.
    pub(super) fn folder(&self, format: CaptionsFormat) -> Result<&Path, CaptionsError> {
        self.images.as_deref().ok_or(CaptionsError::NoFolder { format })
    }
}
