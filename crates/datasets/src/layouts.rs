//! Data sets for segmentation by name: where their files lie once prepared, and what their labels are called.
//!
//! The layout is the one that detectron2's `datasets/prepare_*.py` and OVSeg's scripts make under one root; the names are those of
//! OVSeg's evaluation, in label order.

use std::path::{Path, PathBuf};

/// A data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    name: &'static str,
    images: &'static str,
    annotations: &'static str,
    /// Where the set itself has its annotations, counted from 1 with 0 to be ignored.
    original: Option<&'static str>,
    ignore: u16,
    lines: &'static str,
}

/// Where a data set's files lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// The images.
    pub images: PathBuf,
    /// The label maps.
    pub annotations: PathBuf,
    /// What is stored for the first class: 1 in the original annotations of sets that count from 1.
    pub label_offset: u16,
}

/// Why there is no such data set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// No data set of that name.
    #[error("no data set is called `{name}`; known are {}", names().join(", "))]
    Unknown {
        /// The name.
        name: String,
    },
    /// A folder is not there.
    #[error(
        "{dataset}: there is no folder {}; the layout is the one that detectron2's datasets/prepare_*.py and OVSeg's scripts make: \
         images in {images}, label maps in {annotations}, below the root", path.display()
    )]
    Missing {
        /// The data set.
        dataset: &'static str,
        /// The folder.
        path: PathBuf,
        /// The folder of images.
        images: String,
        /// The folder of label maps.
        annotations: String,
    },
}

const fn layout(
    name: &'static str,
    images: &'static str,
    annotations: &'static str,
    original: Option<&'static str>,
    ignore: u16,
    lines: &'static str,
) -> Layout {
    Layout { name, images, annotations, original, ignore, lines }
}

static LAYOUTS: [Layout; 6] = [
    layout(
        "ade20k-150",
        "ADEChallengeData2016/images/validation",
        "ADEChallengeData2016/annotations_detectron2/validation",
        Some("ADEChallengeData2016/annotations/validation"),
        255,
        include_str!("../assets/segmentation/ade20k-150.txt"),
    ),
    layout(
        "ade20k-847",
        "ADE20K_2021_17_01/images_detectron2/validation",
        "ADE20K_2021_17_01/annotations_detectron2/validation",
        None,
        65_535,
        include_str!("../assets/segmentation/ade20k-847.txt"),
    ),
    layout(
        "pascal-context-59",
        "VOCdevkit/VOC2010/JPEGImages",
        "VOCdevkit/VOC2010/annotations_detectron2/pc59_val",
        None,
        255,
        include_str!("../assets/segmentation/pascal-context-59.txt"),
    ),
    layout(
        "pascal-context-459",
        "VOCdevkit/VOC2010/JPEGImages",
        "VOCdevkit/VOC2010/annotations_detectron2/pc459_val",
        None,
        65_535,
        include_str!("../assets/segmentation/pascal-context-459.txt"),
    ),
    layout(
        "pascal-voc-20",
        "VOCdevkit/VOC2012/JPEGImages",
        "VOCdevkit/VOC2012/annotations_detectron2/val",
        Some("VOCdevkit/VOC2012/SegmentationClassAug"),
        255,
        include_str!("../assets/segmentation/pascal-voc-20.txt"),
    ),
    layout(
        "coco-stuff-171",
        "coco/{split}",
        "coco/stuffthingmaps_detectron2/{split}",
        None,
        255,
        include_str!("../assets/segmentation/coco-stuff-171.txt"),
    ),
];

/// The names of all data sets.
pub fn names() -> Vec<&'static str> {
    LAYOUTS.iter().map(|layout| layout.name).collect()
}

impl Layout {
    /// The data set of a name.
    ///
    /// # Errors
    /// [`LayoutError::Unknown`], with the names that are known.
    pub fn named(name: &str) -> Result<&'static Self, LayoutError> {
        LAYOUTS.iter().find(|layout| layout.name == name).ok_or_else(|| LayoutError::Unknown { name: name.to_owned() })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its classes in label order, commas between synonyms.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lines().map(str::to_owned).collect()
    }

    /// The stored label that is ignored.
    pub fn ignore(&self) -> u16 {
        self.ignore
    }

    /// Where the files lie below a root: the prepared annotations, else the set's own where they only count from 1. `split` is a
    /// part of COCO-Stuff, `val2017` where not given.
    ///
    /// # Errors
    /// [`LayoutError::Missing`] for a folder that is not there.
    pub fn folders(&self, root: &Path, split: Option<&str>) -> Result<Folders, LayoutError> {
        let filled = |path: &str| path.replace("{split}", split.unwrap_or("val2017"));
        let (images, annotations) = (filled(self.images), filled(self.annotations));
        let (images_path, annotations_path) = (root.join(&images), root.join(&annotations));
        let original = self.original.map(|path| root.join(path)).filter(|path| path.is_dir());
        let (found, label_offset) = match original {
            Some(original) if !annotations_path.is_dir() => (original, 1),
            _ => (annotations_path, 0),
        };
        for path in [&images_path, &found] {
            if !path.is_dir() {
                let path = path.clone();
                return Err(LayoutError::Missing { dataset: self.name, path, images, annotations });
            }
        }
        Ok(Folders { images: images_path, annotations: found, label_offset })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn every_set_has_its_number_of_classes() {
        for (name, classes, first) in [
            ("ade20k-150", 150, "wall"),
            ("ade20k-847", 847, "wall"),
            ("pascal-context-59", 59, "aeroplane"),
            ("pascal-context-459", 459, "accordion"),
            ("pascal-voc-20", 20, "aeroplane"),
            ("coco-stuff-171", 171, "person"),
        ] {
            let layout = Layout::named(name).unwrap();
            let lines = layout.lines();
            assert_eq!(lines.len(), classes, "{name}");
            assert_eq!((lines[0].as_str(), layout.ignore()), (first, if classes > 254 { 65_535 } else { 255 }), "{name}");
        }
        let message = Layout::named("ade").unwrap_err().to_string();
        assert!(message.contains("`ade`") && message.contains("ade20k-847"), "{message}");
    }

    #[test]
    fn folders_are_found_below_the_root() {
        let root = tempfile::tempdir().unwrap();
        let make = |path: &str| std::fs::create_dir_all(root.path().join(path)).unwrap();
        let ade = Layout::named("ade20k-150").unwrap();
        let message = ade.folders(root.path(), None).unwrap_err().to_string();
        assert!(message.contains("ADEChallengeData2016/images/validation") && message.contains("prepare"), "{message}");
        make("ADEChallengeData2016/images/validation");
        make("ADEChallengeData2016/annotations/validation");
        assert_eq!(ade.folders(root.path(), None).unwrap().label_offset, 1);
        make("ADEChallengeData2016/annotations_detectron2/validation");
        let found = ade.folders(root.path(), None).unwrap();
        assert!(found.annotations.ends_with("annotations_detectron2/validation") && found.label_offset == 0);
        make("coco/train2017");
        make("coco/stuffthingmaps_detectron2/train2017");
        let coco = Layout::named("coco-stuff-171").unwrap();
        assert!(coco.folders(root.path(), Some("train2017")).unwrap().images.ends_with("coco/train2017"));
        assert!(coco.folders(root.path(), None).unwrap_err().to_string().contains("val2017"));
    }
}
