//! Reads label maps; the content of a file determines its format.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use radapter_files::{LFS_POINTER, LFS_SIGNATURE, io_error};

use super::{LabelMap, Labelling, Stored, png_file, tiff_file};
use crate::DatasetError;

/// Maximum size of a file.
pub const MAX_BYTES: u64 = 1 << 30;

/// Reads a label map.
///
/// # Errors
/// [`DatasetError`], naming the file: it cannot be read, is not a map of indices, is larger than [`MAX_PIXELS`](super::MAX_PIXELS) or
/// [`MAX_BYTES`], is truncated or damaged, or has a label that is neither a class nor ignored.
pub fn read(path: &Path, labelling: &Labelling) -> Result<LabelMap, DatasetError> {
    labelling.apply(path, read_stored(path)?)
}

/// Reads the values of a grey PNG or TIFF or of a PNG with a palette, without interpreting them. The content determines the format.
///
/// # Errors
/// Those of [`read`], except for labels out of range.
pub fn read_stored(path: &Path) -> Result<Stored, DatasetError> {
    let failed = || io_error("read the label map", path);
    let too_large = |bytes: u64| {
        DatasetError::new(path, format!("{bytes} bytes or more; the limit for a label map is {MAX_BYTES}"))
    };
    let file = File::open(path).map_err(failed())?;
    let size = file.metadata().map_err(failed())?.len();
    if size > MAX_BYTES {
        return Err(too_large(size));
    }
    let mut bytes = Vec::new();
    // The limit also applies to files of unknown size: a pipe, or a growing file.
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large(bytes.len() as u64));
    }
    match bytes.as_slice() {
        bytes if bytes.starts_with(b"\x89PNG\r\n\x1a\n") => png_file::decode(bytes, path),
        // The last two are BigTIFF's.
        bytes if [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|magic| bytes.starts_with(*magic)) => {
            tiff_file::decode(bytes, path)
        }
        bytes => {
            let found = describe(bytes);
            let expected = "a PNG (grey or with a palette) or a TIFF (grey)";
            Err(DatasetError::new(path, format!("{found}, not a label map; expected {expected}")))
        }
    }
}

/// Describes common files that are not label maps.
fn describe(bytes: &[u8]) -> &'static str {
    const KNOWN: [(&[u8], &str); 5] = [
        (b"\xff\xd8\xff", "a JPEG, whose compression changes values"),
        (b"BM", "a BMP"),
        (b"GIF8", "a GIF"),
        (b"RIFF", "a WebP or another RIFF file"),
        (LFS_SIGNATURE, LFS_POINTER),
    ];
    let known = KNOWN.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| *name);
    known.unwrap_or(if bytes.is_empty() { "an empty file" } else { "unknown data" })
}
