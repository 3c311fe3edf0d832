//! Where adapters are placed, and their form.

mod layers;
mod rank;
mod scale;

use radapter_clip::config::ClipConfig;
use radapter_clip::model::{Place, Site, Tower};
use radapter_settings::{Spec, settings};
use serde::{Deserialize, Serialize};

pub use layers::Layers;
pub use rank::Rank;
pub use scale::Scale;

use crate::{AdapterError, DropMode, Dropping};

settings! {
    /// Settings of the adapters; the section `[adapter]` of a run's configuration.
    ///
    /// ```toml
    /// rank = "full"          # or a number r: F = up · down, of rank r
    /// scale = "learnable"    # starts at 0.1; { learnable = 0.5 } starts there; a number is fixed
    /// drop = 0.2             # probability of dropping while training
    /// drop_mode = "adapter"  # or "sample", "token", "element"
    /// drop_path = 0.0        # probability of dropping a sublayer
    /// towers = "both"        # or "visual", "text"
    /// layers = "all"         # or "last:4", "6..12", [0, 1, 11]
    /// sites = "both"         # or "attn", "mlp"
    /// ```
    pub struct AdapterConfig {
        /// Form of the adapters' map: full matrices, or products of rank r.
        pub rank: Rank = Spec::toml("\"full\""),
        /// Factor s in front of the map: learnable (from 0.1, or `{ learnable = 0.5 }`) or a fixed number.
        pub scale: Scale = Spec::toml("\"learnable\""),
        /// Probability p of dropping an adapter in a training step.
        pub drop: f64 = Spec::toml("0.2").below_one(),
        /// Unit of dropping; `element` is dropout of the adapters' inputs.
        pub drop_mode: DropMode = Spec::toml("\"adapter\""),
        /// Probability of dropping a sublayer with its adapter for a sample in a training step (drop-path).
        pub drop_path: f64 = Spec::toml("0.0").below_one(),
        /// Encoders with adapters.
        pub towers: Towers = Spec::toml("\"both\""),
        /// Blocks with adapters.
        pub layers: Layers = Spec::toml("\"all\""),
        /// Sublayers with adapters.
        pub sites: Sites = Spec::toml("\"both\""),
    }
}

/// Which encoders have adapters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Towers {
    /// The image and the text encoder.
    #[default]
    Both,
    Visual,
    Text,
}

/// Which sublayers of a block have adapters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Sites {
    /// Attention and MLP.
    #[default]
    Both,
    Attn,
    Mlp,
}

impl Default for AdapterConfig {
    /// The paper's: full rank in every block of both encoders, a learnable scale, p = 0.2 for each adapter.
    fn default() -> Self {
        radapter_settings::defaults()
    }
}

impl AdapterConfig {
    /// Checks the settings that do not depend on a model.
    ///
    /// # Errors
    /// [`AdapterError::Setting`], which names the key.
    pub fn validate(&self) -> Result<(), AdapterError> {
        self.rank.validate()?;
        self.scale.validate()?;
        self.layers.validate()?;
        self.dropping()?;
        self.drop_path().map(drop)
    }

    /// Returns the dropping of these settings.
    ///
    /// # Errors
    /// [`AdapterError::Setting`] for a probability outside `[0, 1)`.
    pub fn dropping(&self) -> Result<Dropping, AdapterError> {
        Dropping::new("adapter.drop", self.drop, self.drop_mode)
    }

    /// Returns the dropping of sublayers, for each sample.
    ///
    /// # Errors
    /// [`AdapterError::Setting`] for a probability outside `[0, 1)`.
    pub fn drop_path(&self) -> Result<Dropping, AdapterError> {
        Dropping::new("adapter.drop_path", self.drop_path, DropMode::Sample)
    }

    /// Lists the places of a model's adapters, in the order visual before text, blocks from the input, attention before
    /// MLP, each with the width of its activations.
    ///
    /// # Errors
    /// [`AdapterError::Setting`] for settings that are invalid, or do not fit this model.
    pub fn places(&self, clip: &ClipConfig) -> Result<Vec<(Place, usize)>, AdapterError> {
        self.validate()?;
        let towers: &[Tower] = match self.towers {
            Towers::Both => &[Tower::Visual, Tower::Text],
            Towers::Visual => &[Tower::Visual],
            Towers::Text => &[Tower::Text],
        };
        let sites: &[Site] = match self.sites {
            Sites::Both => &[Site::Attn, Site::Mlp],
            Sites::Attn => &[Site::Attn],
            Sites::Mlp => &[Site::Mlp],
        };
        let depth = towers.iter().map(|tower| size(clip, *tower).layers).max().unwrap_or(0);
        self.layers.check_depth(depth)?;

        let mut places = Vec::new();
        for &tower in towers {
            let Size { layers, width } = size(clip, tower);
            self.rank.check_width(width)?;
            for layer in (0..layers).filter(|layer| self.layers.contains(*layer, layers)) {
                places.extend(sites.iter().map(|&site| (Place { tower, layer, site }, width)));
            }
        }
        Ok(places)
    }

    /// Counts the trained values, learnable scales included.
    ///
    /// # Errors
    /// As [`places`](Self::places).
    pub fn parameters(&self, clip: &ClipConfig) -> Result<usize, AdapterError> {
        let scale = usize::from(matches!(self.scale, Scale::Learnable(_)));
        let map = |width| match self.rank {
            Rank::Full => width * width,
            Rank::Low(rank) => 2 * rank * width,
        };
        Ok(self.places(clip)?.iter().map(|(_, width)| map(*width) + scale).sum())
    }
}

/// The sizes of a tower that adapters depend on.
pub(crate) struct Size {
    pub(crate) layers: usize,
    pub(crate) width: usize,
}

pub(crate) fn size(clip: &ClipConfig, tower: Tower) -> Size {
    match tower {
        Tower::Visual => Size { layers: clip.vision.layers, width: clip.vision.width },
        Tower::Text => Size { layers: clip.text.layers, width: clip.text.width },
    }
}
