//! Errors of accuracy computations.

/// Why an accuracy could not be computed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum AccuracyError {
    #[error("the score of class {class} is NaN: the model or its head is damaged")]
    NotANumber { class: usize },
    /// A label is out of range.
    #[error("label {label} is not below the number of classes, {classes}")]
    Label { label: usize, classes: usize },
    /// The number of scores differs from the number of classes.
    #[error("expected a score for each of {expected} classes, found {found}")]
    Scores { expected: usize, found: usize },
    /// Two models were measured on different numbers of images.
    #[error("a paired difference needs the same images for both models, found {first} and {second}")]
    Paired { first: usize, second: usize },
    /// Nothing was counted, so that the accuracy would be 0/0.
    #[error("accuracy needs at least one labelled image, found none")]
    Empty,
}
