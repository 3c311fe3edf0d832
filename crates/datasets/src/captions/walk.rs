//! A pass over a JSON file's lists that holds one element of them at a time.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::error::CaptionsError;

/// What is done with each element: the list's name, the index, the element.
pub(super) type Visit<'a> = &'a mut dyn FnMut(&str, usize, Value) -> Result<(), CaptionsError>;

/// Reads a file's object: visits the first elements of its lists and gives its keys.
pub(super) struct Walk<'a> {
    /// The names of the lists.
    pub(super) lists: &'a [&'a str],
    /// How many elements of each to visit.
    pub(super) wanted: usize,
    /// What is done with each.
    pub(super) visit: Visit<'a>,
    /// The error with which a visit ended the reading.
    pub(super) stopped: &'a mut Option<CaptionsError>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<String>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a list of `images`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<String>, A::Error> {
        let mut keys = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if self.lists.contains(&&key[..]) {
                let (visit, stopped) = (&mut *self.visit, &mut *self.stopped);
                map.next_value_seed(List { name: &key, wanted: self.wanted, visit, stopped })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            keys.push(key);
        }
        Ok(keys)
    }
}

/// One of its lists.
struct List<'a> {
    name: &'a str,
    wanted: usize,
    visit: Visit<'a>,
    stopped: &'a mut Option<CaptionsError>,
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list as `{}`", self.name)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        for index in 0..self.wanted {
            let Some(element) = list.next_element::<Value>()? else { return Ok(()) };
            if let Err(error) = (self.visit)(self.name, index, element) {
                *self.stopped = Some(error);
                return Err(A::Error::custom("stopped"));
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
