//! JSON files of captions, an element of their lists at a time: COCO's have hundreds of thousands, with much besides that is not used.

use std::path::{Path, PathBuf};

use serde::de::DeserializeSeed;
use serde_json::{Map, Value};

use super::error::CaptionsError;
use super::format::CaptionsFormat;
use super::walk::{Visit, Walk};

/// A JSON file in memory.
pub(super) struct Json {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Json {
    pub(super) fn read(path: &Path) -> Result<Self, CaptionsError> {
        let bytes = std::fs::read(path).map_err(|source| CaptionsError::Read { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), bytes })
    }

    /// The form that the file has by its keys; [`CaptionsError::UnknownForm`] if it is neither of the two.
    pub(super) fn form(&self) -> Result<CaptionsFormat, CaptionsError> {
        let mut first = None;
        let keys = self.walk(&["images"], 1, &mut |_, _, image| {
            first = Some(image);
            Ok(())
        })?;
        let top = |key: &str| keys.iter().any(|known| known == key);
        let in_first = |key: &str| first.as_ref().is_some_and(|image| image.get(key).is_some());
        if in_first("filename") || in_first("sentences") || (first.is_none() && top("images") && !top("annotations")) {
            return Ok(CaptionsFormat::Karpathy);
        }
        if in_first("file_name") || (top("images") && top("annotations")) {
            return Ok(CaptionsFormat::Coco);
        }
        let quoted = |keys: &[String]| match keys {
            [] => "none".to_owned(),
            _ => keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "),
        };
        let found = match first.as_ref().map(Value::as_object) {
            None => format!("the keys {}", quoted(&keys)),
            Some(None) => format!("the keys {}, and `images` that are not objects", quoted(&keys)),
            Some(Some(image)) => {
                let inner: Vec<String> = image.keys().cloned().collect();
                format!("the keys {}, and in the first of `images` the keys {}", quoted(&keys), quoted(&inner))
            }
        };
        Err(CaptionsError::UnknownForm { path: self.path.clone(), found })
    }

    /// An error if the file is plainly of the other form.
    pub(super) fn check(&self, asked: CaptionsFormat) -> Result<(), CaptionsError> {
        match self.form() {
            Ok(found) if found != asked => Err(CaptionsError::OtherForm { path: self.path.clone(), found, asked }),
            // Reading it will name the first place that is not as it should be.
            Ok(_) | Err(CaptionsError::UnknownForm { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Visits all elements of the named lists, in the file's order. All of the lists must be there.
    pub(super) fn each(&self, lists: &[&str], visit: Visit<'_>) -> Result<(), CaptionsError> {
        let keys = self.walk(lists, usize::MAX, visit)?;
        match lists.iter().find(|list| !keys.iter().any(|key| key == **list)) {
            None => Ok(()),
            Some(missing) => {
                let found = format!("nothing; the file's keys are {}", keys.join(", "));
                Err(self.wrong((*missing).to_owned(), "a list", found))
            }
        }
    }

    /// Visits the first elements of the named lists and gives the keys of the file.
    fn walk(&self, lists: &[&str], wanted: usize, visit: Visit<'_>) -> Result<Vec<String>, CaptionsError> {
        let bytes = self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.bytes);
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let mut stopped = None;
        let walk = Walk { lists, wanted, visit, stopped: &mut stopped };
        let keys = walk.deserialize(&mut reader).and_then(|keys| reader.end().map(|()| keys));
        match (keys, stopped) {
            (_, Some(error)) => Err(error),
            (Ok(keys), None) => Ok(keys),
            (Err(source), None) => Err(CaptionsError::Json { path: self.path.clone(), source }),
        }
    }

    /// An element as an object.
    pub(super) fn object(
        &self,
        value: Value,
        place: impl FnOnce() -> String,
        expected: &'static str,
    ) -> Result<Map<String, Value>, CaptionsError> {
        match value {
            Value::Object(object) => Ok(object),
            other => Err(self.wrong(place(), expected, kind(Some(&other)))),
        }
    }

    /// A value as a text.
    pub(super) fn text(
        &self,
        value: Option<Value>,
        place: impl FnOnce() -> String,
        expected: &'static str,
    ) -> Result<String, CaptionsError> {
        match value {
            Some(Value::String(text)) => Ok(text),
            other => Err(self.wrong(place(), expected, kind(other.as_ref()))),
        }
    }

    /// A value that names an image: a text or a number, as a text.
    pub(super) fn id(&self, value: Option<&Value>, place: impl FnOnce() -> String) -> Result<String, CaptionsError> {
        id(value).ok_or_else(|| self.wrong(place(), "an image's id, a number or a text", kind(value)))
    }

    /// The error about a place.
    pub(super) fn wrong(&self, place: String, expected: &'static str, found: String) -> CaptionsError {
        CaptionsError::Form { path: self.path.clone(), place, expected, found }
    }
}

/// A number or a text, as a text.
pub(super) fn id(value: Option<&Value>) -> Option<String> {
    match value {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    }
}

/// What a value is, for a message.
pub(super) fn kind(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::Array(_)) => "a list".to_owned(),
        Some(Value::Object(_)) => "an object".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "an empty text".to_owned(),
        Some(Value::String(_)) => "a text".to_owned(),
        Some(short) => short.to_string(),
    }
}
