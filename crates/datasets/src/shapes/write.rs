//! Writes the world as folders of files, to look at or for other programs.

use std::io::Cursor;
use std::path::Path;

use image::{ImageBuffer, ImageFormat, PixelWithColorType};
use radapter_files::{folder_of, io_error};
use serde::Serialize;

use super::{Domain, Scene, Shape, Split, World, label_names};
use crate::DatasetError;

/// Image in the captions file: the format of Karpathy's splits, which retrieval tools read.
#[derive(Serialize)]
struct Entry {
    filepath: String,
    filename: String,
    split: &'static str,
    imgid: usize,
    sentids: Vec<usize>,
    sentences: Vec<Sentence>,
}

#[derive(Serialize)]
struct Sentence {
    raw: String,
    imgid: usize,
    sentid: usize,
}

#[derive(Serialize)]
struct Captions {
    dataset: &'static str,
    images: Vec<Entry>,
}

/// Writes the first `count` scenes of a split in the given domains:
///
/// * `<dir>/<split>/<domain>/<class>/<index>.png`: an image folder per domain;
/// * `<dir>/masks/<split>/<domain>/<class>/<index>.png`: labels, grey;
/// * `<dir>/captions/<split>-<domain>.json`: five captions per image, in Karpathy's format, file names relative to `<dir>/<split>`;
/// * `<dir>/labels.json`: the names of the labels of masks.
///
/// With `compositions` the scenes have several shapes and `<class>` is the word `several`.
///
/// # Errors
/// [`DatasetError`] naming the file that cannot be written. Files that were written before stay.
pub fn write(
    world: &World,
    dir: &Path,
    split: Split,
    domains: &[Domain],
    count: u64,
    compositions: bool,
) -> Result<(), DatasetError> {
    json(&dir.join("labels.json"), &label_names())?;
    for &domain in domains {
        let mut images = Vec::new();
        for index in 0..count {
            let scene =
                if compositions { world.composition(split, domain, index) } else { world.scene(split, domain, index) };
            let class = if compositions { "several" } else { Shape::ALL[scene.class].name() };
            let folder = Path::new(split.name()).join(domain.name()).join(class);
            let filename = format!("{index:06}.png");
            png(&dir.join(&folder).join(&filename), &scene.image)?;
            png(&dir.join("masks").join(&folder).join(&filename), &scene.mask)?;
            images.push(entry(scene, format!("{}/{class}", domain.name()), filename, split, images.len()));
        }
        let name = format!("{}-{}.json", split.name(), domain.name());
        json(&dir.join("captions").join(name), &Captions { dataset: "shapes", images })?;
    }
    Ok(())
}

fn entry(scene: Scene, filepath: String, filename: String, split: Split, imgid: usize) -> Entry {
    let first = imgid * scene.captions.len();
    let sentences = scene.captions.into_iter().enumerate();
    let sentences: Vec<_> = sentences.map(|(at, raw)| Sentence { raw, imgid, sentid: first + at }).collect();
    let sentids = sentences.iter().map(|sentence| sentence.sentid).collect();
    Entry { filepath, filename, split: split.name(), imgid, sentids, sentences }
}

/// Writes an RGB image or a grey mask as PNG.
fn png<P>(path: &Path, image: &ImageBuffer<P, Vec<u8>>) -> Result<(), DatasetError>
where
    P: PixelWithColorType<Subpixel = u8>,
{
    let mut bytes = Cursor::new(Vec::new());
    let encoded = image.write_to(&mut bytes, ImageFormat::Png);
    encoded.map_err(|error| DatasetError::Option(format!("cannot encode {}: {error}", path.display())))?;
    make_folder(path)?;
    // Syncing thousands of images one by one is slow. The captions are written last: a folder that has them is complete.
    Ok(std::fs::write(path, bytes.get_ref()).map_err(io_error("write", path))?)
}

fn json(path: &Path, value: &impl Serialize) -> Result<(), DatasetError> {
    make_folder(path)?;
    let bytes = serde_json::to_vec_pretty(value).map_err(|error| io_error("write", path)(error.into()))?;
    Ok(radapter_files::write(path, &bytes)?)
}

fn make_folder(path: &Path) -> Result<(), DatasetError> {
    let folder = folder_of(path);
    Ok(std::fs::create_dir_all(folder).map_err(io_error("create", folder))?)
}
