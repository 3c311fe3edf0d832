//! The choice of a run's α by a rule, without labels of other distributions.
//!
//! A [`Rule`] is a file and a line of [`RULES`]. It sees the run's models at each α of a grid through a [`Scene`], which measures
//! what the rule asks for once.

mod auto;
mod gain;
mod held_out;
mod id_shift;
mod one_se;
mod retention;
mod scene;
mod stock;
mod tpgm;
mod unlabelled;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::PathBuf;

use radapter_adapter::{Alpha, Alphas, EachAlpha, TowerAlphas};
use radapter_clip::config::ClipConfig;
use radapter_clip::model::{ModelError, Place, Site, Tower};
use radapter_settings::near;
use serde::{Deserialize, Serialize};

use crate::run::tuned::FineTunedError;

pub(crate) use self::auto::Auto;
pub use self::held_out::{HeldOut, HeldOutSamples};
pub use self::scene::{Judged, Row, Scene, Summary};

/// All rules.
pub const RULES: [&dyn Rule; 7] = [
    &one_se::OneSe,
    &gain::Gain,
    &id_shift::IdShift,
    &tpgm::Tpgm,
    &unlabelled::Unlabelled,
    &retention::Retention,
    &stock::Stock,
];

/// The rule of `alpha = "auto"`.
pub const AUTO: &str = "tpgm";
/// `alpha_rule` of a run whose α is a number.
pub const NONE: &str = "none";

/// Samples below which a rule that judges held-out samples warns.
const FEW: usize = 100;

/// A way to choose α.
pub trait Rule: Debug + Sync {
    /// Returns the rule's name.
    fn name(&self) -> &'static str;

    /// Describes in one line what the rule chooses.
    fn about(&self) -> &'static str;

    /// Names the data that the rule needs.
    fn needs(&self) -> &'static str;

    /// Whether held-out samples are all that it needs, so that it can choose when a run's training ends.
    fn is_by_held_out(&self) -> bool {
        true
    }

    /// Chooses α.
    ///
    /// # Errors
    /// [`ChoiceError`] for data that are not given or cannot be read, and an interruption.
    fn choose(&self, scene: &mut Scene<'_>) -> Result<Choice, ChoiceError>;
}

/// Finds a rule by name, or [`AUTO`]'s for `auto`.
///
/// # Errors
/// The end of a message that suggests the nearest names.
pub fn named(name: &str) -> Result<&'static dyn Rule, String> {
    let wanted = if name == "auto" { AUTO } else { name };
    let found = RULES.into_iter().find(|rule| rule.name() == wanted);
    found.ok_or_else(|| {
        format!("`{name}` is not a rule for choosing alpha{}", near::hint(name, RULES.iter().map(|rule| rule.name())))
    })
}

/// Chooses α by a rule, and validates the run's model there.
///
/// # Errors
/// Those of [`Rule::choose`] and of the validation.
pub fn choose(rule: &dyn Rule, scene: &mut Scene<'_>) -> Result<Choice, ChoiceError> {
    let choice = rule.choose(scene)?;
    Ok(Choice { validation: scene.validate(&choice.alphas)?, ..choice })
}

/// What a rule chose, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// [`Rule::name`]
    pub rule: String,
    /// The chosen α.
    #[serde(rename = "alpha")]
    pub alphas: Alphas,
    /// What the curve shows.
    pub measure: String,
    /// The rule's measure at each α of the grid, larger values being better; empty if the rule does not try any.
    pub curve: Vec<CurvePoint>,
    /// The run's validation at the chosen α; empty without validation data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub validation: BTreeMap<String, f64>,
    /// Warnings about how far the choice can be trusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A rule's measure at one α.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the type is documented")]
pub struct CurvePoint {
    pub alpha: Alpha,
    pub value: f64,
    /// The standard error of the difference to the best point; 0 at that point, `None` if the rule knows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<f64>,
}

/// Why a rule cannot choose α.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum ChoiceError {
    /// The rule lacks its data.
    #[error("the rule {rule} needs {needs}; {hint}")]
    Lacks { rule: &'static str, needs: &'static str, hint: String },
    #[error(transparent)]
    Model(Box<FineTunedError>),
    /// The samples could not be judged.
    #[error("cannot judge the run {run} at alpha = {alpha}: {error}", run = run.display())]
    Judge { run: PathBuf, alpha: Alphas, error: Box<dyn std::error::Error + Send + Sync> },
    /// No sample could be judged.
    #[error("the run {run} has no held-out sample that could be judged", run = run.display())]
    NoSamples { run: PathBuf },
    /// α cannot be learned on the held-out samples.
    #[error("cannot learn alpha on the held-out samples of the run {run}: {error}", run = run.display())]
    Learn { run: PathBuf, error: Box<dyn std::error::Error + Send + Sync> },
    #[error("interrupted before alpha was chosen")]
    Interrupted,
}

impl From<ModelError> for ChoiceError {
    fn from(error: ModelError) -> Self {
        FineTunedError::from(error).into()
    }
}

impl From<FineTunedError> for ChoiceError {
    fn from(error: FineTunedError) -> Self {
        Self::Model(Box::new(error))
    }
}

/// The choice of the α with the largest value, the first of equals, which is the smallest α; by so many held-out samples.
fn largest(rule: &dyn Rule, measure: &str, points: impl Iterator<Item = (Alpha, f64)>, samples: usize) -> Choice {
    let curve: Vec<CurvePoint> = points.map(|(alpha, value)| CurvePoint { alpha, value, error: None }).collect();
    let best = curve.iter().copied().reduce(|best, point| if point.value > best.value { point } else { best });
    Choice {
        rule: rule.name().to_owned(),
        alphas: best.map_or_else(Alpha::default, |best| best.alpha).into(),
        measure: measure.to_owned(),
        curve,
        validation: BTreeMap::new(),
        notes: few(samples).into_iter().collect(),
    }
}

/// An α for each block and sublayer of a model, and for what is in no block.
fn each_alpha(config: &ClipConfig, of: impl Fn(Option<Place>) -> Alpha) -> Alphas {
    let tower = |tower: Tower, layers: usize| {
        let of = |site: Site| (0..layers).map(|layer| of(Some(Place { tower, layer, site }))).collect();
        TowerAlphas { attn: of(Site::Attn), mlp: of(Site::Mlp) }
    };
    let (visual, text) = (config.vision.layers, config.text.layers);
    EachAlpha { outside: of(None), visual: tower(Tower::Visual, visual), text: tower(Tower::Text, text) }.into()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}

/// Warns of few held-out samples.
fn few(samples: usize) -> Option<String> {
    (samples < FEW).then(|| {
        format!(
            "{samples} held-out samples are few to choose alpha by; with fewer than {FEW} the choice is mostly chance"
        )
    })
}
