//! Images with captions, in the formats of published data sets.
//!
//! | format | content | path of an image |
//! |---|---|---|
//! | [`Karpathy`](CaptionsFormat::Karpathy) | `{"images": [{"filename", "filepath"?, "split", "sentences": [{"raw"}]}]}` | `IMAGES/filepath/filename`, else `IMAGES/filename` |
//! | [`Coco`](CaptionsFormat::Coco) | `{"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}` | `IMAGES/file_name` |
//! | [`Csv`](CaptionsFormat::Csv) | a caption per row; by default with the columns `filepath` and `title`, separated by tabs, as in OpenCLIP | `IMAGES/path`; `IMAGES` is the file's own folder unless given |
//! | [`Shards`](CaptionsFormat::Shards) | webdataset's tar files: `key.jpg` with `key.txt` or `key.json` | in the shard |
//!
//! [`read`] detects the format ([`detect`]) unless it is given. Other keys are ignored. Entries, rows and samples with
//! one path are one image with all their captions. Images are in the order of their first appearance, the captions of an image in the
//! file order, unchanged (except that fields of tables are trimmed).
//!
//! **Columns of tables.** A separator or column that [`CaptionsOptions`] gives is taken literally. The others are detected as in
//! [`table`](crate::table), except that the columns `filepath` and `title` take precedence, so that a file with OpenCLIP's header is read
//! as OpenCLIP reads it.
//!
//! **Damage.** Reading checks that the image files exist, so that a wrong folder is found immediately. [`OnError`] decides about
//! a missing image, an empty caption and an image without captions; a file in another format is always an error.

mod coco;
mod gather;
mod json;
mod karpathy;
mod options;
mod table;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use radapter_files::io_error;

pub use options::{CaptionsFormat, CaptionsOptions};

use crate::DatasetError;
use crate::captioned::CaptionedImages;
use crate::on_error::{OnError, SkipReport};
use crate::shards::{self, Shards};
use gather::Gather;
use json::Json;

/// Reads a set; `captions` is a file or, for shards, a pattern or a folder (see [`Shards::open`]).
///
/// # Errors
/// [`DatasetError`] if the options contradict each other or the format, the file cannot be read or has another format, lacks a
/// split or an image id, has a damaged sample and `on_error` is [`OnError::Fail`], or if nothing is left.
pub fn read(
    captions: &Path,
    options: &CaptionsOptions,
    on_error: OnError,
    report: &SkipReport,
) -> Result<CaptionedImages, DatasetError> {
    let format = options.format.map_or_else(|| detect(captions), Ok)?;
    options.check(format)?;
    tracing::debug!("reading the captions {} ({format})", captions.display());
    let gather = Gather::new(captions, on_error, report, options.max_captions);
    match format {
        CaptionsFormat::Karpathy => karpathy::read(captions, options.folder(format)?, &options.splits, gather),
        CaptionsFormat::Coco => coco::read(captions, options.folder(format)?, options.image_ids.as_deref(), gather),
        CaptionsFormat::Csv => table::read(captions, options, gather),
        CaptionsFormat::Shards => Ok(Shards::open(captions, on_error, report, options.max_captions)?.images()?),
    }
}

/// Detects the format of a file, or of a pattern or folder of shards.
///
/// Folders, patterns with braces, tar files and compressed files (which [`Shards`] refuses) are shards. A file that ends in
/// `.json` or starts like JSON has Karpathy's or COCO's format, by its keys. Everything else is a table.
///
/// # Errors
/// [`DatasetError`] if the file cannot be read, or is JSON with other keys.
pub fn detect(captions: &Path) -> Result<CaptionsFormat, DatasetError> {
    if captions.is_dir() || shards::is_pattern(captions) {
        return Ok(CaptionsFormat::Shards);
    }
    let mut head = Vec::new();
    File::open(captions).and_then(|file| file.take(512).read_to_end(&mut head)).map_err(io_error("read", captions))?;
    let ends_in = |extension: &str| captions.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension));
    if shards::is_shard(&head) || ends_in("tar") {
        return Ok(CaptionsFormat::Shards);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).trim_ascii_start();
    if ends_in("json") || text.starts_with(b"{") || text.starts_with(b"[") {
        return Json::read(captions)?.detect();
    }
    Ok(CaptionsFormat::Csv)
}

#[cfg(test)]
mod tests;
