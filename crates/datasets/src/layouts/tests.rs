//! Known data sets on temporary folders.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use super::*;

fn root(folders: &[&str], files: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for folder in folders {
        std::fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    for file in files {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    root
}

#[track_caller]
fn contains(error: DatasetError, parts: &[&str]) {
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[test]
fn each_set_has_its_classes() {
    for (name, count, first, last, ignore) in [
        ("ade20k-150", 150, "wall", "flag", 255),
        ("ade20k-847", 847, "wall", "adding machine, totalizer, totaliser", 65_535),
        ("pascal-context-59", 59, "aeroplane", "wood", 255),
        ("pascal-context-459", 459, "accordion", "wool", 65_535),
        ("pascal-voc-20", 20, "aeroplane", "tvmonitor", 255),
        ("coco-stuff-171", 171, "person", "wood", 255),
    ] {
        let layout = Layout::named(name).unwrap();
        let classes: Vec<_> = layout.classes().collect();
        assert_eq!((classes.len(), classes[0], classes[count - 1]), (count, first, last));
        assert_eq!(layout.ignore(), ignore, "{name}");
        assert!(classes.iter().all(|line| !line.trim().is_empty()), "{name}");
        assert_eq!(classes.iter().collect::<std::collections::BTreeSet<_>>().len(), count, "{name}");
    }
    assert_eq!(Layout::names().count(), 6);
    let unknown = Layout::named("ade20k").unwrap_err();
    contains(unknown, &["`ade20k`", "ade20k-150, ade20k-847, pascal-context-59", "coco-stuff-171", "--images"]);
}

#[test]
fn prepared_annotations_are_preferred() {
    let (images, prepared) =
        ("ADEChallengeData2016/images/validation", "ADEChallengeData2016/annotations_detectron2/validation");
    let original = "ADEChallengeData2016/annotations/validation";
    let layout = Layout::named("ade20k-150").unwrap();
    let both = root(&[images, prepared, original], &[]);
    let expected = Folders {
        images: both.path().join(images),
        annotations: both.path().join(prepared),
        ignore: 255,
        label_offset: 0,
        list: None,
    };
    assert_eq!(layout.folders(both.path(), None).unwrap(), expected);
    let only = root(&[images, original], &[]);
    let found = layout.folders(only.path(), None).unwrap();
    assert_eq!((found.annotations, found.label_offset), (only.path().join(original), 1));
    let neither = root(&[images], &[]);
    contains(
        layout.folders(neither.path(), None).unwrap_err(),
        &["ade20k-150", "annotations", prepared, "prepare_ade20k_sem_seg.py", original],
    );
    let no_images = root(&[prepared], &[]);
    contains(
        layout.folders(no_images.path(), None).unwrap_err(),
        &["lacks its images", images, "ADEChallengeData2016.zip"],
    );
    let nowhere = no_images.path().join("nowhere");
    contains(layout.folders(&nowhere, None).unwrap_err(), &["nowhere", "does not exist", "DETECTRON2_DATASETS"]);
}

#[test]
fn vocs_originals_need_the_list() {
    let (images, original) = ("VOCdevkit/VOC2012/JPEGImages", "VOCdevkit/VOC2012/SegmentationClassAug");
    let list = "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt";
    let layout = Layout::named("pascal-voc-20").unwrap();
    let whole = root(&[images, original], &[list]);
    let found = layout.folders(whole.path(), None).unwrap();
    assert_eq!((found.label_offset, found.ignore, found.list), (1, 255, Some(whole.path().join(list))));
    let without = root(&[images, original], &[]);
    contains(layout.folders(without.path(), None).unwrap_err(), &["prepare_voc_sem_seg.py", list, "which is missing"]);
}

#[test]
fn cocos_splits_are_a_choice() {
    let layout = Layout::named("coco-stuff-171").unwrap();
    let folders = ["val2017", "train2017"]
        .map(|split| [format!("coco/{split}"), format!("coco/stuffthingmaps_detectron2/{split}")]);
    let folders: Vec<&str> = folders.iter().flatten().map(String::as_str).collect();
    let all = root(&folders, &[]);
    let annotations = |split| layout.folders(all.path(), split).unwrap().annotations;
    assert_eq!(annotations(None), annotations(Some("val2017")));
    assert_eq!(annotations(Some("train2017")), all.path().join("coco/stuffthingmaps_detectron2/train2017"));
    contains(layout.folders(all.path(), Some("test")).unwrap_err(), &["`test`", "val2017, train2017"]);
    let part = root(&folders[..1], &[]);
    contains(
        layout.folders(part.path(), None).unwrap_err(),
        &["stuffthingmaps_detectron2/val2017", "prepare_coco_stuff_sem_seg.py"],
    );
    let one = Layout::named("ade20k-847").unwrap();
    contains(one.folders(all.path(), Some("train")).unwrap_err(), &["`train`", "omit the split"]);
}
