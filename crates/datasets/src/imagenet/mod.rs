//! ImageNet's classes and the sets that share them: tables, and readers for their usual layouts.

mod sets;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use sets::{ImageNetSet, Scoring};

/// ImageNet class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageNetClass {
    /// WordNet id, which is the folder's name.
    pub wnid: &'static str,
    /// Name for prompts (OpenAI's; two pairs of classes share one).
    pub name: &'static str,
}

/// Folder of ObjectNet and its ImageNet classes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct ObjectNetFolder {
    pub folder: &'static str,
    /// Class indices, one to three.
    pub classes: Vec<usize>,
}

static CLASSES: LazyLock<Vec<ImageNetClass>> = LazyLock::new(|| {
    let class = |line: &'static str| line.split_once('\t').map(|(wnid, name)| ImageNetClass { wnid, name });
    include_str!("../../assets/imagenet/classes.tsv").lines().filter_map(class).collect()
});

static BY_WNID: LazyLock<HashMap<&'static str, usize>> =
    LazyLock::new(|| CLASSES.iter().enumerate().map(|(index, class)| (class.wnid, index)).collect());

static SUBSET_A: LazyLock<Vec<usize>> = LazyLock::new(|| numbers(include_str!("../../assets/imagenet/subset-a.txt")));
static SUBSET_R: LazyLock<Vec<usize>> = LazyLock::new(|| numbers(include_str!("../../assets/imagenet/subset-r.txt")));

static OBJECTNET: LazyLock<Vec<ObjectNetFolder>> = LazyLock::new(|| {
    let folder = |line: &'static str| {
        line.split_once('\t').map(|(folder, classes)| ObjectNetFolder { folder, classes: numbers(classes) })
    };
    include_str!("../../assets/imagenet/objectnet.tsv").lines().filter_map(folder).collect()
});

fn numbers(text: &str) -> Vec<usize> {
    text.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

/// Returns the 1000 classes, in label order.
pub fn classes() -> &'static [ImageNetClass] {
    &CLASSES
}

/// Returns the label of a WordNet id.
pub fn class_of(wnid: &str) -> Option<usize> {
    BY_WNID.get(wnid).copied()
}

/// Returns the 200 classes of ImageNet-A, ascending.
pub fn subset_a() -> &'static [usize] {
    &SUBSET_A
}

/// Returns the 200 classes of ImageNet-R, ascending.
pub fn subset_r() -> &'static [usize] {
    &SUBSET_R
}

/// Returns the 113 folders of ObjectNet that have ImageNet classes, by name.
pub fn objectnet() -> &'static [ObjectNetFolder] {
    &OBJECTNET
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_complete() {
        assert_eq!(classes().len(), 1000);
        assert_eq!(classes()[0], ImageNetClass { wnid: "n01440764", name: "tench" });
        assert_eq!(classes()[999].name, "toilet paper");
        assert!(classes().is_sorted_by(|a, b| a.wnid < b.wnid));
        assert_eq!(class_of("n01443537"), Some(1));
        assert_eq!(class_of("n00000000"), None);
        for subset in [subset_a(), subset_r()] {
            assert_eq!(subset.len(), 200);
            assert!(subset.is_sorted_by(|a, b| a < b) && subset[199] < 1000);
        }
        assert_eq!(objectnet().len(), 113);
        assert!(objectnet().is_sorted_by(|a, b| a.folder < b.folder));
        assert_eq!(objectnet()[0], ObjectNetFolder { folder: "alarm_clock", classes: vec![409, 530] });
        let all: Vec<usize> = objectnet().iter().flat_map(|folder| folder.classes.clone()).collect();
        assert_eq!(all.len(), 125);
        assert!(all.iter().all(|&class| class < 1000));
    }
}
