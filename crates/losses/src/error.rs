//! The errors of the losses.

/// Why a loss could not be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum LossError {
    /// A setting is outside the range in which the loss is defined.
    #[error("{key} = {value} is refused: it must be {expected}")]
    Setting {
        key: &'static str,
        value: f64,
        /// The values allowed, in words.
        expected: &'static str,
    },
    /// The batch has no element, so that its mean is undefined.
    #[error("a loss needs at least one example, got an empty batch")]
    EmptyBatch,
    /// Tensors or labels that belong together differ in size.
    #[error("{what}: expected {expected:?}, found {found:?}")]
    Shape {
        /// Which argument does not fit.
        what: &'static str,
        /// The size that the other arguments ask for.
        expected: Vec<usize>,
        found: Vec<usize>,
    },
    /// Image and text embeddings have different element types, which backends do not refuse by
    /// themselves and may read as each other's.
    #[error("image embeddings are {image} and text embeddings {text}: cast one of them first")]
    Dtype { image: String, text: String },
    /// A class index is not one of the columns of the logits.
    #[error("label {label} of example {index} is not below the number of classes, {classes}")]
    Label { index: usize, label: usize, classes: usize },
}
