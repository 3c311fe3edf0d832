//! Why there is no accuracy.

/// What has no accuracy.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AccuracyError {
    /// A score that is not a number.
    #[error("the score of class {class} is NaN: the model or its head is damaged")]
    NotANumber {
        /// The first class with such a score.
        class: usize,
    },
    /// A label that is no class.
    #[error("label {label} is not below the number of classes, {classes}")]
    Label {
        /// The label found.
        label: usize,
        /// How many classes there are.
        classes: usize,
    },
    /// A row of scores of another length than there are classes.
    #[error("expected a score for each of {expected} classes, found {found}")]
    Scores {
        /// Classes.
        expected: usize,
        /// Scores.
        found: usize,
    },
    /// Nothing was counted, so that the accuracy is 0/0.
    #[error("accuracy needs at least one labelled image, got none")]
    Empty,
}
