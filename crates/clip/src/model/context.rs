//! The arguments of a forward pass, and the places in the network where adapters are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Training or evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variant explains its seed")]
pub enum Mode {
    /// Evaluation: nothing is random.
    Inference,
    /// Training. Random numbers are drawn from `seed` and `step`, so that every pass of one step, and the same step of a
    /// resumed run, draws the same.
    Training {
        seed: u64,
        /// The optimizer step, counted from 0.
        step: u64,
    },
}

/// The argument of every forward pass. It carries what would otherwise be hidden in module state or in a device's random
/// generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the name says it")]
pub struct Context {
    pub mode: Mode,
}

impl Context {
    /// Creates the context of a pass in which nothing is random.
    pub const fn inference() -> Self {
        Self { mode: Mode::Inference }
    }

    /// Creates the context of one training step.
    pub const fn training(seed: u64, step: u64) -> Self {
        Self { mode: Mode::Training { seed, step } }
    }
}

/// The layout of an activation `[batch · tokens, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the layout names them")]
pub struct Rows {
    pub batch: usize,
    /// Token positions of each sample.
    pub tokens: usize,
}

/// One of CLIP's two encoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Tower {
    Visual,
    Text,
}

/// The sublayer of a residual block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Site {
    /// The attention; its last linear is `attn.out_proj`.
    Attn,
    /// The MLP; its last linear is `mlp.c_proj`.
    Mlp,
}

/// The place of an adapter: tower, block and sublayer. Displayed and parsed as `visual.0.attn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the type names them")]
pub struct Place {
    pub tower: Tower,
    /// The block, counted from 0 at the input.
    pub layer: usize,
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

/// A text that is not a [`Place`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a place in CLIP: expected `{{visual|text}}.{{layer}}.{{attn|mlp}}`, as in `visual.0.attn`")]
pub struct ParsePlaceError {
    #[allow(missing_docs, reason = "the name says it")]
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

/// The place in the network, and the pass, in which a hook is called.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the types are documented")]
pub struct At<'a> {
    pub place: Place,
    /// Layout of the activations. `tokens` counts a [`SoftPrompt`](super::SoftPrompt)'s tokens too, and is 1 where only
    /// the pooled position is computed.
    pub rows: Rows,
    pub context: &'a Context,
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
