//! Files of image ids, which restrict COCO's captions: a JSON list, or one id on each line.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::error::CaptionsError;
use super::json::{id, kind};
use crate::labelled::some;

/// Which images the file lists; all its ids must be there.
pub(super) fn chosen(file: &Path, captions: &Path, by_id: &HashMap<&str, usize>) -> Result<Vec<bool>, CaptionsError> {
    let ids = read(file)?;
    let mut chosen = vec![false; by_id.len()];
    let mut unknown = Vec::new();
    for id in ids {
        match by_id.get(&id[..]) {
            Some(&index) => chosen[index] = true,
            None => unknown.push(id),
        }
    }
    if unknown.is_empty() {
        return Ok(chosen);
    }
    let (path, captions) = (file.to_owned(), captions.to_owned());
    Err(CaptionsError::UnknownIds { path, captions, count: unknown.len(), ids: some(&unknown) })
}

fn read(path: &Path) -> Result<Vec<String>, CaptionsError> {
    let text = std::fs::read_to_string(path).map_err(|source| CaptionsError::Read { path: path.to_owned(), source })?;
    let text = text.trim_start_matches('\u{feff}');
    let ids: Vec<String> = if text.trim_start().starts_with('[') {
        let list: Vec<Value> =
            serde_json::from_str(text).map_err(|source| CaptionsError::Json { path: path.to_owned(), source })?;
        let element = |(index, value): (usize, Value)| {
            id(Some(&value)).ok_or_else(|| CaptionsError::Form {
                path: path.to_owned(),
                place: format!("[{index}]"),
                expected: "an image's id, a number or a text",
                found: kind(Some(&value)),
            })
        };
        list.into_iter().enumerate().map(element).collect::<Result<_, _>>()?
    } else {
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    };
    if ids.is_empty() { Err(CaptionsError::NoIds { path: path.to_owned() }) } else { Ok(ids) }
}
