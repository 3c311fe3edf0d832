//! What a file or folder holds, so that a comparison notices data that changed.

use std::path::Path;

use anyhow::Context;
use radapter_datasets::fingerprint::Fingerprint;

/// Describes what is at a path: the number of files, their size, and a digest of their names and sizes. `None` if nothing is there.
///
/// Contents are not read, because a set of images can be large. What is in `except`, the comparison's own directory, does not count.
pub(super) fn content(path: &Path, except: &Path) -> anyhow::Result<Option<String>> {
    if !path.exists() {
        return Ok(None);
    }
    let mut files = Vec::new();
    let except = except.canonicalize().unwrap_or_else(|_| except.to_owned());
    list(path, &except, &mut files).with_context(|| format!("cannot list {}", path.display()))?;
    files.sort();
    let (mut digest, mut bytes) = (Fingerprint::default(), 0);
    for (name, size) in &files {
        let name = Path::new(name).strip_prefix(path).unwrap_or(Path::new(name));
        digest.text(&name.display().to_string());
        digest.number(*size);
        bytes += size;
    }
    let (files, digest) = (radapter_report::counted(files.len(), "file", "files"), digest.finish());
    Ok(Some(format!("{files} of {bytes} bytes, {}", &digest[..8])))
}

fn list(path: &Path, except: &Path, files: &mut Vec<(std::ffi::OsString, u64)>) -> std::io::Result<()> {
    // A link that leads nowhere, or in a circle, is what the readers of the data have to judge.
    let Ok(what) = std::fs::metadata(path) else { return Ok(()) };
    if !what.is_dir() {
        files.push((path.as_os_str().to_owned(), what.len()));
        return Ok(());
    }
    if path.canonicalize()? == except {
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        list(&entry?.path(), except, files)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn names_and_sizes_tell_contents_apart() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert_eq!(content(&at("none"), &at("out")).unwrap(), None);
        std::fs::create_dir(at("a")).unwrap();
        std::fs::write(at("a/x"), "12").unwrap();
        let found = |name: &str| content(&at(name), &at("a/out")).unwrap().unwrap();
        let first = found("a");
        assert!(first.starts_with("1 file of 2 bytes, "), "{first}");
        std::fs::write(at("a/x"), "123").unwrap();
        let longer = found("a");
        std::fs::rename(at("a/x"), at("a/y")).unwrap();
        let renamed = found("a");
        assert!(first != longer && longer != renamed);
        std::fs::create_dir(at("a/out")).unwrap();
        std::fs::write(at("a/out/y"), "12").unwrap();
        assert_eq!(found("a"), renamed);
    }
}
