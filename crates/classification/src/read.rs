//! Labelled images, read from a path or generated.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use radapter_datasets::folder;
use radapter_datasets::shapes::{self, Domain, Split, World};
use radapter_datasets::table::{Table, TableOptions};
use radapter_datasets::{Class, ClassNames, DatasetError, LabelledImages, OnError, Sample};
use radapter_images::ImageSource;

/// Reads an image folder (a sub-folder per class), or a `.csv` or `.tsv` file (a row per image with its label).
///
/// With [`OnError::Skip`] the files of a table need not exist: they are left out when they are decoded.
///
/// Classes are sorted by the bytes of their folders or labels; `names` overrides their texts.
///
/// # Errors
/// [`DatasetError`] naming the path that is missing, empty or of another form.
pub fn read_labelled(
    path: &Path,
    names: Option<&ClassNames>,
    on_error: OnError,
) -> Result<LabelledImages, DatasetError> {
    if !path.is_file() {
        return folder::read(path, names);
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    if !extension.is_some_and(|e| e.eq_ignore_ascii_case("csv") || e.eq_ignore_ascii_case("tsv")) {
        let expected = "expected a folder with one sub-folder per class, or a .csv or .tsv file with one row per image";
        return Err(DatasetError::new(path, expected));
    }
    let table = Table::read(path, &TableOptions::default())?;
    if on_error == OnError::Fail {
        table.check_files()?;
    }
    Ok(table.labelled(names))
}

/// Generates scenes of the shapes world in one domain in memory, each labelled with its shape.
///
/// The classes alternate, so that a range of a multiple of their number is balanced.
pub fn drawn(world: &World, split: Split, domain: Domain, range: Range<u64>) -> LabelledImages {
    let class = |name: &&str| Class { folder: (*name).to_owned(), text: (*name).to_owned() };
    let samples = range.map(|index| {
        let scene = world.scene(split, domain, index);
        Sample {
            source: ImageSource::Pixels(Arc::new(scene.image)),
            label: scene.class,
            name: format!("{}/{}/{index}", domain.name(), split.name()),
        }
    });
    LabelledImages {
        classes: shapes::class_names().iter().map(class).collect(),
        samples: samples.collect(),
        warnings: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use radapter_images::DecodeOptions;

    use super::*;

    #[test]
    fn a_table_is_read_like_a_folder_and_other_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path
        };
        write("b/1.png", "");
        write("a/1.png", "");
        let table = write("list.CSV", "path,label\nb/1.png,dog\na/1.png,cat\n");
        let read = read_labelled(&table, None, OnError::Fail).unwrap();
        assert_eq!(read.labels(), [1, 0]);
        assert_eq!(read_labelled(dir.path(), None, OnError::Fail).unwrap().labels(), [0, 1]);

        let gone = write("gone.csv", "path,label\nc/1.png,dog\n");
        let message = read_labelled(&gone, None, OnError::Fail).unwrap_err().to_string();
        assert!(message.contains("c/1.png"), "{message}");
        let text = write("notes.txt", "hello");
        assert!(matches!(read_labelled(&text, None, OnError::Fail), Err(DatasetError::Content { .. })));
        let absent = read_labelled(&dir.path().join("absent"), None, OnError::Fail).unwrap_err();
        assert!(absent.to_string().contains("absent"), "{absent}");
    }

    #[test]
    fn scenes_are_labelled_with_their_shapes() {
        let world = World::new(1);
        let images = drawn(&world, Split::Test, Domain::Sketch, 22..26);
        assert_eq!(images.labels(), [22, 23, 0, 1]);
        assert_eq!(images.classes[22].text, "star");
        let scene = world.scene(Split::Test, Domain::Sketch, 23);
        assert_eq!(*images.samples[1].source.load(&DecodeOptions::default()).unwrap(), scene.image);
    }
}
