//! The declaration of a setting.

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::kind::Kind;

/// A struct whose fields are settings; written with [`settings!`](crate::settings).
pub trait Declared: Serialize + DeserializeOwned {
    /// Its settings, in the order of the fields.
    const SETTINGS: &'static [Setting];
}

/// One setting: a field of a [`Declared`] struct.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The key within its struct.
    pub key: &'static str,
    help: &'static str,
    /// Default, range and other properties.
    pub spec: Spec,
    kind: fn() -> Kind,
    normalize: fn(Value) -> Result<Value, String>,
}

impl Setting {
    /// Creates a setting of values of type `T`. [`settings!`](crate::settings) calls it.
    pub const fn new<T: DeserializeOwned + Serialize>(key: &'static str, help: &'static str, spec: Spec) -> Self {
        Self { key, help, spec, kind: Kind::of::<T>, normalize: normalize::<T> }
    }

    /// Returns the help text, one line.
    pub fn help(&self) -> &'static str {
        self.help.trim()
    }

    /// Describes the values that it accepts, including a word that stands for a computed value.
    pub fn kind(&self) -> Kind {
        let mut kind = (self.kind)();
        if let Some((word, _)) = self.spec.word {
            kind.text = match kind.text.rsplit_once(" or ") {
                Some((first, last)) => format!("{first}, \"{word}\" or {last}"),
                None => format!("{} or \"{word}\"", kind.text),
            };
            kind.words.push(word.to_owned());
        }
        kind
    }

    /// Describes a valid value: type and range.
    pub fn expected(&self) -> String {
        format!("expected {}{}", self.kind().text, self.spec.range.suffix())
    }

    /// Converts a value to the form in which it is recorded: names replaced by what they name, paths absolute.
    ///
    /// # Errors
    /// A description of the problem, for [`SettingsError::Value`](crate::SettingsError::Value).
    pub fn normalize(&self, value: Value) -> Result<Value, String> {
        if let (Some((word, _)), Some(text)) = (self.spec.word, value.as_str())
            && word == text
        {
            return Ok(value);
        }
        if !self.spec.range.holds(&value) {
            let expected = self.expected();
            return Err(if has_infinite(&value) {
                expected.replacen("a number", "a finite number", 1)
            } else {
                expected
            });
        }
        // serde's own messages name Rust types; those of a type's own `Deserialize` say what is wrong.
        let of_serde =
            |reason: &str| ["invalid ", "unknown ", "expected "].iter().any(|start| reason.starts_with(start));
        (self.normalize)(value).map_err(|reason| if of_serde(&reason) { self.expected() } else { reason })
    }
}

fn normalize<T: DeserializeOwned + Serialize>(value: Value) -> Result<Value, String> {
    let typed: T = value.try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
    Value::try_from(typed).map_err(|error| format!("it cannot be recorded: {error}"))
}

/// Whether a value is, or a list contains, infinity or NaN.
fn has_infinite(value: &Value) -> bool {
    match value {
        Value::Float(number) => !number.is_finite(),
        Value::Array(list) => list.iter().any(has_infinite),
        _ => false,
    }
}

/// A value computed from other settings and the run.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The rule in words or as a formula: `min(64, samples)`.
    pub text: &'static str,
    /// Computes the value; the table has all settings that are declared before.
    pub value: fn(&Table, &Facts) -> Value,
}

/// Facts of a run that rules depend on, besides other settings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Facts {
    /// Number of training samples.
    pub samples: usize,
    /// The checkpoint's own temperature, exp(−logit_scale).
    pub checkpoint_temperature: f64,
    /// The label smoothing ε that the task's recipe has for MPM-NCE.
    pub smoothing: f64,
    /// The α that the method has in this task, or by its recipe.
    pub alpha: f64,
    /// Whether the device computes faster in bfloat16 than in f32.
    pub fast_bf16: bool,
}

/// The source of a value that was not given.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the types are documented")]
pub enum Default {
    /// No value: the setting is optional.
    Unset,
    Toml(&'static str),
    Rule(Rule),
}

/// Default, range and other properties of a setting, built from the default: `Spec::toml("0.1").from_to(0.0, 1.0)`.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the types are documented")]
pub struct Spec {
    pub default: Default,
    pub range: Range,
    /// A word that stands for a computed value.
    pub word: Option<(&'static str, Rule)>,
    /// The key whose value in a higher layer displaces this one's.
    pub displaced_by: Option<&'static str>,
    /// The name of the value in help, if the setting has its own flag on the command line.
    pub flag: Option<&'static str>,
    /// Whether the setting must be given, where it has no default.
    pub required: bool,
    /// The settings of a group.
    pub group: Option<&'static [Setting]>,
}

impl Spec {
    const fn new(default: Default) -> Self {
        Self { default, range: Range::Any, word: None, displaced_by: None, flag: None, required: false, group: None }
    }

