//! The files left after a write that succeeds, fails, or meets an existing target.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::io::{Error, ErrorKind, Write};

use super::faults::FullAt;
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
    let error = write_with(&Disk, &path, |file| {
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
    // Created, written, synced, renamed.
    for number in 0..4 {
        for disk in [FullAt::operation(number), FullAt::inside(number)] {
            let newer = |out: &mut dyn Write| out.write_all(b"newer");
            for failed in [replace(&disk, &path, newer), write_with(&disk, &path, newer)] {
                let error = failed.unwrap_err();
                assert_eq!(error.path, path);
                assert!(error.to_string().to_lowercase().contains("no space left"), "{error}");
                assert_eq!(std::fs::read(&path).unwrap(), b"old");
                assert_eq!(names(dir.path()), ["report.json"]);
            }
        }
    }
}

#[test]
fn a_full_disk_leaves_the_old_directory_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("best");
    let fill = |disk: FullAt| {
        move |dir: &Path| Ok::<(), DirError>(write_synced(&disk, &dir.join("file"), |w| w.write_all(b"new"))?)
    };
    let fixed = |disk: FullAt| replace_dir(&disk, &target, fill(disk.clone()));
    let random = |disk: FullAt| write_dir(&disk, &target, true, fill(disk.clone()));
    for write in [&fixed as &dyn Fn(FullAt) -> Result<(), DirError>, &random] {
        let fill_old = |dir: &Path| Ok::<(), DirError>(super::write(&dir.join("file"), b"old")?);
        write_dir(&Disk, &target, true, fill_old).unwrap();
        let mut failures = 0;
        while let Err(error) = write(FullAt::inside(failures)) {
            failures += 1;
            assert!(error.to_string().contains("best"), "{error}");
            // The last failure is the sync of the folder, after the new directory has its name.
            let expected: &[u8] = if failures <= 6 { b"old" } else { b"new" };
            assert_eq!(std::fs::read(target.join("file")).unwrap(), expected, "{failures}: {error}");
            assert!(failures > 6 || names(folder.path()) == ["best"], "{:?}", names(folder.path()));
        }
        // File created, written and synced; folder synced; old one renamed; new one renamed; parent synced.
        assert_eq!(failures, 7);
        write_dir(&Disk, &target, true, fill(FullAt::operation(9))).unwrap();
        // What the failed sync left is removed by the next call that uses fixed names.
        replace_dir(&Disk, &target, fill(FullAt::operation(9))).unwrap();
    }
}

#[test]
fn a_directory_is_removed_whole_under_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("step");
    create_dir(&path.join("deep/est")).unwrap();
    std::fs::create_dir(aside(&path)).unwrap();
    remove_dir(&path).unwrap();
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_replaced_directory_clears_what_a_killed_process_left() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("best");
    std::fs::create_dir(aside(&target)).unwrap();
    std::fs::write(aside(&target).join("torn"), "").unwrap();
    for text in ["first", "second"] {
        replace_dir::<IoError>(&Disk, &target, |dir| write(&dir.join("file"), text.as_bytes())).unwrap();
        assert_eq!(std::fs::read(target.join("file")).unwrap(), text.as_bytes());
        assert_eq!(names(&target), ["file"]);
        assert_eq!(names(folder.path()), ["best"]);
    }
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
    write_dir(&Disk, &target, false, fill("first")).unwrap();
    let error = write_dir(&Disk, &target, false, fill("second")).unwrap_err();
    assert!(matches!(error, DirError::Occupied { .. }), "{error}");
    assert_eq!(std::fs::read(target.join("file")).unwrap(), b"first");

    write_dir(&Disk, &target, true, fill("third")).unwrap();
    assert_eq!(std::fs::read(target.join("file")).unwrap(), b"third");

    let failed: Result<(), DirError> = write_dir(&Disk, &target, true, |dir| {
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
    write_dir::<DirError>(&Disk, &empty, false, |_| Ok(())).unwrap();
    let error = write_dir::<DirError>(&Disk, &file, true, |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
}
