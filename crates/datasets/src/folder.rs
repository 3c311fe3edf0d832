//! Image folders with one sub-folder per class.
//!
//! The classes are the sub-folders in the order of their names' bytes; the images are the image files below them, at any depth, in
//! the order of their relative paths' bytes. These orders do not depend on locale, file system or thread count, because labels and
//! everything drawn by index depend on them. Hidden files and folders (a leading dot) are ignored.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use radapter_files::io_error;
use radapter_images::ImageSource;

use crate::DatasetError;
use crate::class_names::ClassNames;
use crate::labelled::{LabelledImages, Sample, Warning, some};

/// Extensions of image files, in any case. The content decides the format: `.jfif`, `.jpe` and `.mpo` are JPEGs.
pub const EXTENSIONS: [&str; 15] =
    ["jpg", "jpeg", "jpe", "jfif", "mpo", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm", "pbm", "pnm"];

/// Expected content, for errors.
const CLASSES: &str = "a folder with one sub-folder of images per class";

/// Reads an image folder.
///
/// # Errors
/// [`DatasetError`] if it does not exist, is empty or has no sub-folders, if a class has no image, or if something in it cannot be
/// read.
pub fn read(root: &Path, names: Option<&ClassNames>) -> Result<LabelledImages, DatasetError> {
    tracing::debug!("reading the folder {}", root.display());
    let entries = entries(root)?;
    if entries.is_empty() {
        return Err(DatasetError::about(root, format!("is empty; expected {CLASSES}")));
    }
    let loose = entries.iter().filter(|entry| !entry.is_dir && is_image(&entry.path)).count();
    let classes: Vec<&Entry> = entries.iter().filter(|entry| entry.is_dir).collect();
    if classes.is_empty() {
        let found = found(&entries);
        return Err(DatasetError::about(root, format!("has no sub-folders; found {found}; expected {CLASSES}")));
    }
    let mut samples = Vec::new();
    let mut folders = Vec::with_capacity(classes.len());
    let mut others = Vec::new();
    let mut nested = true;
    for (label, class) in classes.into_iter().enumerate() {
        let Files { chosen: images, others: skipped } = files(&class.path, &EXTENSIONS)?;
        others.extend(skipped.into_iter().map(|name| format!("{}/{name}", class.name)));
        nested &= is_nested(&images);
        if images.is_empty() {
            let found = found(&self::entries(&class.path)?);
            let problem = format!("has no image; found {found}; expected files ending in {}", EXTENSIONS.join(", "));
            return Err(DatasetError::about(&class.path, problem));
        }
        let folder = class.name.clone();
        samples.extend(images.into_iter().map(|image| Sample {
            name: format!("{folder}/{}", image.name),
            source: ImageSource::File(image.path),
            label,
        }));
        folders.push(folder);
    }
    let mut warnings = Vec::new();
    if !others.is_empty() {
        warnings.push(Warning::OtherFiles { names: others });
    }
    if loose > 0 {
        warnings.push(Warning::LooseImages { count: loose });
    }
    if nested {
        warnings.push(Warning::NestedFolders { example: root.join(&folders[0]) });
    }
    Ok(LabelledImages::new(folders, samples, names, warnings))
}

/// Image file found below a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct FoundImage {
    pub path: PathBuf,
    /// Path relative to the folder, with `/`; bytes that are not UTF-8 are replaced.
    pub name: String,
}

/// Lists all images below a folder, at any depth, in byte order of their relative paths.
///
/// # Errors
/// [`DatasetError`] if the folder does not exist, has no image, or something in it cannot be read.
pub fn images(root: &Path) -> Result<Vec<FoundImage>, DatasetError> {
    let Files { chosen, others } = files(root, &EXTENSIONS)?;
    if chosen.is_empty() {
        return Err(DatasetError::NoImages { path: root.to_owned(), extensions: &EXTENSIONS });
    }
    if !others.is_empty() {
        tracing::warn!("{}: {}", root.display(), Warning::OtherFiles { names: others });
    }
    Ok(chosen)
}

