//! Truncated shards, cut at every block.

use super::*;

const BLOCK: usize = 512;

/// Three samples, `a` to `c`; a member has two blocks, a sample four.
fn three(folder: &Folder) -> Vec<u8> {
    let members =
        [("a.png", &b"A"[..]), ("a.txt", b"1"), ("b.png", b"B"), ("b.txt", b"2"), ("c.png", b"C"), ("c.txt", b"3")];
    std::fs::read(folder.write("s.tar", &members)).unwrap()
}

/// Returns the error, the keys that are kept, and the content of the report.
fn broken(folder: &Folder, bytes: &[u8]) -> (DatasetError, Vec<String>) {
    std::fs::write(folder.path("s.tar"), bytes).unwrap();
    let error = folder.open("s.tar").unwrap().shard(0).unwrap_err();
    let again = folder.open("s.tar").unwrap().count().unwrap_err();
    assert_eq!(error.to_string(), again.to_string());
    let samples = folder.skipping("s.tar").shard(0).unwrap();
    let entries = folder.report.entries();
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(
        (&entries[0].name, &entries[0].reason),
        (&folder.path("s.tar").display().to_string(), &error.to_string())
    );
    (error, keys(&samples).into_iter().map(str::to_owned).collect())
}

#[test]
fn a_truncated_shard_names_the_place() {
    for (cut, kept, parts) in [
        // In the content of `b.png`, of `b.txt`, in the header of `c.png`, before the closing blocks, in the first header.
        (
            5 * BLOCK,
            &["a"][..],
            &["s.tar is broken at byte 2048", "after the sample `a`", "`b.png` has 1 bytes, of which 0"][..],
        ),
        (7 * BLOCK, &["a"], &["byte 3072", "after the sample `a`", "`b.txt` has 1 bytes"]),
        (8 * BLOCK + 100, &["a", "b"], &["byte 4096", "after the sample `b`", "entire block"]),
        (8 * BLOCK, &["a", "b"], &["byte 4096", "after the sample `b`", "closing block"]),
        (12 * BLOCK, &["a", "b", "c"], &["byte 6144", "after the sample `c`", "closing block"]),
        (6 * BLOCK, &["a"], &["byte 3072", "after the sample `a`", "closing block"]),
        (10, &[], &["byte 0", "before the first sample"]),
        (0, &[], &["byte 0", "before the first sample", "closing block"]),
    ] {
        let folder = Folder::new();
        let whole = three(&folder);
        let (error, keys) = broken(&folder, &whole[..cut]);
        assert_says(&error, parts);
        assert_eq!(keys, kept, "{cut}");
    }
}

#[test]
fn garbage_in_the_middle_names_the_place() {
    let folder = Folder::new();
    let mut bytes = three(&folder);
    bytes[8 * BLOCK..8 * BLOCK + 20].fill(b'?');
    let (error, keys) = broken(&folder, &bytes);
    assert_says(&error, &["byte 4096", "after the sample `b`", "checksum"]);
    assert_eq!(keys, ["a", "b"]);

    // A size that leads far beyond the end, with a correct checksum.
    let folder = Folder::new();
    let mut bytes = three(&folder);
    let mut header = tar::Header::new_gnu();
    header.set_path("b.png").unwrap();
    header.set_size(u64::MAX - 3);
    header.set_cksum();
    bytes[4 * BLOCK..5 * BLOCK].copy_from_slice(header.as_bytes());
    std::fs::write(folder.path("s.tar"), &bytes).unwrap();
    assert_says(&folder.open("s.tar").unwrap().shard(0).unwrap_err(), &["byte 2048", "after the sample `a`"]);
}

#[test]
fn a_file_that_is_not_tar_is_broken_from_the_start() {
    let folder = Folder::new();
    let (error, keys) = broken(&folder, "no tar at all ".repeat(100).as_bytes());
    assert_says(&error, &["s.tar is broken at byte 0, before the first sample"]);
    assert!(keys.is_empty());
}

#[test]
fn other_shards_continue_after_a_broken_one() {
    let folder = Folder::new();
    folder.plain("0", 2);
    let whole = std::fs::read(folder.plain("1", 5)).unwrap();
    std::fs::write(folder.path("1.tar"), &whole[..9 * BLOCK]).unwrap();
    folder.plain("2", 2);
    let shards = folder.open("{0..2}.tar").unwrap();
    assert!(matches!(shards.count(), Err(DatasetError::Content { .. })));
    // The order ends with the error.
    let order: Vec<_> = shards.order(1, 0, 3).collect();
    assert!(order.last().unwrap().is_err() && order.iter().filter(|sample| sample.is_err()).count() == 1);
    let skipping = folder.skipping("{0..2}.tar");
    assert_eq!(skipping.count().unwrap(), 6);
    assert_eq!(skipping.order(1, 0, 3).map(Result::unwrap).count(), 6);
    assert_eq!(folder.report.len(), 1);
}
