//! Opening torch's archives where the `zip` crate misjudges where they start.
//!
//! torch ends every archive with 76 bytes of zip64 records, which the crate skips in an archive of less than 4 GiB. It
//! takes the directory to end where the last record starts, and so to start 76 bytes late, if another entry happens to
//! start there: if the first entry's record has 76 bytes, that is a name of 30, such as `STEM/data.pkl` for a stem of
//! 21. It then shifts every entry by 76 bytes.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use radapter_files::io_error;
use tempfile::NamedTempFile;
use zip::read::{ArchiveOffset, Config};
use zip::result::{ZipError, ZipResult};
use zip::{ZipArchive, ZipWriter};

use super::CheckpointError;

/// Opens an archive that starts at the file's first byte, as all of torch's do.
pub(super) fn open(file: File) -> ZipResult<ZipArchive<BufReader<File>>> {
    ZipArchive::with_config(Config { archive_offset: ArchiveOffset::Known(0) }, BufReader::new(file))
}

/// Returns a copy of the archive that the crate reads right by itself, without the zip64 records; `None` where the
/// original will do, or is no archive.
pub(super) fn readable_copy(path: &Path) -> Result<Option<NamedTempFile>, CheckpointError> {
    let file = || File::open(path).map_err(io_error("open", path));
    let Ok(mut archive) = open(file()?) else { return Ok(None) };
    if ZipArchive::new(BufReader::new(file()?)).is_ok_and(|detected| detected.offset() == 0) {
        return Ok(None);
    }
    let folder = std::env::temp_dir();
    let copy = NamedTempFile::new_in(&folder).map_err(io_error("create a file in", &folder))?;
    tracing::debug!(path = %path.display(), copy = %copy.path().display(), "rewriting the archive without zip64 records");
    copy_entries(&mut archive, &copy).map_err(|error| match error {
        ZipError::Io(error) if error.raw_os_error().is_some() => io_error("write", copy.path())(error).into(),
        error => CheckpointError::damaged(path, None, error.to_string()),
    })?;
    Ok(Some(copy))
}

/// Copies the entries as they are stored.
fn copy_entries(archive: &mut ZipArchive<BufReader<File>>, copy: &NamedTempFile) -> ZipResult<()> {
    let mut writer = ZipWriter::new(copy.as_file());
    for index in 0..archive.len() {
        writer.raw_copy_file(archive.by_index_raw(index)?)?;
    }
    writer.finish().map(drop)
}