/// Whether there are images in several folders, and only there: a set of classes rather than a class.
fn is_nested(images: &[FoundImage]) -> bool {
    let folders: Option<BTreeSet<&str>> =
        images.iter().map(|image| image.name.split_once('/').map(|(folder, _)| folder)).collect();
    folders.is_some_and(|folders| folders.len() > 1)
}

/// Whether a file's extension is one of [`EXTENSIONS`].
pub fn is_image(path: &Path) -> bool {
    ends_in(path, &EXTENSIONS)
}

fn ends_in(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    extensions.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

struct Entry {
    path: PathBuf,
    name: String,
    is_dir: bool,
}

/// Returns the entries of a folder without hidden ones, in byte order of their names. Links are followed.
fn entries(folder: &Path) -> Result<Vec<Entry>, DatasetError> {
    let listing = match std::fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(DatasetError::about(folder, "does not exist"));
        }
        Err(_) if folder.is_file() => {
            return Err(DatasetError::about(folder, format!("is a file; expected {CLASSES}")));
        }
        Err(error) => return Err(io_error("read", folder)(error).into()),
    };
    let mut entries = Vec::new();
    for entry in listing {
        let entry = entry.map_err(io_error("read", folder))?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        let kind = entry.file_type().map_err(io_error("read", folder))?;
        let is_dir = if kind.is_symlink() { path.is_dir() } else { kind.is_dir() };
        if kind.is_symlink() && is_dir && leads_back(&path).map_err(io_error("read", &path))? {
            return Err(DatasetError::about(&path, "links back to a folder that contains it"));
        }
        entries.push((entry.file_name(), path, is_dir));
    }
    entries.sort_by(|a, b| a.0.as_encoded_bytes().cmp(b.0.as_encoded_bytes()));
    let entry = |(name, path, is_dir): (std::ffi::OsString, PathBuf, bool)| Entry {
        path,
        name: name.to_string_lossy().into_owned(),
        is_dir,
    };
    Ok(entries.into_iter().map(entry).collect())
}

/// Whether a link to a folder leads to a folder that contains it.
fn leads_back(link: &Path) -> std::io::Result<bool> {
    let target = link.canonicalize()?;
    let home = link.parent().unwrap_or(Path::new(".")).canonicalize()?;
    Ok(home.starts_with(&target))
}

/// The files below a folder by extension.
pub(crate) struct Files {
    /// Those with one of the extensions, in byte order of their relative paths.
    pub(crate) chosen: Vec<FoundImage>,
    /// Relative paths of the others.
    pub(crate) others: Vec<String>,
}

/// Lists all files below a folder, at any depth, and chooses those with one of these extensions, in any case; possibly none.
pub(crate) fn files(root: &Path, extensions: &[&str]) -> Result<Files, DatasetError> {
    let (mut chosen, mut others) = (Vec::new(), Vec::new());
    let mut pending = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = pending.pop() {
        for entry in entries(&folder)? {
            let name = format!("{prefix}{}", entry.name);
            if entry.is_dir {
                pending.push((entry.path, format!("{name}/")));
            } else if ends_in(&entry.path, extensions) {
                chosen.push(FoundImage { path: entry.path, name });
            } else {
                others.push(name);
            }
        }
    }
    chosen.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()).then_with(|| a.path.cmp(&b.path)));
    others.sort_unstable();
    Ok(Files { chosen, others })
}

/// Describes the content of a folder, for a message.
fn found(entries: &[Entry]) -> String {
    let images = entries.iter().filter(|entry| !entry.is_dir && is_image(&entry.path)).count();
    if images > 0 {
        return format!("{images} images");
    }
    match entries {
        [] => "nothing".to_owned(),
        _ => {
            let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
            some(&names)
        }
    }
}

#[cfg(test)]
mod tests;
