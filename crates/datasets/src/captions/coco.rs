//! COCO's JSON: images, and annotations that are captions.

use std::collections::HashMap;
use std::path::Path;

use super::error::CaptionsError;
use super::format::CaptionsFormat;
use super::gather::{Entry, Gather};
use super::ids;
use super::json::Json;
use super::set::CaptionedImages;

const FILE_NAME: &str = "a file's name";
const CAPTION: &str = "a text, the caption (COCO's captions_*.json has it, instances_*.json has not)";

/// An annotation.
struct Annotation {
    image: String,
    caption: String,
}

/// Reads the images, or those whose ids the file `image_ids` lists.
pub(super) fn read(
    path: &Path,
    folder: &Path,
    image_ids: Option<&Path>,
    mut gather: Gather<'_>,
) -> Result<CaptionedImages, CaptionsError> {
    let json = Json::read(path)?;
    json.check(CaptionsFormat::Coco)?;
    let mut names: Vec<(String, String)> = Vec::new();
    let mut annotations: Vec<Annotation> = Vec::new();
    json.each(&["images", "annotations"], &mut |list, index, value| {
        let place = |key: &str| format!("{list}[{index}].{key}");
        let mut object = json.object(value, || format!("{list}[{index}]"), "an object")?;
        if list == "images" {
            let id = json.id(object.get("id"), || place("id"))?;
            names.push((id, json.text(object.remove("file_name"), || place("file_name"), FILE_NAME)?));
        } else {
            let image = json.id(object.get("image_id"), || place("image_id"))?;
            let caption = json.text(object.remove("caption"), || place("caption"), CAPTION)?;
            annotations.push(Annotation { image, caption });
        }
        Ok(())
    })?;
    let mut by_id: HashMap<&str, usize> = HashMap::with_capacity(names.len());
    for (index, (id, name)) in names.iter().enumerate() {
        let place = |key: &str| format!("images[{index}].{key}");
        if name.is_empty() {
            return Err(json.wrong(place("file_name"), FILE_NAME, "an empty text".to_owned()));
        }
        if by_id.insert(id, index).is_some() {
            return Err(CaptionsError::IdTwice { path: path.to_owned(), place: place("id"), id: id.clone() });
        }
    }
    let wanted = match image_ids {
        None => vec![true; names.len()],
        Some(file) => ids::chosen(file, path, &by_id)?,
    };
    let mut captions: Vec<(Vec<usize>, Vec<String>)> = vec![Default::default(); names.len()];
    for (index, Annotation { image, caption }) in annotations.into_iter().enumerate() {
        let Some(&at) = by_id.get(&image[..]) else {
            let place = format!("annotations[{index}].image_id");
            return Err(CaptionsError::UnknownImage { path: path.to_owned(), place, id: image });
        };
        captions[at].0.push(index);
        captions[at].1.push(caption);
    }
    for (index, ((_, name), (places, captions))) in names.iter().zip(captions).enumerate() {
        if !wanted[index] {
            continue;
        }
        let place = |caption: Option<usize>| match caption.and_then(|caption| places.get(caption)) {
            None => format!("images[{index}]"),
            Some(annotation) => format!("annotations[{annotation}].caption"),
        };
        gather.add(Entry { name: name.clone(), tried: vec![folder.join(name)], captions, place: &place })?;
    }
    gather.finish()
}
