//! Why a config is invalid.

use thiserror::Error;

/// Why a config is invalid; names the key.
#[derive(Debug, Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are named for what they hold")]
pub enum ConfigError {
    /// No preset has this name.
    #[error("no preset is named `{name}`; there are: {known}. Any other size can be given as a config file")]
    UnknownPreset {
        /// The name asked for.
        name: String,
        /// The presets' names.
        known: String,
    },
    /// The text is not JSON, or not a JSON object.
    #[error("the config is not a JSON object: {message}")]
    NotJson {
        /// The parser's message.
        message: String,
    },
    /// A required key is absent.
    #[error("the config lacks the key `{key}` ({expected})")]
    MissingKey {
        /// The key's path.
        key: String,
        /// What it should hold.
        expected: String,
    },
    /// A key's value is of the wrong type or outside what makes sense.
    #[error("config key `{key}`: expected {expected}, found {found}")]
    Invalid {
        /// The key's path.
        key: String,
        /// What it should hold.
        expected: String,
        /// What it holds.
        found: String,
    },
    /// A key asks for a network that is not built here.
    #[error(
        "config key `{key}` is {found}, which is not built here (only {expected}): the weights would load into another \
         network than the one they were trained in"
    )]
    Unsupported {
        /// The key's path.
        key: String,
        /// The value that is built.
        expected: String,
        /// The value asked for.
        found: String,
    },
    /// An unknown key.
    #[error("unknown config key `{key}` (= {found}); it is not ignored, as it could change the network")]
    UnknownKey {
        /// The key's path.
        key: String,
        found: String,
    },
    /// The towers' activations differ.
    #[error(
        "the towers' activations differ: `{vision_key}` is {vision}, `{text_key}` is {text}; one is built for both"
    )]
    ActivationsDiffer {
        /// The image tower's key.
        vision_key: String,
        /// The image tower's activation.
        vision: String,
        /// The text tower's key.
        text_key: String,
        /// The text tower's activation.
        text: String,
    },
}
