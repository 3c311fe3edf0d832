//! One α for a whole model, or one for each block and sublayer.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use radapter_clip::config::ClipConfig;
use radapter_clip::model::{Place, Site, Tower};
use radapter_clip::state_dict::StateDict;
use radapter_settings::SettingsError;
use serde::{Deserialize, Serialize};

use crate::{AdapterError, Alpha};

/// α of every adapter of a model: the same for all, linear over the blocks of a tower from the first to the last, or one for each.
///
/// The linear form is LiNeS (Wang et al., arXiv 2410.17146), `λ_l = a + (b − a)·(l − 1)/(L − 1)` for block l of L: early
/// blocks, whose features are general, stay closer to the pretrained model. Written `0.5`, `0.2..0.8`, or as the TOML of
/// [`EachAlpha`]. Each adapter is merged by itself, so that every form merges exactly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Repr", into = "Repr")]
pub struct Alphas(Form);

#[derive(Clone, Debug, PartialEq)]
enum Form {
    Same(Alpha),
    OverDepth { first: Alpha, last: Alpha },
    Each(Arc<EachAlpha>),
}

/// α of each block and sublayer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EachAlpha {
    /// α of what is in no block, such as a trained classifier.
    pub outside: Alpha,
    /// The image tower.
    pub visual: TowerAlphas,
    /// The text tower.
    pub text: TowerAlphas,
}

/// α of the blocks of a tower, from the input on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TowerAlphas {
    /// Behind the attention of each block.
    pub attn: Vec<Alpha>,
    /// Behind the MLP of each block.
    pub mlp: Vec<Alpha>,
}

impl Alphas {
    /// Creates a range over the blocks.
    pub fn over_depth(first: Alpha, last: Alpha) -> Self {
        match first == last {
            true => first.into(),
            false => Self(Form::OverDepth { first, last }),
        }
    }

    /// Reads the TOML of [`EachAlpha`], or of `alpha = …` in any other form.
    ///
    /// # Errors
    /// What is missing, unknown or out of range, with its line.
    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Whole {
            alpha: Alphas,
        }
        match toml::from_str::<toml::Table>(text)?.contains_key("alpha") {
            true => Ok(toml::from_str::<Whole>(text)?.alpha),
            false => Ok(toml::from_str::<EachAlpha>(text)?.into()),
        }
    }

    /// Returns the TOML that [`from_toml`](Self::from_toml) reads.
    pub fn to_toml(&self) -> String {
        let values = |values: &[Alpha]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match &self.0 {
            Form::Same(alpha) => format!("alpha = {alpha}\n"),
            Form::OverDepth { first, last } => format!("alpha = \"{first}..{last}\"\n"),
            Form::Each(each) => {
                let lists = [("visual", &each.visual), ("text", &each.text)].map(|(name, tower)| {
                    let (attn, mlp) = (values(&tower.attn), values(&tower.mlp));
                    format!("{name}.attn = [{attn}]\n{name}.mlp = [{mlp}]\n")
                });
                format!("outside = {}\n{}", each.outside, lists.concat())
            }
        }
    }

    /// Returns the number or the range as it is parsed; `None` for one α for each place.
    pub fn word(&self) -> Option<String> {
        match self.0 {
            Form::Each(_) => None,
            _ => Some(self.to_string()),
        }
    }

    /// Returns α at a place of a tower with `layers` blocks; that of the last block where there are fewer.
    pub fn at(&self, place: Place, layers: usize) -> Alpha {
        match &self.0 {
            Form::Same(alpha) => *alpha,
            Form::OverDepth { first, last } => match (place.layer, layers) {
                (_, 0 | 1) => *first,
                (layer, layers) => first.towards(*last, layer.min(layers - 1) as f64 / (layers - 1) as f64),
            },
            Form::Each(each) => {
                let tower = each.tower(place.tower);
                let values = match place.site {
                    Site::Attn => &tower.attn,
                    Site::Mlp => &tower.mlp,
                };
                values.get(place.layer).or(values.last()).copied().unwrap_or(each.outside)
            }
        }
    }

    /// Returns α of what is in no block: embeddings, projections, norms before and after the blocks, a classifier.
    pub fn outside_blocks(&self) -> Alpha {
        match &self.0 {
            Form::Same(alpha) | Form::OverDepth { first: alpha, .. } => *alpha,
            Form::Each(each) => each.outside,
        }
    }

    /// Returns α if it is the same everywhere.
    pub fn single(&self) -> Option<Alpha> {
        match self.0 {
            Form::Same(alpha) => Some(alpha),
            _ => None,
        }
    }

    /// Whether a value lies beyond the tuned model.
    pub fn extrapolates(&self) -> bool {
        match &self.0 {
            Form::Same(alpha) => alpha.extrapolates(),
            Form::OverDepth { first, last } => first.extrapolates() || last.extrapolates(),
            Form::Each(each) => each.values().any(|alpha| alpha.extrapolates()),
        }
    }

    /// Checks that there is an α for each block of a model and for no other.
    ///
    /// # Errors
    /// [`AdapterError::Setting`] naming the list of another length.
    pub fn check_fits(&self, config: &ClipConfig) -> Result<(), AdapterError> {
        let Form::Each(each) = &self.0 else { return Ok(()) };
        let lists = [
            ("visual.attn", &each.visual.attn, config.vision.layers),
            ("visual.mlp", &each.visual.mlp, config.vision.layers),
            ("text.attn", &each.text.attn, config.text.layers),
            ("text.mlp", &each.text.mlp, config.text.layers),
        ];
        match lists.into_iter().find(|(_, values, layers)| values.len() != *layers) {
            None => Ok(()),
            Some((key, values, layers)) => Err(AdapterError::Setting {
                key,
                found: format!("{} values", values.len()),
                expected: format!("one for each of the tower's {layers} blocks"),
            }),
        }
    }
}

