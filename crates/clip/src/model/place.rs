use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of CLIP's two encoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tower {
    /// The image encoder.
    Visual,
    /// The text encoder.
    Text,
}

/// The sublayer of a residual block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Site {
    /// Behind `attn.out_proj`.
    Attn,
    /// Behind `mlp.c_proj`.
    Mlp,
}

/// Where an adapter stands: tower, block and sublayer. Displayed and parsed as `visual.0.attn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The encoder.
    pub tower: Tower,
    /// The block, counted from 0 at the input.
    pub layer: usize,
    /// The sublayer.
    pub site: Site,
}

impl fmt::Display for Tower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tower::Visual => "visual",
            Tower::Text => "text",
        })
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Site::Attn => "attn",
            Site::Mlp => "mlp",
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.tower, self.layer, self.site)
    }
}

/// A text that names no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no place in CLIP: expected `{{visual|text}}.{{layer}}.{{attn|mlp}}`, as in `visual.0.attn`")]
pub struct ParsePlaceError {
    /// The text.
    pub found: String,
}

impl FromStr for Place {
    type Err = ParsePlaceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.split('.');
            let tower = match parts.next()? {
                "visual" => Tower::Visual,
                "text" => Tower::Text,
                _ => return None,
            };
            let layer = parts.next()?;
            // `parse` alone would also take "+1" and "01", which `Display` never writes.
            let number: usize = layer.parse().ok()?;
            if number.to_string() != layer {
                return None;
            }
            let site = match parts.next()? {
                "attn" => Site::Attn,
                "mlp" => Site::Mlp,
                _ => return None,
            };
            parts.next().is_none().then_some(Place { tower, layer: number, site })
        };
        parse().ok_or_else(|| ParsePlaceError { found: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn places_are_parsed_as_displayed() {
        for text in ["visual.0.attn", "text.11.mlp"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        for bad in ["", "visual.0", "image.0.attn", "text.+1.mlp", "text.01.mlp", "text.1.mlp.x"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
