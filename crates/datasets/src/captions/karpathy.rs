//! Karpathy's JSON: the splits of COCO, Flickr30k and Flickr8k.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::MapAccess;

use super::CaptionsFormat;
use super::gather::{Entry, Gather};
use super::json::{Json, Lists, file_name};
use crate::DatasetError;
use crate::captioned::CaptionedImages;

#[derive(Default)]
struct Karpathy {
    images: Vec<Image>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with `filename` and `sentences`")]
struct Image {
    filepath: Option<String>,
    #[serde(deserialize_with = "file_name")]
    filename: String,
    split: Option<String>,
    sentences: Vec<Sentence>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with `raw`")]
struct Sentence {
    raw: String,
}

impl Lists for Karpathy {
    const NAMES: &'static [&'static str] = &["images"];

    fn read<'de, A: MapAccess<'de>>(&mut self, _: &str, map: &mut A) -> Result<(), A::Error> {
        map.next_value().map(|images| self.images = images)
    }
}

/// Reads the images of `splits` (all, if it is empty).
pub(super) fn read(
    path: &Path,
    folder: &Path,
    splits: &[String],
    mut gather: Gather<'_>,
) -> Result<CaptionedImages, DatasetError> {
    let json = Json::read(path)?;
    json.check(CaptionsFormat::Karpathy)?;
    let Karpathy { images } = json.lists()?;
    if !splits.is_empty() {
        check_splits(path, splits, &images)?;
    }
    for (index, image) in images.into_iter().enumerate() {
        if !splits.is_empty() && !image.split.is_some_and(|split| splits.contains(&split)) {
            continue;
        }
        let flat = folder.join(&image.filename);
        let (name, tried) = match image.filepath {
            Some(within) if !within.is_empty() => {
                let deep = folder.join(&within).join(&image.filename);
                (format!("{within}/{}", image.filename), vec![deep, flat])
            }
            _ => (image.filename, vec![flat]),
        };
        let place = |caption: Option<usize>| match caption {
            None => format!("images[{index}]"),
            Some(caption) => format!("images[{index}].sentences[{caption}].raw"),
        };
        let captions = image.sentences.into_iter().map(|sentence| sentence.raw).collect();
        gather.add(Entry { name, tried, captions, place: &place })?;
    }
    gather.finish()
}

/// Checks that each image has a split, and each of `splits` an image.
fn check_splits(path: &Path, splits: &[String], images: &[Image]) -> Result<(), DatasetError> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, image) in images.iter().enumerate() {
        let Some(split) = &image.split else {
            let problem = "expected a split's name, found nothing";
            return Err(DatasetError::at(path, format!("images[{index}].split"), problem.to_owned()));
        };
        *counts.entry(split).or_default() += 1;
    }
    let unknown: Vec<String> =
        (splits.iter().filter(|split| !counts.contains_key(&split[..]))).map(|split| format!("`{split}`")).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let found: Vec<String> = counts.iter().map(|(split, count)| format!("`{split}` ({count} images)")).collect();
    let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
    Err(DatasetError::about(path, format!("has no split {}; it has {found}", unknown.join(", "))))
}