impl EachAlpha {
    fn tower(&self, tower: Tower) -> &TowerAlphas {
        match tower {
            Tower::Visual => &self.visual,
            Tower::Text => &self.text,
        }
    }

    /// All values, `outside` first.
    fn values(&self) -> impl Iterator<Item = Alpha> {
        let lists = [&self.visual.attn, &self.visual.mlp, &self.text.attn, &self.text.mlp];
        std::iter::once(self.outside).chain(lists.into_iter().flatten().copied())
    }
}

/// The number of blocks in each tower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the type is documented")]
pub struct Depth {
    pub visual: usize,
    pub text: usize,
}

impl From<&ClipConfig> for Depth {
    fn from(config: &ClipConfig) -> Self {
        Self { visual: config.vision.layers, text: config.text.layers }
    }
}

impl Depth {
    /// Counts the blocks of a checkpoint's tensors.
    pub fn of_state(state: &StateDict) -> Self {
        let mut depth = Self { visual: 0, text: 0 };
        for Place { tower, layer, .. } in state.iter().filter_map(|(name, _)| place_of(name)) {
            let layers = match tower {
                Tower::Visual => &mut depth.visual,
                Tower::Text => &mut depth.text,
            };
            *layers = (*layers).max(layer + 1);
        }
        depth
    }

    /// Returns α at a place.
    pub fn alpha(self, alphas: &Alphas, place: Place) -> Alpha {
        let layers = match place.tower {
            Tower::Visual => self.visual,
            Tower::Text => self.text,
        };
        alphas.at(place, layers)
    }

    /// Returns α of a tensor by OpenCLIP's name.
    pub fn alpha_of(self, alphas: &Alphas, name: &str) -> Alpha {
        place_of(name).map_or_else(|| alphas.outside_blocks(), |place| self.alpha(alphas, place))
    }
}

/// Returns the block and sublayer of a tensor by OpenCLIP's name; a norm counts to the sublayer that it feeds. `None` for a tensor
/// outside the blocks.
pub fn place_of(name: &str) -> Option<Place> {
    let (tower, path) = match name.strip_prefix("visual.") {
        Some(path) => (Tower::Visual, path),
        None => (Tower::Text, name),
    };
    let (layer, rest) = path.strip_prefix("transformer.resblocks.")?.split_once('.')?;
    let is_attn = ["attn.", "ln_1.", "ls_1."].iter().any(|start| rest.starts_with(start));
    Some(Place { tower, layer: layer.parse().ok()?, site: if is_attn { Site::Attn } else { Site::Mlp } })
}

impl From<Alpha> for Alphas {
    fn from(alpha: Alpha) -> Self {
        Self(Form::Same(alpha))
    }
}

impl From<EachAlpha> for Alphas {
    fn from(each: EachAlpha) -> Self {
        Self(Form::Each(Arc::new(each)))
    }
}

impl fmt::Display for Alphas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Same(alpha) => alpha.fmt(f),
            Form::OverDepth { first, last } => write!(f, "{first}..{last}"),
            Form::Each(each) => {
                let values = || each.values().map(Alpha::get);
                let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
                write!(f, "{low:.2} to {high:.2} by place")
            }
        }
    }
}

impl FromStr for Alphas {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("..") {
            // `0.2...8` is no range to 0.8.
            Some((first, last)) if !last.starts_with('.') => Ok(Self::over_depth(first.parse()?, last.parse()?)),
            _ => Ok(text.parse::<Alpha>()?.into()),
        }
    }
}

/// As it is stored: a number, `"A..B"`, or a table.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Repr {
    Number(f64),
    Text(String),
    Each(EachAlpha),
}

impl TryFrom<Repr> for Alphas {
    type Error = SettingsError;

    fn try_from(repr: Repr) -> Result<Self, Self::Error> {
        match repr {
            Repr::Number(alpha) => Ok(Alpha::new(alpha)?.into()),
            Repr::Text(text) => text.parse(),
            Repr::Each(each) => Ok(each.into()),
        }
    }
}

