//! Files of a path or pattern.

use super::*;

fn names(shards: &Shards) -> Vec<String> {
    shards.files().iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn shards_are_a_pattern_a_folder_or_one_file() {
    let folder = Folder::new();
    for name in ["000", "001", "002", "train-0", "val-0", "b{1}"] {
        folder.plain(name, 1);
    }
    std::fs::write(folder.path("notes.txt"), "").unwrap();
    std::fs::write(folder.path(".hidden.tar"), "").unwrap();
    for (pattern, expected) in [
        ("{000..002}.tar", &["000.tar", "001.tar", "002.tar"][..]),
        ("{val,train}-{0..0}.tar", &["val-0.tar", "train-0.tar"]),
        ("001.tar", &["001.tar"]),
        ("b{1}.tar", &["b{1}.tar"]),
        ("", &["000.tar", "001.tar", "002.tar", "b{1}.tar", "train-0.tar", "val-0.tar"]),
    ] {
        assert_eq!(names(&folder.open(pattern).unwrap()), expected, "{pattern}");
    }
}

#[test]
fn missing_shards_are_errors() {
    let folder = Folder::new();
    folder.plain("000", 1);
    std::fs::create_dir(folder.path("empty")).unwrap();
    std::fs::create_dir(folder.path("other")).unwrap();
    std::fs::write(folder.path("other/0.tar.gz"), "").unwrap();
    std::fs::write(folder.path("zip.tar.gz"), b"\x1f\x8b\x08\0").unwrap();
    std::fs::write(folder.path("zst.tar"), b"\x28\xb5\x2f\xfd\0\0").unwrap();
    for (pattern, parts) in [
        ("{000..003}.tar", &["{000..003}.tar refers to 4 shards", "3 are missing", "001.tar", "003.tar"][..]),
        ("gone.tar", &["gone.tar refers to 1 shards", "1 are missing"]),
        ("{000,000}.tar", &["000.tar is listed twice"]),
        ("{000..}.tar", &["cannot be used as a pattern", "expected a range like `{000..010}`"]),
        ("empty", &["no shards", "ending in .tar", "found nothing"]),
        ("other", &["no shards", "found 0.tar.gz"]),
        ("zip.tar.gz", &["zip.tar.gz is compressed with gzip", "decompress it"]),
        ("zst.tar", &["zst.tar is compressed with zstd"]),
    ] {
        assert_says(&folder.open(pattern).unwrap_err(), parts);
    }
    let none = Shards::open(&folder.path("000.tar"), OnError::Fail, &folder.report, Some(0)).unwrap_err();
    assert_says(&none, &["max_captions is 0"]);
}

#[test]
fn captions_are_read_from_shards() {
    use crate::DatasetError;
    use crate::captions::CaptionsOptions;
    let folder = Folder::new();
    folder.plain("0", 2);
    folder.plain("1", 1);
    let read = |pattern: &str, options: &CaptionsOptions| {
        crate::captions::read(&folder.path(pattern), options, OnError::Fail, &folder.report)
    };
    for pattern in ["{0..1}.tar", ""] {
        let options = CaptionsOptions { images: Some(PathBuf::from("not/used")), ..Default::default() };
        let set = read(pattern, &options).unwrap();
        let names: Vec<_> = set.images.iter().map(|image| &image.name[..]).collect();
        assert_eq!((names, set.captions()), (vec!["0-0", "0-1", "1-0"], 3));
    }
    let split = CaptionsOptions { splits: vec!["train".to_owned()], ..Default::default() };
    assert!(matches!(read("0.tar", &split), Err(DatasetError::OtherForm { setting: "split", .. })));
    assert!(matches!(read("{2..3}.tar", &Default::default()), Err(DatasetError::Content { .. })));
}
