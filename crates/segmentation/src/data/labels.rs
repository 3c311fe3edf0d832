//! Labels of regions: names and texts.

use serde::{Deserialize, Serialize};

use crate::class_list::{ClassList, Synonyms};

/// Labels of segments: classes or nouns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    names: Vec<String>,
    texts: Vec<Vec<String>>,
}

impl Labels {
    /// Creates labels from names, which are also their texts.
    pub fn of_names(names: Vec<String>) -> Self {
        Self { texts: names.iter().map(|name| vec![name.clone()]).collect(), names }
    }

    /// Creates labels from a list of classes, with their synonyms.
    pub fn of_classes(classes: &ClassList, synonyms: Synonyms) -> Self {
        Self { names: classes.names(), texts: classes.texts(synonyms) }
    }

    /// Returns the number of labels.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are no labels.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns the names for reports.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the texts for templates, per label.
    pub fn texts(&self) -> &[Vec<String>] {
        &self.texts
    }
}