    /// Declares a setting that may be left out.
    pub const fn unset() -> Self {
        Self::new(Default::Unset)
    }

    /// Declares a setting without a default that must be given.
    pub const fn required() -> Self {
        Self { required: true, ..Self::new(Default::Unset) }
    }

    /// Declares a default, as TOML.
    pub const fn toml(value: &'static str) -> Self {
        Self::new(Default::Toml(value))
    }

    /// Declares a default that follows from the run and from settings declared before.
    pub const fn rule(text: &'static str, value: fn(&Table, &Facts) -> Value) -> Self {
        Self::new(Default::Rule(Rule { text, value }))
    }

    /// Declares a group of settings: `group.key`.
    pub const fn group<T: Declared>() -> Self {
        Self { group: Some(T::SETTINGS), ..Self::new(Default::Unset) }
    }

    /// Accepts only numbers above `low`.
    pub const fn above(self, low: f64) -> Self {
        Self { range: Range::Above(low), ..self }
    }

    /// Accepts only numbers of at least `low`.
    pub const fn at_least(self, low: f64) -> Self {
        Self { range: Range::AtLeast(low), ..self }
    }

    /// Accepts only numbers from `low` to `high`, both included.
    pub const fn from_to(self, low: f64, high: f64) -> Self {
        Self { range: Range::FromTo(low, high), ..self }
    }

    /// Accepts only numbers of at least 0 and below 1.
    pub const fn below_one(self) -> Self {
        Self { range: Range::BelowOne, ..self }
    }

    /// Adds a word that stands for a computed value, recorded as that value.
    pub const fn word(self, word: &'static str, text: &'static str, value: fn(&Table, &Facts) -> Value) -> Self {
        Self { word: Some((word, Rule { text, value })), ..self }
    }

    /// Removes a value from a lower layer if a higher one sets `key`: `epochs` and `steps` both give the length of a
    /// run.
    pub const fn displaced_by(self, key: &'static str) -> Self {
        Self { displaced_by: Some(key), ..self }
    }

    /// Gives the setting a flag on the command line; `value_name` names the value in help.
    pub const fn flag(self, value_name: &'static str) -> Self {
        Self { flag: Some(value_name), ..self }
    }
}

/// The numbers that a setting takes; each element of a list must be in the range. Words are not checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// Every number.
    Any,
    /// `(low, ∞)`
    Above(f64),
    /// `[low, ∞)`
    AtLeast(f64),
    /// `[low, high]`
    FromTo(f64, f64),
    /// `[0, 1)`
    BelowOne,
}

impl Range {
    fn holds(&self, value: &Value) -> bool {
        let number = match value {
            Value::Integer(whole) => *whole as f64,
            Value::Float(number) => *number,
            Value::Array(list) => return list.iter().all(|value| self.holds(value)),
            _ => return true,
        };
        match *self {
            Self::Any => true,
            Self::Above(low) => number.is_finite() && number > low,
            Self::AtLeast(low) => number.is_finite() && number >= low,
            Self::FromTo(low, high) => (low..=high).contains(&number),
            Self::BelowOne => (0.0..1.0).contains(&number),
        }
    }

    /// Describes the range; empty for [`Any`](Self::Any).
    pub fn text(&self) -> String {
        match self {
            Self::Any => String::new(),
            Self::Above(low) => format!("above {low}"),
            Self::AtLeast(low) => format!("at least {low}"),
            Self::FromTo(low, high) => format!("from {low} to {high}"),
            Self::BelowOne => "at least 0 and below 1".to_owned(),
        }
    }

    fn suffix(&self) -> String {
        match self.text() {
            text if text.is_empty() => text,
            text => format!(", {text}"),
        }
    }
}

/// Declares a struct of settings: its fields with their defaults, ranges and, in their doc comments, help.
///
/// Each field is `pub key: Type = Spec::…,`; see the [crate's example](crate).
#[macro_export]
macro_rules! settings {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[doc = $help:literal])+ pub $key:ident: $type:ty = $spec:expr,)*
        }
    ) => {
        #[derive(Clone, Debug, PartialEq, $crate::serde::Serialize, $crate::serde::Deserialize)]
        #[serde(crate = "radapter_settings::serde", deny_unknown_fields)]
        $(#[$meta])*
        pub struct $name {
            $($(#[doc = $help])+ pub $key: $type,)*
        }

        impl $crate::Declared for $name {
            const SETTINGS: &'static [$crate::Setting] = &[
                $($crate::Setting::new::<$type>(stringify!($key), concat!($($help),+), $spec),)*
            ];
        }
    };
}
