//! `scale = "learnable"`, `scale = { learnable = 0.5 }` or `scale = 0.1`.

use std::fmt;

use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::AdapterError;

const EXPECTED: &str = "\"learnable\", a fixed number such as 1.0, or { learnable = 0.1 }";

/// The published code's initial value.
const INITIAL: f32 = 0.1;

/// The factor `s` in `y + s·F y`. Written as `"learnable"`, as a number, or as `{ learnable = … }`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// A parameter of each adapter, trained and averaged with the rest, starting at this value.
    Learnable(f32),
    /// A constant.
    Fixed(f32),
}

impl Default for Scale {
    /// Learnable from 0.1: the published hyper-parameters assume it.
    fn default() -> Self {
        Self::Learnable(INITIAL)
    }
}

impl Scale {
    /// Returns the value that training starts from.
    pub const fn initial(self) -> f32 {
        match self {
            Self::Learnable(value) | Self::Fixed(value) => value,
        }
    }

    /// A scale of zero with a map of zero would never receive a gradient, and a fixed one never does anything.
    pub(super) fn validate(self) -> Result<(), AdapterError> {
        let value = self.initial();
        if value.is_finite() && value != 0.0 {
            return Ok(());
        }
        Err(AdapterError::Setting {
            key: "adapter.scale",
            found: value.to_string(),
            expected: format!("{EXPECTED}, not zero and finite"),
        })
    }
}

/// The shortest decimal that reads back as this f32: 0.1, not 0.10000000149011612.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

impl Serialize for Scale {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Learnable(INITIAL) => serializer.serialize_str("learnable"),
            Self::Learnable(initial) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("learnable", &decimal(initial))?;
                map.end()
            }
            Self::Fixed(value) => serializer.serialize_f64(decimal(value)),
        }
    }
}

impl<'de> Deserialize<'de> for Scale {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = Scale;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scale, E> {
                match text {
                    "learnable" => Ok(Scale::default()),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Scale, E> {
                Ok(Scale::Fixed(value as f32))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Scale, E> {
                self.visit_f64(value as f64)
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Scale, E> {
                self.visit_f64(value as f64)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scale, A::Error> {
                let mut initial = None;
                while let Some(key) = map.next_key::<String>()? {
                    if key != "learnable" {
                        return Err(A::Error::unknown_field(&key, &["learnable"]));
                    }
                    initial = Some(map.next_value::<f32>()?);
                }
                initial.map(Scale::Learnable).ok_or_else(|| A::Error::missing_field("learnable"))
            }
        }

        deserializer.deserialize_any(Form)
    }
}
