//! Images with captions, from the forms that such sets are published in.
//!
//! | form | what it is | where an image lies |
//! |---|---|---|
//! | [`Karpathy`](CaptionsFormat::Karpathy) | `{"images": [{"filename", "filepath"?, "split", "sentences": [{"raw"}]}]}` | `IMAGES/filepath/filename`, else `IMAGES/filename` |
//! | [`Coco`](CaptionsFormat::Coco) | `{"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}` | `IMAGES/file_name` |
//! | [`Csv`](CaptionsFormat::Csv) | a caption a row; by default with the columns `filepath` and `title` and tabs between, as OpenCLIP has it | `IMAGES/path`; `IMAGES` is the file's own folder unless given |
//! | [`Shards`](CaptionsFormat::Shards) | webdataset's tar files: `key.jpg` with `key.txt` or `key.json` | in the shard |
//!
//! [`read`] finds the form out ([`detect`]) unless it is given. Keys that are not named here do not matter. Entries, rows and samples of
//! one path are one image with all their captions; images are in the order of their first appearance, and an image's captions in the
//! file's order, character by character as the file has them (but fields of tables, which are trimmed).
//!
//! **Columns of tables.** What [`CaptionsOptions`] gives, a separator or a column's name or number, is taken literally. What it leaves
//! open is found out as in [`table`](crate::table), but that the columns `filepath` and `title` go before others, so that a file with
//! OpenCLIP's header is read as OpenCLIP reads it.
//!
//! **Damage.** That the images are there is checked while reading, so that a wrong folder shows before an hour of work. An image that is
//! not there, an empty caption and an image without captions are left to [`OnError`]; a file that is not of its form is an error always.

mod coco;
mod csv_file;
mod detect;
mod error;
mod format;
mod gather;
mod ids;
mod json;
mod karpathy;
mod options;
mod set;
mod walk;

use std::path::Path;

pub use detect::detect;
pub use error::CaptionsError;
pub use format::CaptionsFormat;
pub use options::CaptionsOptions;
pub use set::{CaptionedImage, CaptionedImages};

use crate::on_error::{OnError, SkipReport};
use crate::shards::Shards;
use gather::Gather;

/// Reads a set; `captions` is a file or, for shards, a pattern or a folder (see [`Shards::open`]).
///
/// # Errors
/// If the options contradict each other or the form, the file cannot be read or is not of its form, a split or an image id is not in it, a
/// sample is damaged and `on_error` is [`OnError::Fail`], or nothing is left.
pub fn read(
    captions: &Path,
    options: &CaptionsOptions,
    on_error: OnError,
    report: &SkipReport,
) -> Result<CaptionedImages, CaptionsError> {
    let format = options.format.map_or_else(|| detect(captions), Ok)?;
    options.check(format)?;
    let gather = Gather::new(captions, on_error, report, options.max_captions);
    match format {
        CaptionsFormat::Karpathy => karpathy::read(captions, options.folder(format)?, &options.splits, gather),
        CaptionsFormat::Coco => coco::read(captions, options.folder(format)?, options.image_ids.as_deref(), gather),
        CaptionsFormat::Csv => csv_file::read(captions, options, gather),
        CaptionsFormat::Shards => Ok(Shards::open(captions, on_error, report, options.max_captions)?.images()?),
    }
}

#[cfg(test)]
mod tests;
