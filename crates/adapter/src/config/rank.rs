//! `rank = "full"` or `rank = 4`.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::AdapterError;

const EXPECTED: &str = "\"full\" or a whole number of at least 1, the rank";

/// The form of an adapter's map `F`. Written as `"full"` or as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rank {
    /// A full matrix `[d, d]`.
    #[default]
    Full,
    /// `up · down` with `down` `[r, d]` and `up` `[d, r]`, for few images.
    Low(usize),
}

impl Rank {
    pub(super) fn validate(self) -> Result<(), AdapterError> {
        match self {
            Self::Low(0) => Err(refused(self, EXPECTED.to_owned())),
            _ => Ok(()),
        }
    }

    /// A product of a rank above the width is a full matrix with more parameters.
    pub(super) fn check_width(self, width: usize) -> Result<(), AdapterError> {
        match self {
            Self::Low(rank) if rank > width => {
                Err(refused(self, format!("\"full\" or a rank of at most the model's width, {width}")))
            }
            _ => Ok(()),
        }
    }
}

fn refused(found: Rank, expected: String) -> AdapterError {
    AdapterError::Setting { key: "adapter.rank", found: found.to_string(), expected }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::Low(rank) => rank.fmt(f),
        }
    }
}

impl Serialize for Rank {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Full => serializer.serialize_str("full"),
            Self::Low(rank) => serializer.serialize_u64(*rank as u64),
        }
    }
}

impl<'de> Deserialize<'de> for Rank {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl Visitor<'_> for Form {
            type Value = Rank;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Rank, E> {
                match text {
                    "full" => Ok(Rank::Full),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_u64<E: Error>(self, rank: u64) -> Result<Rank, E> {
                match usize::try_from(rank) {
                    Ok(rank) if rank > 0 => Ok(Rank::Low(rank)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Unsigned(rank), &self)),
                }
            }

            fn visit_i64<E: Error>(self, rank: i64) -> Result<Rank, E> {
                match u64::try_from(rank) {
                    Ok(rank) => self.visit_u64(rank),
                    Err(_) => Err(E::invalid_value(serde::de::Unexpected::Signed(rank), &self)),
                }
            }
        }

        deserializer.deserialize_any(Form)
    }
}
