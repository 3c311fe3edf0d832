//! `layers = "all"`, `"last:4"`, `"6..12"` or `[0, 1, 11]`.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::AdapterError;

const EXPECTED: &str = "\"all\", \"last:4\", a range \"6..12\" (without its end), or a list of layers [0, 1]";

/// Which blocks of a tower have adapters, counted from 0 at the input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Layers {
    /// Every block.
    #[default]
    All,
    /// This many at the output, in each tower.
    Last(usize),
    /// From the first, up to but excluding the second.
    Range(usize, usize),
    /// These blocks.
    List(Vec<usize>),
}

impl Layers {
    /// Whether block `layer` of a tower of `depth` blocks is one of them.
    pub(super) fn contains(&self, layer: usize, depth: usize) -> bool {
        match self {
            Self::All => true,
            Self::Last(count) => layer + count >= depth,
            Self::Range(from, to) => (*from..*to).contains(&layer),
            Self::List(list) => list.contains(&layer),
        }
    }

    pub(super) fn validate(&self) -> Result<(), AdapterError> {
        let (empty, repeats) = match self {
            Self::All => (false, false),
            Self::Last(count) => (*count == 0, false),
            Self::Range(from, to) => (from >= to, false),
            Self::List(list) => (list.is_empty(), (1..list.len()).any(|index| list[..index].contains(&list[index]))),
        };
        match (empty, repeats) {
            (true, _) => Err(self.refused(format!("at least one layer: {EXPECTED}"))),
            (_, true) => Err(self.refused("each layer once".to_owned())),
            _ => Ok(()),
        }
    }

    /// Checks against the deepest tower; the other one ignores the layers that it lacks.
    pub(super) fn check_depth(&self, depth: usize) -> Result<(), AdapterError> {
        let needed = match self {
            Self::All => 0,
            Self::Last(count) => *count,
            Self::Range(_, to) => *to,
            Self::List(list) => list.iter().max().map_or(0, |last| last + 1),
        };
        if needed > depth {
            return Err(self.refused(format!("layers from 0 to {}, as the model has {depth}", depth.saturating_sub(1))));
        }
        Ok(())
    }

    fn refused(&self, expected: String) -> AdapterError {
        AdapterError::Setting { key: "adapter.layers", found: self.to_string(), expected }
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Last(count) => write!(f, "last:{count}"),
            Self::Range(from, to) => write!(f, "{from}..{to}"),
            Self::List(list) => write!(f, "{list:?}"),
        }
    }
}

impl FromStr for Layers {
    type Err = String;

    /// Every form but the list.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            if text == "all" {
                return Some(Self::All);
            }
            if let Some(count) = text.strip_prefix("last:") {
                return count.parse().ok().map(Self::Last);
            }
            let (from, to) = text.split_once("..")?;
            Some(Self::Range(from.parse().ok()?, to.parse().ok()?))
        };
        parse().ok_or_else(|| format!("`{text}` is not a choice of layers; expected {EXPECTED}"))
    }
}

impl Serialize for Layers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::List(list) => list.serialize(serializer),
            other => serializer.collect_str(other),
        }
    }
}

impl<'de> Deserialize<'de> for Layers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = Layers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Layers, E> {
                text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Layers, A::Error> {
                let mut layers = Vec::new();
                while let Some(layer) = list.next_element()? {
                    layers.push(layer);
                }
                Ok(Layers::List(layers))
            }
        }

        deserializer.deserialize_any(Form)
    }
}
