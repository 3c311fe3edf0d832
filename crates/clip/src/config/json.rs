//! A JSON object that refuses the keys that nothing has read.

use std::collections::BTreeSet;

use radapter_files::json_reason;
use serde_json::{Map, Value};

use super::ConfigError;

/// A JSON object that records which keys were read, so that the remaining ones can be refused.
///
/// `null` counts as absent, as it does in the Python libraries' dataclasses.
pub(super) struct Keys<'a> {
    path: &'a str,
    map: &'a Map<String, Value>,
    seen: BTreeSet<&'a str>,
}

/// Parses text that must be one JSON object.
pub(super) fn parse_object(text: &str) -> Result<Map<String, Value>, ConfigError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(other) => Err(ConfigError::NotJson { message: format!("found {}", shown(&other)) }),
        Err(error) => Err(ConfigError::NotJson { message: json_reason(text.as_bytes(), &error) }),
    }
}

impl<'a> Keys<'a> {
    /// The keys of `map`, named `path.key` in errors (`key` where `path` is empty).
    pub(super) fn new(path: &'a str, map: &'a Map<String, Value>) -> Self {
        Self { path, map, seen: BTreeSet::new() }
    }

    /// The full name of a key.
    pub(super) fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A key's value of any type.
    pub(super) fn value(&mut self, key: &'a str) -> Option<&'a Value> {
        self.seen.insert(key);
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn integer(&mut self, key: &'a str) -> Result<Option<usize>, ConfigError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        match value.as_u64().and_then(|number| usize::try_from(number).ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(self.invalid(key, "a whole number", value)),
        }
    }

    /// The side of a square: a whole number, or a pair of equal ones.
    pub(super) fn side(&mut self, key: &'a str) -> Result<Option<usize>, ConfigError> {
        match self.value(key) {
            Some(value @ Value::Array(sides)) => match sides.as_slice() {
                [height, width] if height == width && height.is_u64() => {
                    Ok(height.as_u64().and_then(|side| usize::try_from(side).ok()))
                }
                _ => Err(self.unsupported(key, "a square, given as one number", value)),
            },
            _ => self.integer(key),
        }
    }

    pub(super) fn number(&mut self, key: &'a str) -> Result<Option<f64>, ConfigError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        value.as_f64().map(Some).ok_or_else(|| self.invalid(key, "a number", value))
    }

    pub(super) fn flag(&mut self, key: &'a str) -> Result<Option<bool>, ConfigError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.invalid(key, "true or false", value))
    }

    pub(super) fn text(&mut self, key: &'a str) -> Result<Option<&'a str>, ConfigError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| self.invalid(key, "a string", value))
    }

    /// Three numbers, one per channel.
    pub(super) fn channels(&mut self, key: &'a str) -> Result<Option<[f32; 3]>, ConfigError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let numbers: Option<Vec<f32>> =
            value.as_array().and_then(|list| list.iter().map(|number| number.as_f64().map(|x| x as f32)).collect());
        match numbers.as_deref() {
            Some(&[r, g, b]) => Ok(Some([r, g, b])),
            _ => Err(self.invalid(key, "three numbers", value)),
        }
    }

    pub(super) fn object(&mut self, key: &'a str) -> Result<Option<&'a Map<String, Value>>, ConfigError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        value.as_object().map(Some).ok_or_else(|| self.invalid(key, "an object", value))
    }

    /// Ignores keys that do not affect the network.
    pub(super) fn ignore(&mut self, keys: &[&'a str]) {
        self.seen.extend(keys);
    }

    /// Checks that a key with a single supported value has that value, or is absent.
    pub(super) fn fixed(&mut self, key: &'a str, built: Value) -> Result<(), ConfigError> {
        match self.value(key) {
            Some(value) if !same(value, &built) => Err(self.unsupported(key, &shown(&built), value)),
            _ => Ok(()),
        }
    }

    /// Refuses keys that were not read.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        match self.map.iter().find(|(key, value)| !self.seen.contains(key.as_str()) && !value.is_null()) {
            Some((key, value)) => Err(ConfigError::UnknownKey { key: self.name(key), found: shown(value) }),
            None => Ok(()),
        }
    }

    /// The error for a missing key.
    pub(super) fn missing(&self, key: &str, expected: &str) -> ConfigError {
        ConfigError::MissingKey { key: self.name(key), expected: expected.to_owned() }
    }

    /// The error for an invalid value.
    pub(super) fn invalid(&self, key: &str, expected: &str, found: &Value) -> ConfigError {
        ConfigError::Invalid { key: self.name(key), expected: expected.to_owned(), found: shown(found) }
    }

    /// The error for a valid value that is not supported.
    pub(super) fn unsupported(&self, key: &str, expected: &str, found: &Value) -> ConfigError {
        ConfigError::Unsupported { key: self.name(key), expected: expected.to_owned(), found: shown(found) }
    }
}

/// Equality in which `1` equals `1.0`.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// A value for an error message, cut where it is long.
pub(super) fn shown(value: &Value) -> String {
    const LONGEST: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
