//! What a loss refuses.

/// Why a loss could not be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LossError {
    /// A setting is outside the range in which the loss is defined.
    #[error("{key} = {value} is refused: it must be {expected}")]
    Setting {
        /// Name of the setting.
        key: &'static str,
        /// The value given.
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
        /// The size found.
        found: Vec<usize>,
    },
    /// Image and text embeddings have different element types, which backends do not refuse by
    /// themselves and may read as each other's.
    #[error("image embeddings are {image} and text embeddings {text}: cast one of them first")]
    Dtype {
        /// Element type of the image embeddings.
        image: String,
        /// Element type of the text embeddings.
        text: String,
    },
    /// A class index is not one of the columns of the logits.
    #[error("label {label} of example {index} is not below the number of classes, {classes}")]
    Label {
        /// Position in the batch.
        index: usize,
        /// The label found.
        label: usize,
        /// How many classes the logits have.
        classes: usize,
    },
}
