//! Types that settings share.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeOwned, Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Value;

/// A value, or the word `"none"`. TOML has no null, and a record shows what is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum OrNone<T> {
    None,
    Some(T),
}

impl<T> OrNone<T> {
    /// Returns the value, if there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Self::None => None,
            Self::Some(value) => Some(value),
        }
    }
}

impl<T> From<Option<T>> for OrNone<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Self::Some)
    }
}

impl<T: Serialize> Serialize for OrNone<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str("none"),
            Self::Some(value) => value.serialize(serializer),
        }
    }
}

/// Types of numbers that can be switched off.
pub trait Number: DeserializeOwned {
    /// The expected value in words, `"none"` included.
    const OR_NONE: &'static str;
}

impl Number for f64 {
    const OR_NONE: &'static str = "a number or \"none\"";
}

impl Number for u64 {
    const OR_NONE: &'static str = "a whole number or \"none\"";
}

impl Number for usize {
    const OR_NONE: &'static str = "a whole number or \"none\"";
}

impl<'de, T: Number> Deserialize<'de> for OrNone<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = AnyValue::deserialize(deserializer, T::OR_NONE)?;
        if value.as_str() == Some("none") {
            return Ok(Self::None);
        }
        let found = value.to_string();
        let typed = value.try_into::<T>().map_err(|_| Error::custom(format!("expected {}, found {found}", T::OR_NONE)));
        typed.map(Self::Some)
    }
}

/// A TOML value of several forms. [`Kind`](crate::kind::Kind) takes its text from `expected`.
#[derive(Debug)]
pub struct AnyValue;

impl AnyValue {
    /// Deserializes any value; errors and listings show `expected`.
    ///
    /// # Errors
    /// The errors of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D, expected: &'static str) -> Result<Value, D::Error> {
        struct Forms(&'static str);

        impl<'de> Visitor<'de> for Forms {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
                Ok(text.into())
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_i64<E: Error>(self, whole: i64) -> Result<Value, E> {
                Ok(whole.into())
            }

            fn visit_u64<E: Error>(self, whole: u64) -> Result<Value, E> {
                i64::try_from(whole).map(Value::Integer).map_err(E::custom)
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
                Ok(number.into())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element::<Value>()? {
                    values.push(value);
                }
                Ok(Value::Array(values))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
                toml::Table::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Value::Table)
            }
        }

        deserializer.deserialize_any(Forms(expected))
    }
}

/// Deserializes a text or a list of texts; errors and listings show `expected`.
///
/// # Errors
/// The errors of `from_text` and `from_list`; a value that is neither a text nor a list of texts.
pub fn text_or_list<'de, D: Deserializer<'de>, T, E: fmt::Display>(
    deserializer: D,
    expected: &'static str,
    from_text: impl FnOnce(&str) -> Result<T, E>,
    from_list: impl FnOnce(Vec<String>) -> Result<T, E>,
) -> Result<T, D::Error> {
    let value = AnyValue::deserialize(deserializer, expected)?;
    match &value {
        Value::String(text) => from_text(text).map_err(D::Error::custom),
        Value::Array(list) if list.iter().all(Value::is_str) => {
            let texts = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            from_list(texts).map_err(D::Error::custom)
        }
        other => Err(D::Error::custom(format!("expected {expected}, found {other}"))),
    }
}

/// Names: `train,restval`, or a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Names(pub Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let split = |text: &str| Ok::<_, String>(text.split(',').map(|name| name.trim().to_owned()).collect());
        text_or_list(deserializer, "comma-separated names, or a list", split, Ok).map(Self)
    }
}

/// A path from the root, so that a run can be resumed from another folder. One that does not exist stays as it is: the error that
/// follows should name what the user wrote; but of a pattern of shards (`{000..009}.tar`) only the folder is on the disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct AbsolutePath(PathBuf);

impl AbsolutePath {
    /// Makes a path absolute.
    pub fn new(path: &Path) -> Self {
        let whole = path.canonicalize();
        let folder = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
        // Braces may be in the name of a folder as well.
        let is_pattern = path.to_str().is_some_and(|text| text.contains('{'));
        let pattern = || if is_pattern { std::path::absolute(path).ok() } else { None };
        Self(whole.ok().or_else(folder).or_else(pattern).unwrap_or_else(|| path.to_owned()))
    }
}

impl Deref for AbsolutePath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl<'de> Deserialize<'de> for AbsolutePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "a path";
        let value = AnyValue::deserialize(deserializer, EXPECTED)?;
        let text = value.as_str().ok_or_else(|| D::Error::custom(format!("expected {EXPECTED}, found {value}")))?;
        Ok(Self::new(Path::new(text)))
    }
}
