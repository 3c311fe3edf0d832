//! Proposals from the files of other generators.

mod arrays;
mod folder;
mod id_map;
mod names;
mod npz;
mod records;
mod results;
mod tensors;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use radapter_datasets::DatasetError;
use radapter_files::io_error;

use super::Proposals;
use folder::{Folder, Form};
use results::Results;

/// Proposals in files; their format is detected.
///
/// | format | masks | image |
/// |---|---|---|
/// | a JSON file | COCO's results format: records with `segmentation` as run lengths, compressed or plain; also under `annotations` | `file_name`, else `image_id`: the file's stem, ignoring leading zeros |
/// | a folder of JSON files | a list of such records, as written by SAM, or `{"annotations": […]}` | the file's name |
/// | a folder of PNG files | id maps: each value except 0 is a mask | the file's name |
/// | a folder of `.npz` or `.safetensors` files | `masks [Q, h, w]` logits, and `scores [Q, K + 1]` logits of the classes | the file's name |
///
/// A record's `score` weighs its mask. Polygons and categories are ignored.
#[derive(Debug)]
pub struct ProposalFiles {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Results(Results),
    Folder(Folder),
}

/// Image to find proposals for.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Wanted<'a> {
    /// Path relative to the image folder, with or without its extension.
    pub name: &'a str,
    pub width: usize,
    pub height: usize,
    /// Number of classes that class scores must have, if known.
    pub classes: Option<usize>,
}

impl Wanted<'_> {
    /// Refuses a mask, called `what`, whose size is not the image's.
    pub(super) fn check_size(&self, path: &Path, what: &str, found: (usize, usize)) -> Result<(), DatasetError> {
        let Self { name, width, height, .. } = *self;
        if found == (width, height) {
            return Ok(());
        }
        let problem = format!(
            "{} × {} pixels, but the image {name} has {width} × {height}; run lengths and id maps must have the size of their image",
            found.0, found.1
        );
        Err(DatasetError::at(path, what, problem))
    }
}

/// Refuses files and arrays larger than `most` bytes.
fn check_bytes(path: &Path, what: &str, found: u64, most: u64) -> Result<(), DatasetError> {
    match found <= most {
        true => Ok(()),
        false => Err(DatasetError::new(path, format!("{what} of {found} bytes is refused: expected at most {most}"))),
    }
}

/// Refuses a file that is a pointer of Git LFS.
fn refuse_lfs_pointer(path: &Path) -> Result<(), DatasetError> {
    let mut start = Vec::new();
    File::open(path).and_then(|file| file.take(64).read_to_end(&mut start)).map_err(read_error(path))?;
    Ok(radapter_files::refuse_lfs_pointer(path, &start)?)
}

fn read_error(path: &Path) -> impl Fn(io::Error) -> DatasetError + Copy {
    move |error| io_error("read the proposals", path)(error).into()
}

impl ProposalFiles {
    /// Opens a file or a folder. A results file is read completely, a folder only listed.
    ///
    /// # Errors
    /// [`DatasetError`] for files that cannot be read or have another format.
    pub fn open(path: &Path) -> Result<Self, DatasetError> {
        tracing::debug!("reading the proposals {}", path.display());
        let kind = match std::fs::metadata(path).map_err(read_error(path))?.is_dir() {
            true => Kind::Folder(Folder::open(path)?),
            false => Kind::Results(Results::read(path)?),
        };
        Ok(Self { path: path.to_owned(), kind })
    }

    /// Returns the path of the file or folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns notes on what was ignored; for a folder, in the files read so far.
    pub fn notes(&self) -> Vec<String> {
        match &self.kind {
            Kind::Results(results) => results.notes(),
            Kind::Folder(folder) => folder.notes(),
        }
    }

    /// Whether there are proposals for an image.
    pub fn has(&self, name: &str) -> bool {
        match &self.kind {
            Kind::Results(results) => !results.of(name).is_empty(),
            Kind::Folder(folder) => folder.of(name).is_some(),
        }
    }

    /// Refuses proposals that match none of these images, or match two of them.
    ///
    /// # Errors
    /// [`DatasetError`]; no images at all, or no proposals at all, are accepted.
    pub fn check<'a>(&self, mut names: impl Iterator<Item = &'a str> + Clone) -> Result<(), DatasetError> {
        let mut loose: HashMap<&str, &str> = HashMap::new();
        for name in names.clone() {
            let key = match &self.kind {
                Kind::Results(results) => results.loose(name),
                Kind::Folder(folder) => folder.loose(name),
            };
            if let Some(key) = key
                && let Some(first) = loose.insert(key, name)
            {
                let advice = "use paths below the image folder as names";
                let problem = format!("its proposals for {key} match both {first} and {name}; {advice}");
                return Err(DatasetError::new(&self.path, problem));
            }
        }
        let Some(image) = names.clone().next() else { return Ok(()) };
        let example = match &self.kind {
            Kind::Results(results) => results.example(),
            Kind::Folder(folder) => folder.example(),
        };
        let Some(example) = example else { return Ok(()) };
        let images = names.clone().count();
        if names.any(|name| self.has(name)) {
            return Ok(());
        }
        let problem = format!(
            "has no proposals for any of the {images} images; it has some for {example}, but the first image is {image}"
        );
        Err(DatasetError::about(&self.path, problem))
    }

    /// Returns the proposals of an image; empty if the files have none.
    ///
    /// # Errors
    /// [`DatasetError`] for masks that are damaged or do not fit the image, and scores that do not fit the classes.
    pub fn of(&self, image: Wanted<'_>) -> Result<Proposals, DatasetError> {
        let mut found = Proposals { width: image.width, height: image.height, ..Proposals::default() };
        match &self.kind {
            Kind::Results(results) => found.masks = records::masks(&self.path, &results.of(image.name), image)?,
            Kind::Folder(folder) => {
                let Some(file) = folder.of(image.name) else { return Ok(found) };
                match folder.form() {
                    Form::Json => {
                        let (masks, passed) = results::of_image(file, image)?;
                        found.masks = masks;
                        folder.pass_over(file, passed);
                    }
                    Form::Png => found.masks = id_map::masks(file, image)?,
                    Form::Npz => (found.masks, found.class_scores) = arrays::proposals(file, npz::read(file)?, image)?,
                    Form::Safetensors => {
                        (found.masks, found.class_scores) = arrays::proposals(file, tensors::read(file)?, image)?;
                    }
                }
            }
        }
        Ok(found)
    }
}
