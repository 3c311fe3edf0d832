//! Finds the files of shards.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use radapter_files::{io_error, refuse_lfs_pointer};

use super::pattern;
use crate::error::DatasetError;
use crate::labelled::some;

/// First bytes of files of common compressors.
const COMPRESSED: [(&[u8], &str); 4] =
    [(b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ", "xz"), (b"BZh", "bzip2")];

/// Whether a path has braces and is not itself a file.
pub(crate) fn is_pattern(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.contains(['{', '}'])) && !path.exists()
}

/// Whether a file with these first bytes is a shard, possibly a compressed one.
pub(crate) fn is_shard(head: &[u8]) -> bool {
    compressor(head).is_some() || head.get(257..262) == Some(b"ustar")
}

fn compressor(head: &[u8]) -> Option<&'static str> {
    COMPRESSED.iter().find(|(magic, _)| head.starts_with(magic)).map(|&(_, name)| name)
}

/// Returns the files of a path, all of which exist and are not compressed.
pub(super) fn find(path: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let files = match path.to_str() {
        _ if path.is_dir() => in_folder(path)?,
        Some(text) if is_pattern(path) => {
            let names = pattern::expand(text);
            let names = names.map_err(|problem| wrong(path, format!("cannot be used as a pattern: {problem}")))?;
            names.into_iter().map(PathBuf::from).collect()
        }
        _ => vec![path.to_owned()],
    };
    let mut seen = HashSet::new();
    if let Some(file) = files.iter().find(|&file| !seen.insert(file)) {
        return Err(wrong(file, "is listed twice, which would repeat its samples; list it once".to_owned()));
    }
    let missing: Vec<PathBuf> = files.iter().filter(|file| !file.is_file()).cloned().collect();
    if !missing.is_empty() {
        let (all, count, named) = (files.len(), missing.len(), named(&missing));
        return Err(wrong(path, format!("refers to {all} shards, of which {count} are missing: {named}")));
    }
    for file in &files {
        let mut head = Vec::new();
        let read = File::open(file).and_then(|open| open.take(64).read_to_end(&mut head));
        read.map_err(io_error("read", file))?;
        refuse_lfs_pointer(file, &head)?;
        if let Some(compressor) = compressor(&head) {
            let problem = format!(
                "is compressed with {compressor}; images are read from their places in a shard, which needs a plain .tar: \
                 decompress it first"
            );
            return Err(wrong(file, problem));
        }
    }
    Ok(files)
}

fn wrong(path: &Path, problem: String) -> DatasetError {
    DatasetError::about(path, problem)
}

/// Lists the tar files of a folder, in byte order of their names.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io_error("read", folder))? {
        let name = entry.map_err(io_error("read", folder))?.file_name();
        if !name.as_encoded_bytes().starts_with(b".") {
            found.push(name);
        }
    }
    found.sort_by(|a, b| a.as_encoded_bytes().cmp(b.as_encoded_bytes()));
    let is_tar = |name: &&std::ffi::OsString| Path::new(name).extension().is_some_and(|end| end == "tar");
    let files: Vec<PathBuf> = found.iter().filter(is_tar).map(|name| folder.join(name)).collect();
    if files.is_empty() {
        let names: Vec<String> = found.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        let found = if names.is_empty() { "nothing".to_owned() } else { some(&names) };
        return Err(wrong(folder, format!("has no shards; expected files ending in .tar, found {found}")));
    }
    Ok(files)
}

/// Returns for each file its name, or its path where several have that name.
pub(super) fn names(files: &[PathBuf]) -> Vec<String> {
    let name = |file: &PathBuf| file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    let mut times = HashMap::new();
    files.iter().for_each(|file| *times.entry(name(file)).or_insert(0) += 1);
    let unique = |file: &PathBuf| if times[&name(file)] > 1 { file.display().to_string() } else { name(file) };
    files.iter().map(unique).collect()
}

/// Joins a few of many files, for a message.
pub(super) fn named(files: &[PathBuf]) -> String {
    some(&files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>())
}
