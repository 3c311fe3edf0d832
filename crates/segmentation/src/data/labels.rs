//! Labels of regions: names and the texts that stand for them.

use serde::{Deserialize, Serialize};

use crate::class_list::{ClassList, Synonyms};

/// What segments are labelled with: classes, or nouns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    names: Vec<String>,
    texts: Vec<Vec<String>>,
}

impl Labels {
    /// Names, each its own text.
    pub fn of_names(names: Vec<String>) -> Self {
        Self { texts: names.iter().map(|name| vec![name.clone()]).collect(), names }
    }

    /// The classes of a list, with their synonyms.
    pub fn of_classes(classes: &ClassList, synonyms: Synonyms) -> Self {
        Self { names: classes.names(), texts: classes.texts(synonyms) }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// What reports call them.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What goes into templates, for each.
    pub fn texts(&self) -> &[Vec<String>] {
        &self.texts
    }
}
