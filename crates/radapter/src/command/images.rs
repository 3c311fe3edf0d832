//! Images without labels.

use std::path::PathBuf;

use anyhow::Context;
use radapter_datasets::folder;
use radapter_embedding::Image;
use radapter_images::ImageSource;

/// Lists the images of `--images`. Those below a single directory are named by their relative path and sorted by its bytes;
/// files keep the given path. With several arguments the directory is part of the names, because two directories may hold files
/// of the same name.
pub(crate) fn list(given: &[PathBuf]) -> anyhow::Result<Vec<Image>> {
    let alone = given.len() == 1;
    let mut images = Vec::new();
    let mut push = |path: PathBuf, name| {
        let source = ImageSource::File(path);
        images.push(Image { name, source });
    };
    for path in given {
        if path.is_dir() {
            for found in folder::images(path)? {
                let name = if alone { found.name } else { path.join(&found.name).display().to_string() };
                push(found.path, name);
            }
        } else {
            std::fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?;
            push(path.clone(), path.display().to_string());
        }
    }
    Ok(images)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_directory_is_sorted_by_bytes_and_files_keep_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir(root.join("a")).unwrap();
        for name in ["b.png", "B.png", "a/z.jpg", "a.png", "é.webp", "notes.txt"] {
            std::fs::write(root.join(name), "").unwrap();
        }
        let names =
            |given: &[PathBuf]| -> Vec<String> { list(given).unwrap().into_iter().map(|image| image.name).collect() };
        assert_eq!(names(&[root.to_owned()]), ["B.png", "a.png", "a/z.jpg", "b.png", "é.webp"]);
        let inner = root.join("a");
        let both = names(&[inner.clone(), root.to_owned()]);
        assert_eq!(both[0], inner.join("z.jpg").display().to_string());
        assert_eq!(both[1], root.join("B.png").display().to_string());
        let files = [root.join("b.png"), root.join("a.png")];
        assert_eq!(names(&files), files.clone().map(|file| file.display().to_string()));
        assert!(list(&[root.join("absent.png")]).unwrap_err().to_string().contains("absent.png"));
    }
}
