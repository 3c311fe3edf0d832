//! Intervals as settings: steps, epochs or the end of the run.

use radapter_settings::value::AnyValue;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Value;

const EXPECTED: &str = "a whole number of steps, \"epoch\" or \"end\"";

/// Interval at which something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub enum Every {
    Epoch,
    /// After every so many steps.
    Steps(u64),
    End,
}

impl<'de> Deserialize<'de> for Every {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match AnyValue::deserialize(deserializer, EXPECTED)? {
            Value::String(word) if word == "epoch" => Ok(Self::Epoch),
            Value::String(word) if word == "end" => Ok(Self::End),
            Value::Integer(steps) if steps > 0 => Ok(Self::Steps(steps as u64)),
            other => Err(D::Error::custom(format!("expected {EXPECTED}, found {other}"))),
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
