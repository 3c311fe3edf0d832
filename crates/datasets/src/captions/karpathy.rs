//! Karpathy's JSON: the splits of COCO, Flickr30k and Flickr8k.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::error::CaptionsError;
use super::format::CaptionsFormat;
use super::gather::{Entry, Gather};
use super::json::{Json, kind};
use super::set::CaptionedImages;

/// An image of the file.
struct Image {
    filepath: Option<String>,
    filename: String,
    split: Option<String>,
    captions: Vec<String>,
}

/// Reads the images of `splits` (all, if there are none).
pub(super) fn read(
    path: &Path,
    folder: &Path,
    splits: &[String],
    mut gather: Gather<'_>,
) -> Result<CaptionedImages, CaptionsError> {
    let json = Json::read(path)?;
    json.check(CaptionsFormat::Karpathy)?;
    let mut images = Vec::new();
    json.each(&["images"], &mut |_, index, value| {
        images.push(image(&json, index, value, !splits.is_empty())?);
        Ok(())
    })?;
    check_splits(path, splits, &images)?;
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
        gather.add(Entry { name, tried, captions: image.captions, place: &place })?;
    }
    gather.finish()
}

fn image(json: &Json, index: usize, value: Value, needs_split: bool) -> Result<Image, CaptionsError> {
    let place = |key: &str| format!("images[{index}].{key}");
    let mut image = json.object(value, || format!("images[{index}]"), "an object with `filename` and `sentences`")?;
    let filename = match json.text(image.remove("filename"), || place("filename"), "a file's name")? {
        empty if empty.is_empty() => {
            return Err(json.wrong(place("filename"), "a file's name", "an empty text".to_owned()));
        }
        name => name,
    };
    let mut optional = |key: &str, expected| match image.remove(key) {
        None | Some(Value::Null) => Ok(None),
        found => json.text(found, || place(key), expected).map(Some),
    };
    let filepath = optional("filepath", "a folder's name, or nothing")?;
    let split = optional("split", "a split's name")?;
    if needs_split && split.is_none() {
        return Err(json.wrong(place("split"), "a split's name", "nothing".to_owned()));
    }
    let sentences = match image.remove("sentences") {
        Some(Value::Array(sentences)) => sentences,
        other => return Err(json.wrong(place("sentences"), "a list of objects with `raw`", kind(other.as_ref()))),
    };
    let sentence = |(at, value): (usize, Value)| {
        let place = || format!("images[{index}].sentences[{at}]");
        let mut sentence = json.object(value, place, "an object with `raw`")?;
        json.text(sentence.remove("raw"), || format!("{}.raw", place()), "a text, the caption")
    };
    let captions: Result<Vec<String>, CaptionsError> = sentences.into_iter().enumerate().map(sentence).collect();
    Ok(Image { filepath, filename, split, captions: captions? })
}

/// All of the splits must be there.
fn check_splits(path: &Path, splits: &[String], images: &[Image]) -> Result<(), CaptionsError> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for split in images.iter().filter_map(|image| image.split.as_deref()) {
        *counts.entry(split).or_default() += 1;
    }
    let unknown: Vec<String> =
        (splits.iter().filter(|split| !counts.contains_key(&split[..]))).map(|split| format!("`{split}`")).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let found: Vec<String> = counts.iter().map(|(split, count)| format!("`{split}` ({count} images)")).collect();
    let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
    Err(CaptionsError::Split { path: path.to_owned(), unknown: unknown.join(", "), found })
}
