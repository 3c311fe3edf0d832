//! COCO's JSON: images and caption annotations; and files of image ids, which restrict it.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::CaptionsFormat;
use super::gather::{Entry, Gather};
use super::json::{Json, Lists, file_name};
use crate::captioned::CaptionedImages;
use crate::labelled::some;
use crate::{DatasetError, list};

#[derive(Default)]
struct Coco {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with `id` and `file_name`")]
struct Image {
    id: Id,
    #[serde(deserialize_with = "file_name")]
    file_name: String,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with `image_id` and `caption`")]
struct Annotation {
    image_id: Id,
    /// Optional here, so that its absence can be explained.
    caption: Option<String>,
}

impl Lists for Coco {
    const NAMES: &'static [&'static str] = &["images", "annotations"];

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "images" => map.next_value().map(|images| self.images = images),
            _ => map.next_value().map(|annotations| self.annotations = annotations),
        }
    }
}

/// Reads the images, or those whose ids are in the file `image_ids`.
pub(super) fn read(
    path: &Path,
    folder: &Path,
    image_ids: Option<&Path>,
    mut gather: Gather<'_>,
) -> Result<CaptionedImages, DatasetError> {
    let json = Json::read(path)?;
    json.check(CaptionsFormat::Coco)?;
    let Coco { images, annotations } = json.lists()?;
    let wrong = |place: String, problem: String| Err(DatasetError::at(path, place, problem));
    let mut by_id: HashMap<&str, usize> = HashMap::with_capacity(images.len());
    for (index, Image { id: Id(id), .. }) in images.iter().enumerate() {
        if by_id.insert(id, index).is_some() {
            let problem = format!("the id {id} is also an earlier image's; ids must be unique");
            return wrong(format!("images[{index}].id"), problem);
        }
    }
    let wanted = match image_ids {
        None => vec![true; images.len()],
        Some(file) => chosen(file, path, &by_id)?,
    };
    let mut captions: Vec<(Vec<usize>, Vec<String>)> = vec![Default::default(); images.len()];
    for (index, Annotation { image_id: Id(id), caption }) in annotations.into_iter().enumerate() {
        let Some(caption) = caption else {
            let problem =
                "expected a caption, found null or nothing (captions_*.json has captions, instances_*.json does not)";
            return wrong(format!("annotations[{index}].caption"), problem.to_owned());
        };
        let Some(&at) = by_id.get(&id[..]) else {
            return wrong(format!("annotations[{index}].image_id"), format!("the file has no image with the id {id}"));
        };
        captions[at].0.push(index);
        captions[at].1.push(caption);
    }
    for (index, (Image { file_name, .. }, (places, captions))) in images.iter().zip(captions).enumerate() {
        if !wanted[index] {
            continue;
        }
        let place = |caption: Option<usize>| match caption.and_then(|caption| places.get(caption)) {
            None => format!("images[{index}]"),
            Some(annotation) => format!("annotations[{annotation}].caption"),
        };
        gather.add(Entry { name: file_name.clone(), tried: vec![folder.join(file_name)], captions, place: &place })?;
    }
    gather.finish()
}

/// Returns which images the file of ids selects; all its ids must be in the captions.
fn chosen(file: &Path, captions: &Path, by_id: &HashMap<&str, usize>) -> Result<Vec<bool>, DatasetError> {
    let mut chosen = vec![false; by_id.len()];
    let mut unknown = Vec::new();
    for id in read_ids(file)? {
        match by_id.get(&id[..]) {
            Some(&index) => chosen[index] = true,
            None => unknown.push(id),
        }
    }
    if unknown.is_empty() {
        return Ok(chosen);
    }
    let (count, captions) = (unknown.len(), captions.display());
    Err(DatasetError::about(file, format!("lists {count} image ids that {captions} does not have: {}", some(&unknown))))
}

/// Reads a list of ids: a file, or the ids themselves.
fn read_ids(path: &Path) -> Result<Vec<String>, DatasetError> {
    let ids = list::names_of(path)?;
    match ids.is_empty() {
        true => Err(DatasetError::about(path, "has no image ids; expected a JSON list or one per line")),
        false => Ok(ids),
    }
}

/// Id of an image, as text: a number or a string in the file.
struct Id(String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ids;
        impl Visitor<'_> for Ids {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an image's id, a number or a string")
            }

            fn visit_str<E: Error>(self, id: &str) -> Result<Id, E> {
                Ok(Id(id.to_owned()))
            }

            fn visit_u64<E: Error>(self, id: u64) -> Result<Id, E> {
                Ok(Id(id.to_string()))
            }

            fn visit_i64<E: Error>(self, id: i64) -> Result<Id, E> {
                Ok(Id(id.to_string()))
            }

            fn visit_f64<E: Error>(self, id: f64) -> Result<Id, E> {
                Ok(Id(Value::from(id).to_string()))
            }
        }
        deserializer.deserialize_any(Ids)
    }
}
