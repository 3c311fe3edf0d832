use serde::{Deserialize, Serialize};

/// Splits by name: `train,restval`, or a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Splits {
    /// One, or several with commas between.
    Text(String),
    /// Several.
    List(Vec<String>),
}

impl Splits {
    /// The names.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Text(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
            Self::List(names) => names.clone(),
        }
    }
}
