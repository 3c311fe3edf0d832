//! JSON files of captions: format detection and parsing. COCO's file has 90 MB, most of it in unused fields,
//! so that it is parsed directly into the used ones, with its lists in any order.

use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use radapter_files::{io_error, refuse_lfs_pointer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_json::Value;

use super::CaptionsFormat;
use crate::error::DatasetError;

pub(super) struct Json {
    path: PathBuf,
    bytes: Vec<u8>,
}

/// Lists to read from a file's object.
pub(super) trait Lists: Default {
    const NAMES: &'static [&'static str];

    /// Reads the list of this name, the map's next value.
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error>;
}

impl Json {
    pub(super) fn read(path: &Path) -> Result<Self, DatasetError> {
        let bytes = std::fs::read(path).map_err(io_error("read", path))?;
        refuse_lfs_pointer(path, &bytes)?;
        Ok(Self { path: path.to_owned(), bytes })
    }

    /// Returns the format by the file's keys, or a description of its keys if they match no known format.
    fn form(&self) -> Result<Result<CaptionsFormat, String>, DatasetError> {
        let (Head { first }, keys) = self.object::<Head>()?;
        let top = |key: &str| keys.iter().any(|known| known == key);
        let in_first = |key: &str| first.as_ref().is_some_and(|image| image.get(key).is_some());
        if in_first("filename") || in_first("sentences") || (first.is_none() && top("images") && !top("annotations")) {
            return Ok(Ok(CaptionsFormat::Karpathy));
        }
        if in_first("file_name") || (top("images") && top("annotations")) {
            return Ok(Ok(CaptionsFormat::Coco));
        }
        let quoted = |keys: &[String]| match keys {
            [] => "none".to_owned(),
            _ => keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "),
        };
        Ok(Err(match first.as_ref().map(Value::as_object) {
            None => format!("the keys {}", quoted(&keys)),
            Some(None) => format!("the keys {}, and `images` that are not objects", quoted(&keys)),
            Some(Some(image)) => {
                let inner: Vec<String> = image.keys().cloned().collect();
                format!("the keys {}, and in the first of `images` the keys {}", quoted(&keys), quoted(&inner))
            }
        }))
    }

    /// Returns the format by the file's keys.
    pub(super) fn detect(&self) -> Result<CaptionsFormat, DatasetError> {
        self.form()?.map_err(|found| {
            let problem = format!(
                "is JSON without captions in a known format: expected `images` with `filename` and `sentences` (Karpathy), or \
                 `images` with `file_name` beside `annotations` (COCO), found {found}"
            );
            DatasetError::about(&self.path, problem)
        })
    }

    /// Refuses a file that is clearly in another format. For unknown formats, reading reports the first error.
    pub(super) fn check(&self, asked: CaptionsFormat) -> Result<(), DatasetError> {
        match self.form()? {
            Ok(found) if found != asked => {
                let problem =
                    format!("has the format `{found}`, not `{asked}`; omit the format or set it to `{found}`");
                Err(DatasetError::about(&self.path, problem))
            }
            _ => Ok(()),
        }
    }

    /// Reads the lists, all of which must be present.
    pub(super) fn lists<L: Lists>(&self) -> Result<L, DatasetError> {
        let (lists, keys) = self.object::<L>()?;
        match L::NAMES.iter().find(|name| !keys.iter().any(|key| key == **name)) {
            None => Ok(lists),
            Some(missing) => {
                let problem = format!("expected a list, found nothing; the file's keys are {}", keys.join(", "));
                Err(DatasetError::at(&self.path, (*missing).to_owned(), problem))
            }
        }
    }

    /// Reads the lists that are present, and all keys.
    fn object<L: Lists>(&self) -> Result<(L, Vec<String>), DatasetError> {
        parse(&self.path, &self.bytes, Object(PhantomData))
    }
}

/// Parses a file's bytes. Unexpected JSON is an error with its place, such as `images[3].sentences`.
pub(super) fn parse<'de, S: DeserializeSeed<'de>>(
    path: &Path,
    bytes: &'de [u8],
    seed: S,
) -> Result<S::Value, DatasetError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    let mut track = serde_path_to_error::Track::new();
    let value = seed.deserialize(serde_path_to_error::Deserializer::new(&mut reader, &mut track));
    value.and_then(|value| reader.end().map(|()| value)).map_err(|error| match track.path() {
        place if error.is_data() && place.iter().len() > 0 => {
            DatasetError::at(path, place.to_string(), error.to_string())
        }
        _ => DatasetError::about(path, format!("cannot be read as JSON: {error}")),
    })
}

/// Object of a file: its lists, and all its keys.
struct Object<L>(PhantomData<L>);

impl<'de, L: Lists> DeserializeSeed<'de> for Object<L> {
    type Value = (L, Vec<String>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, L: Lists> Visitor<'de> for Object<L> {
    type Value = (L, Vec<String>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a list of `images`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut lists, mut keys) = (L::default(), Vec::new());
        while let Some(key) = map.next_key::<String>()? {
            match L::NAMES.contains(&&key[..]) {
                true => lists.read(&key, &mut map)?,
                false => drop(map.next_value::<IgnoredAny>()?),
            }
            keys.push(key);
        }
        Ok((lists, keys))
    }
}

/// First of the `images`, which identifies the format.
#[derive(Default)]
struct Head {
    first: Option<Value>,
}

impl Lists for Head {
    const NAMES: &'static [&'static str] = &["images"];

    fn read<'de, A: MapAccess<'de>>(&mut self, _: &str, map: &mut A) -> Result<(), A::Error> {
        map.next_value_seed(First).map(|first| self.first = first)
    }
}

/// First element of a list.
struct First;

impl<'de> DeserializeSeed<'de> for First {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for First {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<Value>, A::Error> {
        let first = list.next_element()?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first)
    }
}

/// Reads a file name, which must not be empty.
pub(super) fn file_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    match name.is_empty() {
        true => Err(D::Error::invalid_value(Unexpected::Str(""), &"a file's name")),
        false => Ok(name),
    }
}
