//! Settings that are a number or a word.

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value, or the word `"none"`. TOML has no null, and a resolved config says what it has switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrNone<T> {
    /// Switched off.
    None,
    /// The value.
    Some(T),
}

impl<T> OrNone<T> {
    /// The value, if there is one.
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

/// The moving average's m.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ema {
    /// min(0.999, 0.01^(1/N)): after the N steps of the run a hundredth of the start is left in it.
    Auto,
    /// No average.
    None,
    /// This m.
    Decay(f64),
}

/// The loss's temperature τ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Temperature {
    /// The checkpoint's own, exp(−logit_scale).
    Checkpoint,
    /// This one.
    Value(f64),
}

/// When something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// After each epoch.
    Epoch,
    /// After so many steps.
    Steps(u64),
    /// At the end only.
    End,
}

/// What a TOML value of these types may be.
enum Raw {
    Word(String),
    Whole(u64),
    Number(f64),
}

struct RawVisitor(&'static str);

impl Visitor<'_> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Raw, E> {
        Ok(Raw::Word(word.to_owned()))
    }

    fn visit_u64<E: Error>(self, whole: u64) -> Result<Raw, E> {
        Ok(Raw::Whole(whole))
    }

    fn visit_i64<E: Error>(self, whole: i64) -> Result<Raw, E> {
        u64::try_from(whole).map(Raw::Whole).or(Ok(Raw::Number(whole as f64)))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Raw, E> {
        Ok(Raw::Number(number))
    }
}

fn raw<'de, D: Deserializer<'de>>(deserializer: D, expected: &'static str) -> Result<Raw, D::Error> {
    deserializer.deserialize_any(RawVisitor(expected))
}

fn refused<T, E: Error>(raw: &Raw, expected: &'static str) -> Result<T, E> {
    let found = match raw {
        Raw::Word(word) => Unexpected::Str(word),
        Raw::Whole(whole) => Unexpected::Unsigned(*whole),
        Raw::Number(number) => Unexpected::Float(*number),
    };
    Err(E::invalid_value(found, &expected))
}

impl<'de> Deserialize<'de> for OrNone<f64> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "a number or \"none\"";
        match raw(deserializer, EXPECTED)? {
            Raw::Word(word) if word == "none" => Ok(Self::None),
            Raw::Whole(whole) => Ok(Self::Some(whole as f64)),
            Raw::Number(number) => Ok(Self::Some(number)),
            other => refused(&other, EXPECTED),
        }
    }
}

macro_rules! whole_or_none {
    ($($whole:ty),*) => {$(
        impl<'de> Deserialize<'de> for OrNone<$whole> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                const EXPECTED: &str = "a whole number or \"none\"";
                match raw(deserializer, EXPECTED)? {
                    Raw::Word(word) if word == "none" => Ok(Self::None),
                    Raw::Whole(whole) => Ok(Self::Some(whole as $whole)),
                    other => refused(&other, EXPECTED),
                }
            }
        }
    )*};
}

whole_or_none!(u64, usize);

impl<T: Serialize> Serialize for OrNone<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str("none"),
            Self::Some(value) => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Ema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "a number, \"auto\" or \"none\"";
        match raw(deserializer, EXPECTED)? {
            Raw::Word(word) if word == "auto" => Ok(Self::Auto),
            Raw::Word(word) if word == "none" => Ok(Self::None),
            Raw::Whole(whole) => Ok(Self::Decay(whole as f64)),
            Raw::Number(number) => Ok(Self::Decay(number)),
            other => refused(&other, EXPECTED),
        }
    }
}

impl Serialize for Ema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::None => serializer.serialize_str("none"),
            Self::Decay(decay) => serializer.serialize_f64(*decay),
        }
    }
}

impl<'de> Deserialize<'de> for Temperature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "a number or \"checkpoint\"";
        match raw(deserializer, EXPECTED)? {
            Raw::Word(word) if word == "checkpoint" => Ok(Self::Checkpoint),
            Raw::Whole(whole) => Ok(Self::Value(whole as f64)),
            Raw::Number(number) => Ok(Self::Value(number)),
            other => refused(&other, EXPECTED),
        }
    }
}

impl Serialize for Temperature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Checkpoint => serializer.serialize_str("checkpoint"),
            Self::Value(value) => serializer.serialize_f64(*value),
        }
    }
}

impl<'de> Deserialize<'de> for Every {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "a number of steps, \"epoch\" or \"end\"";
        match raw(deserializer, EXPECTED)? {
            Raw::Word(word) if word == "epoch" => Ok(Self::Epoch),
            Raw::Word(word) if word == "end" => Ok(Self::End),
            Raw::Whole(steps) if steps > 0 => Ok(Self::Steps(steps)),
            other => refused(&other, EXPECTED),
        }
    }
}

impl Serialize for Every {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Epoch => serializer.serialize_str("epoch"),
            Self::End => serializer.serialize_str("end"),
            Self::Steps(steps) => serializer.serialize_u64(*steps),
        }
    }
}
