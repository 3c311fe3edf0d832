//! Files in COCO's results format, indexed by image.

use std::collections::HashMap;
use std::path::Path;

use radapter_datasets::DatasetError;
use radapter_files::json_reason;
use serde::Deserialize;
use serde_json::Value;

use super::names::{base, slashed, stem, without_zeros};
use super::records::{Passed, Record, masks};
use super::{Wanted, read_error};
use crate::proposals::Proposal;

/// Results file, read completely and indexed by image.
#[derive(Debug)]
pub(super) struct Results {
    records: Vec<Record>,
    /// By the whole `file_name`.
    by_file: HashMap<String, Vec<usize>>,
    /// By the stem of `file_name`.
    by_name: HashMap<String, Vec<usize>>,
    /// By `image_id`, for records without `file_name`.
    by_id: HashMap<String, Vec<usize>>,
}

/// Content of a file: records, and the images they name.
struct File {
    records: Vec<Record>,
    images: Vec<ImageRecord>,
}

#[derive(Deserialize)]
struct ImageRecord {
    id: Value,
    file_name: String,
}

fn parse(path: &Path) -> Result<File, DatasetError> {
    let bytes = std::fs::read(path).map_err(read_error(path))?;
    let json = |reason: String| wrong(path, &reason);
    let value: Value =
        serde_json::from_slice(&bytes).map_err(|error| json(format!("not JSON: {}", json_reason(&bytes, &error))))?;
    let (records, images) = match value {
        Value::Array(records) => (records, Vec::new()),
        Value::Object(mut object) => match (object.remove("annotations"), object.remove("images")) {
            (Some(Value::Array(records)), Some(Value::Array(images))) => (records, images),
            (Some(Value::Array(records)), _) => (records, Vec::new()),
            _ => {
                let keys: Vec<&str> = object.keys().take(5).map(String::as_str).collect();
                return Err(json(format!(
                    "an object without a list of `annotations`, its keys are {}",
                    keys.join(", ")
                )));
            }
        },
        _ => return Err(json("neither a list nor an object".to_owned())),
    };
    // One by one, so that the error can name the record.
    let record = |(number, value): (usize, Value)| {
        serde_json::from_value(value).map_err(|error| json(format!("record {number}: {error}")))
    };
    let image = |(number, value): (usize, Value)| {
        serde_json::from_value(value).map_err(|error| json(format!("image {number}: {error}")))
    };
    Ok(File {
        records: records.into_iter().enumerate().map(record).collect::<Result<_, _>>()?,
        images: images.into_iter().enumerate().map(image).collect::<Result<_, _>>()?,
    })
}

fn wrong(path: &Path, reason: &str) -> DatasetError {
    let expected = "expected COCO's results format, a list of records with `segmentation` as run lengths";
    DatasetError::new(path, format!("{reason}; {expected}"))
}

/// Normalises a number or string to compare COCO's ids: without leading zeros.
fn id(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(without_zeros(text).to_owned()),
        _ => None,
    }
}

impl Results {
    pub(super) fn read(path: &Path) -> Result<Self, DatasetError> {
        let File { records, images } = parse(path)?;
        let names: HashMap<String, String> =
            images.into_iter().filter_map(|image| Some((id(&image.id)?, image.file_name))).collect();
        let (by_file, by_name, by_id) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut results = Self { records, by_file, by_name, by_id };
        for (number, record) in results.records.iter().enumerate() {
            let image = record.image_id.as_ref().and_then(id);
            let named = record.file_name.clone();
            let named = named.or_else(|| names.get(image.as_ref()?).cloned());
            match (named, image) {
                (Some(name), _) => {
                    results.by_name.entry(stem(&name)).or_default().push(number);
                    results.by_file.entry(slashed(&name)).or_default().push(number);
                }
                (None, Some(image)) => results.by_id.entry(image).or_default().push(number),
                (None, None) => {
                    let reason = format!("record {number} has neither `file_name` nor `image_id`");
                    return Err(wrong(path, &reason));
                }
            }
        }
        Ok(results)
    }

    /// Returns the records of an image, with their indices: by its relative path, else without extension, else by base name, else
    /// by id.
    pub(super) fn of(&self, name: &str) -> Vec<(usize, &Record)> {
        let whole = self.by_file.get(&slashed(name)).or_else(|| self.by_name.get(&stem(name)));
        let found = whole.or_else(|| self.by_base(name).map(|(_, numbers)| numbers));
        found.into_iter().flatten().map(|&number| (number, &self.records[number])).collect()
    }

    fn by_base(&self, name: &str) -> Option<(&String, &Vec<usize>)> {
        let stem = stem(name);
        let base = base(&stem);
        self.by_name.get_key_value(base).or_else(|| self.by_id.get_key_value(without_zeros(base)))
    }

    /// Returns the key of an image's records, if it is not the whole path.
    pub(super) fn loose(&self, name: &str) -> Option<&str> {
        let is_known = self.by_file.contains_key(&slashed(name)) || self.by_name.contains_key(&stem(name));
        if is_known { None } else { self.by_base(name).map(|(key, _)| key.as_str()) }
    }

    pub(super) fn example(&self) -> Option<String> {
        let id = |id: &String| format!("image_id {id}");
        // The smallest, so that the message is the same in every run.
        self.by_name.keys().min().cloned().or_else(|| self.by_id.keys().min().map(id))
    }

    pub(super) fn notes(&self) -> Vec<String> {
        passed_over(&self.records).notes()
    }
}

/// Reads the masks of a file for a single image, and what was ignored.
pub(super) fn of_image(path: &Path, image: Wanted<'_>) -> Result<(Vec<Proposal>, Passed), DatasetError> {
    let File { records, .. } = parse(path)?;
    let masks = masks(path, &records.iter().enumerate().collect::<Vec<_>>(), image)?;
    Ok((masks, passed_over(&records)))
}

fn passed_over(records: &[Record]) -> Passed {
    let mut passed = Passed::default();
    records.iter().for_each(|record| passed.add(record));
    passed
}
