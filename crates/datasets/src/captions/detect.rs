//! Which form captions have.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::error::CaptionsError;
use super::format::CaptionsFormat;
use super::json::Json;
use crate::shards;

/// The form of a file, or of a pattern or folder of shards.
///
/// A folder and a pattern with braces are shards, and so are tar files and compressed ones (which [`Shards`](crate::Shards) refuses). What
/// ends in `.json` or begins as JSON does is Karpathy's or COCO's form by its keys. Everything else is a table.
///
/// # Errors
/// If the file cannot be read, or is JSON with other keys.
pub fn detect(captions: &Path) -> Result<CaptionsFormat, CaptionsError> {
    if captions.is_dir() || shards::is_pattern(captions) {
        return Ok(CaptionsFormat::Shards);
    }
    let failed = |source| CaptionsError::Read { path: captions.to_owned(), source };
    let mut head = Vec::new();
    File::open(captions).and_then(|file| file.take(512).read_to_end(&mut head)).map_err(failed)?;
    let ends_in = |extension: &str| captions.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension));
    if shards::is_shard(&head) || ends_in("tar") {
        return Ok(CaptionsFormat::Shards);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).trim_ascii_start();
    if ends_in("json") || text.starts_with(b"{") || text.starts_with(b"[") {
        return Json::read(captions)?.form();
    }
    Ok(CaptionsFormat::Csv)
}
