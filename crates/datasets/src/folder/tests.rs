//! Image folders: order, warnings, and errors.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use super::*;

/// Creates a folder with the given files, all empty, and folders (with a final slash).
fn folder(files: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for file in files {
        let path = root.path().join(file);
        if file.ends_with('/') {
            std::fs::create_dir_all(path).unwrap();
        } else {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        }
    }
    root
}

fn names(set: &LabelledImages) -> Vec<&str> {
    set.samples.iter().map(|sample| &sample.name[..]).collect()
}

#[test]
fn classes_and_files_are_sorted_by_bytes() {
    let root = folder(&[
        "b_c/2.JPG",
        "b_c/10.png",
        "B/x.webp",
        "a/z/1.jpeg",
        "a/z-1.png",
        "a/z.png",
        "a/.hidden.png",
        ".git/x.png",
        "a/notes.txt",
        "ä/1.png",
    ]);
    let set = read(root.path(), None).unwrap();
    let classes: Vec<_> = set.classes.iter().map(|class| (&class.folder[..], &class.text[..])).collect();
    assert_eq!(classes, [("B", "B"), ("a", "a"), ("b_c", "b c"), ("ä", "ä")]);
    // `-` and `.` sort before `/`: paths are compared, not their parts.
    let expected = ["B/x.webp", "a/z-1.png", "a/z.png", "a/z/1.jpeg", "b_c/10.png", "b_c/2.JPG", "ä/1.png"];
    assert_eq!(names(&set), expected);
    assert_eq!(set.labels(), [0, 1, 1, 1, 2, 2, 3]);
    assert_eq!(set.warnings, [Warning::OtherFiles { names: vec!["a/notes.txt".to_owned()] }]);
}

#[test]
fn class_names_override_and_oddities_are_warnings() {
    let root = folder(&["n01/1.png", "n02/1.png", "n03/1.png", "stray.png"]);
    let pairs = [("n01", "crane"), ("n02", "crane"), ("n99", "gone")];
    let given: ClassNames = pairs.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
    let set = read(root.path(), Some(&given)).unwrap();
    let texts: Vec<_> = set.classes.iter().map(|class| &class.text[..]).collect();
    assert_eq!(texts, ["crane", "crane", "n03"]);
    let two = vec!["n01".to_owned(), "n02".to_owned()];
    assert_eq!(
        set.warnings,
        [
            Warning::LooseImages { count: 1 },
            Warning::UnusedNames { folders: vec!["n99".to_owned()] },
            Warning::SameText { text: "crane".to_owned(), folders: two },
        ]
    );
}

#[test]
fn folders_without_data_are_described() {
    for (files, parts) in [
        (&["empty/"][..], &["empty has no image", "found nothing", "jpg, jpeg, jpe, "][..]),
        (&[], &["is empty", "sub-folder of images per class"]),
        (&["1.png", "2.png"], &["no sub-folders", "found 2 images", "sub-folder of images per class"]),
        (&["readme.md"], &["no sub-folders", "found readme.md"]),
        (&["cat/1.png", "dog/1.avif"], &["dog", "has no image", "found 1.avif"]),
    ] {
        let root = folder(files);
        let message = read(root.path(), None).unwrap_err().to_string();
        for part in parts {
            assert!(message.contains(part), "{files:?}: {message}");
        }
        assert!(message.contains(root.path().to_str().unwrap()), "{message}");
    }
}

#[test]
fn a_missing_folder_and_a_file_have_different_errors() {
    let root = folder(&["file.png"]);
    let missing = read(&root.path().join("nope"), None).unwrap_err();
    assert!(missing.to_string().ends_with("nope does not exist"), "{missing}");
    let file = read(&root.path().join("file.png"), None).unwrap_err();
    assert!(file.to_string().contains("file.png is a file; expected a folder"), "{file}");
}

#[test]
fn images_below_a_folder_are_listed_flat() {
    let root = folder(&["b.png", "a/2.jpg", "a-b/1.jpg", "a/x/3.webp", "c.txt"]);
    let listed: Vec<_> = images(root.path()).unwrap().into_iter().map(|image| image.name).collect();
    assert_eq!(listed, ["a-b/1.jpg", "a/2.jpg", "a/x/3.webp", "b.png"]);
    let none = folder(&["c.txt"]);
    let error = images(none.path()).unwrap_err().to_string();
    assert!(error.contains("has no image at any depth"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_cycles() {
    let root = folder(&["cat/1.png", "elsewhere/2.png"]);
    std::os::unix::fs::symlink(root.path().join("elsewhere"), root.path().join("cat/more")).unwrap();
    assert_eq!(names(&read(root.path(), None).unwrap()), ["cat/1.png", "cat/more/2.png", "elsewhere/2.png"]);
    std::os::unix::fs::symlink(root.path(), root.path().join("cat/up")).unwrap();
    let error = read(root.path(), None).unwrap_err();
    assert!(error.to_string().contains("cat/up links back"), "{error}");
}
