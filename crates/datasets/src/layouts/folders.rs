use std::path::{Path, PathBuf};

use super::{Layout, LayoutError};

/// Where a data set lies, and how its labels are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// The folder of images.
    pub images: PathBuf,
    /// The folder of annotations.
    pub annotations: PathBuf,
    /// The stored value of an ignored pixel.
    pub ignore: u16,
    /// The stored value of the first class: 0, or 1 for original annotations, where 0 is ignored, too.
    pub label_offset: u16,
    /// A file that lists the names of the set's images, where the annotations' folder has more.
    pub list: Option<PathBuf>,
}

pub(super) fn find(layout: &Layout, root: &Path, split: Option<&str>) -> Result<Folders, LayoutError> {
    let missing = |what, path: PathBuf, from: String| {
        // A root that is not there explains more than a folder in it.
        match root.is_dir() {
            true => LayoutError::Missing { dataset: layout.name, what, path, from },
            false => LayoutError::NoRoot { dataset: layout.name, root: root.to_owned() },
        }
    };
    let split = match split {
        None => layout.splits.first().copied().unwrap_or_default(),
        Some(split) if layout.splits.contains(&split) => split,
        Some(split) => {
            return Err(LayoutError::Split { dataset: layout.name, split: split.to_owned(), known: layout.splits });
        }
    };
    let below = |path: &str| root.join(path.replace("{split}", split));
    let images = below(layout.images);
    if !images.is_dir() {
        return Err(missing("images", images, format!("they come from {}", layout.images_from)));
    }
    let annotations = below(layout.annotations);
    if annotations.is_dir() {
        return Ok(Folders { images, annotations, ignore: layout.ignore, label_offset: 0, list: None });
    }
    let made = format!("{} makes them", layout.script);
    let Some(original) = &layout.original else {
        return Err(missing("annotations", annotations, made));
    };
    let originals = below(original.annotations);
    if !originals.is_dir() {
        let from = format!("{made}, and the original ones are not at {} either", originals.display());
        return Err(missing("annotations", annotations, from));
    }
    let list = original.list.map(below);
    if let Some(list) = list.as_ref().filter(|list| !list.is_file()) {
        let from =
            format!("{made}; the original ones in {} need {}, which is not there", originals.display(), list.display());
        return Err(missing("annotations", annotations, from));
    }
    Ok(Folders { images, annotations: originals, ignore: layout.ignore, label_offset: 1, list })
}
