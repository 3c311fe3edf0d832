//! The files `classifier.safetensors` and `classes.json`.

use std::collections::BTreeMap;
use std::path::Path;

use radapter_clip::checkpoint::{read_safetensors, write_safetensors_file};
use radapter_clip::state_dict::{RawTensor, StateDict};

use super::{Head, HeadError};
use crate::classes::Classes;
use radapter_embedding::Embeddings;

/// File of the classifier's rows, in a tensor `weight` of shape `[classes, embed_dim]`.
pub const CLASSIFIER_FILE: &str = "classifier.safetensors";
/// File of the classes, in the order of the rows: a JSON list of objects with `folder` and `text`.
pub const CLASSES_FILE: &str = "classes.json";

const FORMAT: &str = "radapter-classifier-v1";
const WEIGHT: &str = "weight";

impl Head {
    /// Writes [`CLASSIFIER_FILE`] and [`CLASSES_FILE`] to a directory, each atomically.
    ///
    /// # Errors
    /// [`HeadError`] naming the file that cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), HeadError> {
        let path = dir.join(CLASSES_FILE);
        radapter_files::write(&path, self.classes().to_json().as_bytes())?;
        let shape = [self.weights().len(), self.weights().dim()];
        let weight = RawTensor::from_f32(shape, self.weights().values().to_vec());
        let tensors = StateDict::from_iter([(WEIGHT.to_owned(), weight)]);
        let list = |items: Vec<&str>| serde_json::Value::from(items).to_string();
        let metadata = BTreeMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("classes".to_owned(), list(self.classes().names().collect())),
            ("trained".to_owned(), self.is_trained().to_string()),
            ("templates".to_owned(), list(self.templates().iter().map(String::as_str).collect())),
        ]);
        Ok(write_safetensors_file(dir.join(CLASSIFIER_FILE), &tensors, &metadata)?)
    }

    /// Reads the files that [`save`](Self::save) writes.
    ///
    /// # Errors
    /// [`HeadError`] naming the file that cannot be read, is damaged, or does not match the other one.
    pub fn load(dir: &Path) -> Result<Self, HeadError> {
        let classes = Classes::read(&dir.join(CLASSES_FILE))?;
        let path = dir.join(CLASSIFIER_FILE);
        let file = read_safetensors(&path)?;
        let form = |expected: String, found: String| HeadError::Form { path: path.clone(), expected, found };
        let list = |key: &str| -> Result<Vec<String>, HeadError> {
            let text = file.metadata.get(key).map_or("", String::as_str);
            serde_json::from_str(text)
                .map_err(|_| form(format!("a JSON list in metadata `{key}`"), format!("`{text}`")))
        };
        let format = file.metadata.get("format").map_or("", String::as_str);
        if format != FORMAT {
            return Err(form(format!("format `{FORMAT}`"), format!("`{format}`")));
        }
        let names = list("classes")?;
        if !names.iter().map(String::as_str).eq(classes.names()) {
            let expected = format!("the {} classes of {CLASSES_FILE}", classes.len());
            return Err(form(expected, names.join(", ")));
        }
        let missing = || form(format!("a tensor `{WEIGHT}`"), "none".to_owned());
        let weight = file.tensors.get(WEIGHT).ok_or_else(missing)?;
        let &[rows, dim @ 1..=usize::MAX] = weight.shape() else {
            let expected = format!("`{WEIGHT}` of shape [classes, embed_dim]");
            return Err(form(expected, format!("{:?}", weight.shape())));
        };
        if rows != classes.len() {
            let expected = format!("{} rows in `{WEIGHT}`", classes.len());
            return Err(form(expected, rows.to_string()));
        }
        let weights = Embeddings::new(dim, weight.to_f32());
        let head = Self::new(classes, list("templates")?, weights)?;
        // Absent in files of versions that did not save trained classifiers.
        Ok(Self { trained: file.metadata.get("trained").is_some_and(|text| text == "true"), ..head })
    }
}
