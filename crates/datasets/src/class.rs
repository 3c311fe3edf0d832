//! A class, before anything is of it.

use serde::{Deserialize, Serialize};

/// A class of a set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// What the data calls it: the folder's name, the label in a table. Classes of two sets are the same if this is.
    pub folder: String,
    /// What prompts call it.
    pub text: String,
}
