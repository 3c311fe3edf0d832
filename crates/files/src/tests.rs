//! The files left after a write that succeeds, fails, or meets an existing target.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::io::{Error, ErrorKind};

use super::faults::FullAfter;
use super::*;

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_failed_write_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("result.json");
    write(&path, b"old").unwrap();
    let error = write_with(&path, |file| {
        file.write_all(b"half")?;
        Err(Error::from(ErrorKind::StorageFull))
    });
    assert_eq!(error.unwrap_err().error.kind(), ErrorKind::StorageFull);
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(names(folder.path()), ["result.json"]);
}

#[test]
fn a_full_disk_leaves_the_old_file_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report.json");
    replace(&Disk, &path, |w| w.write_all(b"old")).unwrap();
    let error = replace(&FullAfter::bytes(2), &path, |w| w.write_all(b"newer")).unwrap_err();
    assert!(matches!(error, IoError { action: "write", .. }), "{error}");
    assert_eq!(error.path, path);
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(names(dir.path()), ["report.json"]);
}

#[test]
fn a_replaced_directory_clears_what_a_killed_process_left() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("best");
    std::fs::create_dir(aside(&target)).unwrap();
    std::fs::write(aside(&target).join("torn"), "").unwrap();
    for text in ["first", "second"] {
        replace_dir::<IoError>(&target, |dir| write(&dir.join("file"), text.as_bytes())).unwrap();
        assert_eq!(std::fs::read(target.join("file")).unwrap(), text.as_bytes());
        assert_eq!(names(&target), ["file"]);
        assert_eq!(names(folder.path()), ["best"]);
    }
    let failed =
        replace_dir(&target, |dir| write_synced(&FullAfter::bytes(2), &dir.join("file"), |w| w.write_all(b"third")));
    assert!(matches!(failed, Err(IoError { action: "write", .. })), "{failed:?}");
    assert_eq!(std::fs::read(target.join("file")).unwrap(), b"second");
    assert_eq!(names(folder.path()), ["best"]);
}

#[test]
fn an_io_error_has_its_cause_in_its_text_and_no_source() {
    let error = io_error("read", "a/b")(ErrorKind::StorageFull.into());
    assert_eq!(error.to_string(), format!("cannot read a/b: {}", Error::from(ErrorKind::StorageFull)));
    assert!(std::error::Error::source(&error).is_none());
}

#[cfg(unix)]
#[test]
fn others_may_read_what_the_umask_lets_them() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
    write(&ours, b"").unwrap();
    std::fs::write(&plain, b"").unwrap();
    assert_eq!(mode(&ours), mode(&plain));
}

#[test]
fn a_directory_appears_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("deep/result");
    let fill = |text: &'static str| move |dir: &Path| Ok::<(), DirError>(write(&dir.join("file"), text.as_bytes())?);
    write_dir(&target, false, fill("first")).unwrap();
    let error = write_dir(&target, false, fill("second")).unwrap_err();
    assert!(matches!(error, DirError::Occupied { .. }), "{error}");
    assert_eq!(std::fs::read(target.join("file")).unwrap(), b"first");

    write_dir(&target, true, fill("third")).unwrap();
    assert_eq!(std::fs::read(target.join("file")).unwrap(), b"third");

    let failed: Result<(), DirError> = write_dir(&target, true, |dir| {
        std::fs::write(dir.join("file"), "half").unwrap();
        Err(DirError::Occupied { path: dir.to_owned() })
    });
    assert!(failed.is_err());
    assert_eq!(std::fs::read(target.join("file")).unwrap(), b"third");
    assert_eq!(names(&folder.path().join("deep")), ["result"]);
}

#[test]
fn an_empty_directory_is_taken_and_a_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (empty, file) = (folder.path().join("empty"), folder.path().join("file"));
    std::fs::create_dir(&empty).unwrap();
    std::fs::write(&file, "mine").unwrap();
    write_dir::<DirError>(&empty, false, |_| Ok(())).unwrap();
    let error = write_dir::<DirError>(&file, true, |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
}
