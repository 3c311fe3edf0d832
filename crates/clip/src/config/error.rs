//! Why a config is invalid.

use thiserror::Error;

/// Why a config is invalid; names the key.
#[derive(Debug, Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are named for what they hold")]
pub enum ConfigError {
    /// No preset has this name.
    #[error("no preset is named `{name}`; the presets are {known}. Give another size as a config file")]
    UnknownPreset { name: String, known: String },
    /// The text is not JSON, or not a JSON object.
    #[error("the config is not a JSON object: {message}")]
    NotJson { message: String },
    /// A required key is absent.
    #[error("the config lacks the key `{key}` ({expected})")]
    MissingKey { key: String, expected: String },
    /// A key's value is of the wrong type or out of range.
    #[error("config key `{key}`: expected {expected}, found {found}")]
    Invalid { key: String, expected: String, found: String },
    /// A key asks for a network that this crate does not build.
    #[error(
        "config key `{key}` is {found}, which is not supported (only {expected}): the weights would load into another \
         network than the one they were trained in"
    )]
    Unsupported { key: String, expected: String, found: String },
    #[error("unknown config key `{key}` (= {found}): it could change the network; remove it if it does not")]
    UnknownKey { key: String, found: String },
    /// The towers' activations differ.
    #[error(
        "the towers' activations differ: `{vision_key}` is {vision}, `{text_key}` is {text}; expected the same in both"
    )]
    ActivationsDiffer { vision_key: String, vision: String, text_key: String, text: String },
}
