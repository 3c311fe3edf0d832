//! The classes of `--classes` and of known data sets.

use std::path::{Path, PathBuf};

use anyhow::Context;
use radapter_datasets::layouts::Layout;
use radapter_datasets::list;
use radapter_segmentation::class_list::{ClassList, Synonyms};

use crate::command::args::{ClassesArgs, DatasetArgs, LabelMapArgs};
use crate::command::failure::{Usage, of_option};

/// Reads the classes of `--classes`, and warns of anything remarkable in them.
pub(in crate::command) fn class_list(args: &ClassesArgs) -> anyhow::Result<ClassList> {
    let Some(text) = &args.classes else {
        return Err(
            Usage("give --classes: a file with one class per line, or a list such as \"sky, road\"".into()).into()
        );
    };
    Ok(noted(of_option("--classes", text, ClassList::resolve(text))?))
}

fn noted(classes: ClassList) -> ClassList {
    classes.notes.iter().for_each(|note| tracing::warn!("--classes: {note}"));
    classes
}

/// Locations and classes of annotated images, from the flags or from a known data set.
#[derive(Clone, Debug, Default)]
pub(in crate::command) struct Annotated {
    pub(in crate::command) images: Option<PathBuf>,
    pub(in crate::command) annotations: Option<PathBuf>,
    /// One line per class, with commas between synonyms.
    pub(in crate::command) classes: Option<Vec<String>>,
    pub(in crate::command) synonyms: Option<Synonyms>,
    pub(in crate::command) label_offset: Option<u16>,
    pub(in crate::command) ignore: Option<u16>,
    /// A file that lists the images of the set.
    pub(in crate::command) list: Option<PathBuf>,
    /// OVSeg's weight of CLIP for the data set.
    pub(in crate::command) lambda: Option<f32>,
}

/// Resolves `--dataset`, or `--images`, `--annotations` and `--classes`.
pub(in crate::command) fn annotated(
    images: Option<&Path>,
    args: &LabelMapArgs,
    dataset: &DatasetArgs,
) -> anyhow::Result<Annotated> {
    let given = Annotated {
        images: images.map(Path::to_owned),
        annotations: args.annotations.clone(),
        classes: None,
        synonyms: args.classes.synonyms,
        label_offset: args.label_offset,
        ignore: args.ignore,
        list: None,
        lambda: None,
    };
    let (Some(name), Some(root)) = (&dataset.dataset, &dataset.root) else {
        if dataset.root.is_some() {
            return Err(Usage("--root is given without --dataset; name a data set with --dataset".into()).into());
        }
        let classes = args.classes.classes.is_some().then(|| class_list(&args.classes)).transpose()?;
        return Ok(Annotated { classes: classes.map(|classes| classes.lines()), ..given });
    };
    let layout = Layout::named(name)?;
    let folders = layout.folders(root, None)?;
    Ok(Annotated {
        images: Some(folders.images),
        annotations: Some(folders.annotations),
        classes: Some(layout.lines()),
        label_offset: given.label_offset.or(Some(folders.label_offset)),
        ignore: given.ignore.or(Some(folders.ignore)),
        list: folders.list,
        lambda: lambda(name),
        ..given
    })
}

/// OVSeg's weights (Liang et al., CVPR 2023).
fn lambda(dataset: &str) -> Option<f32> {
    match dataset {
        name if name.starts_with("ade20k") => Some(0.7),
        name if name.starts_with("pascal-context") => Some(0.6),
        "pascal-voc-20" => Some(0.45),
        _ => None,
    }
}

/// The labels of the classes that a file lists, one per line.
pub(in crate::command) fn unseen(classes: &ClassList, file: &Path) -> anyhow::Result<Vec<usize>> {
    let names = list::names_of(file)?;
    classes.labels_of(&names).with_context(|| format!("`{}`", file.display()))
}
