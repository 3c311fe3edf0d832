//! The re-scaling coefficient α.

use std::fmt;
use std::str::FromStr;

use radapter_settings::SettingsError;
use serde::{Deserialize, Serialize};

/// Beyond this a model is no longer a mixture in any useful sense, and a larger number is a typing error.
const LARGEST: f64 = 1.5;

/// The re-scaling coefficient α of an adapter's map: 0 is the pretrained model, 1 the adapted one, and between them lies
/// the weight-space ensemble of both (arXiv 2408.05749, section 3.3).
///
/// Values in `(1, 1.5]` extrapolate and are accepted with a warning; values outside `[0, 1.5]` are refused.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Alpha(f64);

impl Alpha {
    /// The pretrained model.
    pub const ZERO: Self = Self(0.0);
    /// The adapters in full.
    pub const ONE: Self = Self(1.0);

    /// Checks a number.
    ///
    /// # Errors
    /// [`SettingsError`] for NaN, a negative number and one above 1.5.
    pub fn new(value: f64) -> Result<Self, SettingsError> {
        // A NaN is in no range.
        if !(0.0..=LARGEST).contains(&value) {
            return Err(refused(value.to_string()));
        }
        // −0 is in the range, and is 0.
        Ok(Self(value.abs()))
    }

    /// Returns α as a number, 0 to 1.5.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// Returns the value at a share of the way to another: exactly that one at 1.
    pub(crate) fn towards(self, other: Self, share: f64) -> Self {
        if share >= 1.0 { other } else { Self(self.0 + (other.0 - self.0) * share) }
    }

    /// Whether the value lies beyond the adapted model.
    pub fn extrapolates(self) -> bool {
        self.0 > 1.0
    }
}

fn refused(found: String) -> SettingsError {
    let expected = "expected a number from 0 (the pretrained model) to 1 (the adapted one), at most 1.5";
    SettingsError::Conflict { key: "alpha", found, expected }
}

impl Default for Alpha {
    fn default() -> Self {
        Self::ONE
    }
}

impl fmt::Display for Alpha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Alpha {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let value = text.trim().parse().map_err(|_| refused(format!("`{text}`")))?;
        Self::new(value)
    }
}

impl TryFrom<f64> for Alpha {
    type Error = SettingsError;

    fn try_from(value: f64) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}

impl From<Alpha> for f64 {
    fn from(alpha: Alpha) -> Self {
        alpha.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_range_is_zero_to_one_and_a_little_beyond() {
        for text in ["0", "0.5", "1", " 0.8 ", "-0", "1e-3"] {
            assert!(!text.parse::<Alpha>().unwrap().extrapolates(), "{text}");
        }
        for text in ["1.0001", "1.5"] {
            assert!(text.parse::<Alpha>().unwrap().extrapolates(), "{text}");
        }
        for text in ["NaN", "nan", "inf", "-inf", "-0.1", "1.51", "2", "half", "", "0.5x"] {
            let message = text.parse::<Alpha>().unwrap_err().to_string();
            assert!(message.contains("from 0"), "{message}");
        }
    }

    #[test]
    fn minus_zero_is_zero() {
        assert_eq!(Alpha::new(-0.0).unwrap().get().to_bits(), 0);
    }

    #[test]
    fn a_config_goes_through_the_same_check() {
        assert_eq!(serde_json::from_str::<Alpha>("0.5").unwrap(), Alpha::new(0.5).unwrap());
        assert!(serde_json::from_str::<Alpha>("1.6").is_err());
        assert_eq!(serde_json::to_string(&Alpha::ONE).unwrap(), "1.0");
    }
}
