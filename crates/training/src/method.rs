//! What a fine-tuning method is.

use std::fmt::Debug;

use radapter_settings::{Origin, Schema, Settings, SettingsError};
use toml::Value;

use crate::config::Tune;

/// A fine-tuning method: a value with a name, in a registry.
pub trait Method: Debug + Send + Sync {
    /// Its name: the value of `method`.
    fn name(&self) -> &'static str;

    /// What it is, in a line.
    fn about(&self) -> &'static str;

    /// Where it is published.
    fn source(&self) -> &'static str;

    /// The trainer's settings that it changes, as TOML.
    fn settings(&self) -> &'static str;

    /// What it can tune; the first is its default.
    fn tunes(&self) -> &'static [Tune];

    /// Whether images are compared with a classifier, which only tasks with classes have.
    fn needs_classifier(&self) -> bool {
        false
    }

    /// Whether what was trained is scaled by α when it is merged.
    fn is_scaled(&self) -> bool {
        false
    }
}