impl From<Alphas> for Repr {
    fn from(alphas: Alphas) -> Self {
        match &alphas.0 {
            Form::Same(alpha) => Self::Number(alpha.get()),
            Form::OverDepth { .. } => Self::Text(alphas.to_string()),
            Form::Each(each) => Self::Each(EachAlpha::clone(each)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn place(layer: usize) -> Place {
        Place { tower: Tower::Visual, layer, site: Site::Attn }
    }

    #[test]
    fn a_range_is_linear_over_the_blocks_and_a_number_the_same_everywhere() {
        let alphas: Alphas = "0.2..0.8".parse().unwrap();
        let blocks: Vec<f64> = (0..4).map(|layer| alphas.at(place(layer), 4).get()).collect();
        for (found, expected) in blocks.iter().zip([0.2, 0.4, 0.6, 0.8]) {
            assert!((found - expected).abs() < 1e-12, "{blocks:?}");
        }
        assert_eq!((alphas.outside_blocks().get(), alphas.at(place(0), 1).get()), (0.2, 0.2));
        for text in ["0.24..1", "0.74..0"] {
            let (last, alphas) = (&text[6..], text.parse::<Alphas>().unwrap());
            assert_eq!(alphas.at(place(11), 12), last.parse().unwrap(), "{text}");
        }
        let same: Alphas = "0.5".parse().unwrap();
        let half = Alpha::new(0.5).unwrap();
        assert_eq!((same.at(place(3), 12), same.outside_blocks(), same.single()), (half, half, Some(half)));
        assert_eq!((alphas.to_string(), same.to_string()), ("0.2..0.8".to_owned(), "0.5".to_owned()));
    }

    #[test]
    fn each_end_is_checked() {
        for text in ["0.2..", "..0.8", "0.2..2", "-1..0", "0.2...8", "a..b", ""] {
            let message = text.parse::<Alphas>().unwrap_err().to_string();
            assert!(message.contains("from 0"), "{text}: {message}");
        }
        assert!("0..1.2".parse::<Alphas>().unwrap().extrapolates());
    }

    #[test]
    fn a_table_has_an_alpha_for_each_place_of_its_model() {
        let text =
            "outside = 0.3\nvisual.attn = [0.1, 0.2]\nvisual.mlp = [0.3, 0.4]\ntext.attn = [0.5]\ntext.mlp = [0.6]";
        let alphas = Alphas::from_toml(text).unwrap();
        let at = |tower, layer, site| alphas.at(Place { tower, layer, site }, 2).get();
        assert_eq!((at(Tower::Visual, 1, Site::Attn), at(Tower::Visual, 0, Site::Mlp)), (0.2, 0.3));
        assert_eq!((at(Tower::Text, 0, Site::Mlp), alphas.outside_blocks().get(), alphas.single()), (0.6, 0.3, None));
        assert_eq!(alphas.to_string(), "0.10 to 0.60 by place");
        for stored in [alphas.clone(), "0.5".parse().unwrap(), "0.2..0.8".parse().unwrap()] {
            let text = serde_json::to_string(&stored).unwrap();
            assert_eq!(serde_json::from_str::<Alphas>(&text).unwrap(), stored, "{text}");
            assert_eq!(Alphas::from_toml(&stored.to_toml()).unwrap(), stored, "{}", stored.to_toml());
        }
        let mut config = radapter_clip::config::ClipConfig::preset("ViT-B-32").unwrap();
        (config.vision.layers, config.text.layers) = (2, 2);
        let message = alphas.check_fits(&config).unwrap_err().to_string();
        assert!(message.contains("text.attn = 1 values") && message.contains("2 blocks"), "{message}");
        config.text.layers = 1;
        alphas.check_fits(&config).unwrap();
    }

    #[test]
    fn a_tensor_has_the_alpha_of_its_block_and_sublayer() {
        let text =
            "outside = 0.3\nvisual.attn = [0.1, 0.2]\nvisual.mlp = [0.4, 0.5]\ntext.attn = [0.6]\ntext.mlp = [0.7]";
        let (alphas, depth) = (Alphas::from_toml(text).unwrap(), Depth { visual: 2, text: 1 });
        for (name, alpha) in [
            ("visual.transformer.resblocks.1.ln_1.weight", 0.2),
            ("visual.transformer.resblocks.0.mlp.c_fc.bias", 0.4),
            ("transformer.resblocks.0.attn.in_proj_weight", 0.6),
            ("transformer.resblocks.0.ln_2.bias", 0.7),
            ("visual.proj", 0.3),
            ("token_embedding.weight", 0.3),
        ] {
            assert_eq!(depth.alpha_of(&alphas, name).get(), alpha, "{name}");
        }
    }

    #[test]
    fn a_wrong_table_is_told_by_what_is_wrong() {
        for (text, expected) in [
            ("visual.attn = [0.1]", "missing field"),
            ("alpha = 2", "from 0"),
            ("alpha = 0.5\nbeta = 1", "beta"),
            ("outside = 3\nvisual = 1\ntext = 2", "from 0"),
            ("alpha", "expected"),
        ] {
            let message = Alphas::from_toml(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
        assert_eq!(Alphas::from_toml("alpha = \"0.2..0.8\"").unwrap().to_string(), "0.2..0.8");
    }
}
