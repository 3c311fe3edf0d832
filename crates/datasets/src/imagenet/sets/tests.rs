//! The ImageNet family on temporary folders.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use super::*;

fn root(files: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for file in files {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"").unwrap();
    }
    root
}

fn missing(set: &LabelledImages) -> usize {
    let count = |warning: &Warning| match warning {
        Warning::MissingClasses { folders } => Some(folders.len()),
        _ => None,
    };
    set.warnings.iter().find_map(count).unwrap_or(0)
}

#[test]
fn v2s_labels_are_the_folders_numbers() {
    let v2 = "imagenetv2-matched-frequency-format-val";
    let files = [format!("{v2}/10/a.jpeg"), format!("{v2}/2/a.jpeg"), format!("{v2}/999/a.jpeg")];
    let root = root(&files.each_ref().map(|file| &file[..]));
    let set = ImageNetSet::V2.read(root.path(), None).unwrap();
    assert_eq!(set.labels(), [10, 2, 999]);
    assert_eq!(set.classes[2].text, "great white shark");
    assert_eq!(missing(&set), 997);
}

#[test]
fn wordnet_ids_give_the_labels_of_the_1000() {
    let root = root(&["sketch/n01443537/x.JPEG", "ILSVRC2012/val/n15075141/x.JPEG"]);
    let set = ImageNetSet::Sketch.read(root.path(), None).unwrap();
    assert_eq!((set.labels(), set.classes.len()), (vec![1], 1000));
    // Two pairs of classes share their names.
    assert_eq!(set.warnings.iter().filter(|warning| matches!(warning, Warning::SameText { .. })).count(), 2);
    let names: ClassNames = [("n15075141".to_owned(), "loo roll".to_owned())].into_iter().collect();
    let set = ImageNetSet::Val.read(root.path(), Some(&names)).unwrap();
    assert_eq!((set.labels(), &set.classes[999].text[..]), (vec![999], "loo roll"));
}

#[test]
fn a_and_r_have_their_own_200() {
    // Goldfish is in R but not in A; stingray is in A and R.
    let root = root(&["imagenet-r/n01443537/x.jpg", "imagenet-a/n01498041/x.jpg", "imagenet-a/n01443537/y.jpg"]);
    let set = ImageNetSet::R.read(root.path(), None).unwrap();
    assert_eq!((set.labels(), missing(&set)), (vec![1], 199));
    let message = ImageNetSet::A.read(root.path(), None).unwrap_err().to_string();
    assert!(message.contains("n01443537") && message.contains("imagenet-a"), "{message}");
    assert_eq!(ImageNetSet::A.scoring(), Scoring::Subset(subset_a()));
}

#[test]
fn objectnets_other_folders_are_ignored() {
    let at = "objectnet-1.0/images";
    let files = [format!("{at}/backpack/a.png"), format!("{at}/baking_sheet/a.png"), format!("{at}/alarm_clock/a.png")];
    let root = root(&files.each_ref().map(|file| &file[..]));
    let set = ImageNetSet::ObjectNet.read(root.path(), None).unwrap();
    assert_eq!((set.labels(), set.classes.len(), missing(&set)), (vec![0, 1], 113, 111));
    let Scoring::MaxOver(groups) = ImageNetSet::ObjectNet.scoring() else { panic!("groups") };
    assert_eq!((groups.len(), groups[0], groups[1]), (113, &[409, 530][..], &[414][..]));
    assert_eq!(ImageNetSet::ObjectNet.border(), 2);
}

#[test]
fn wrong_layouts_name_the_folder() {
    let root = root(&["imagenetv2-matched-frequency-format-val/tench/x.jpg", "objectnet-1.0/images/spoons/x.png"]);
    for (set, parts) in [
        (ImageNetSet::V2, ["tench", "0 to 999"]),
        (ImageNetSet::ObjectNet, ["spoons", "ObjectNet's folders"]),
        (ImageNetSet::Val, ["ILSVRC2012/val", "does not exist"]),
    ] {
        let message = set.read(root.path(), None).unwrap_err().to_string();
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
}
