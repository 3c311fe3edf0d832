//! Linear classifiers: a row per class in the embedding space.

mod file;
mod zero_shot;

use burn::tensor::Device;

use crate::calibration::Temperatures;
use crate::classes::Classes;
use radapter_embedding::{EmbedError, Embeddings};

pub use file::{CLASSES_FILE, CLASSIFIER_FILE};

/// Linear classifier on image embeddings, without bias: logit = image · row.
///
/// The rows of a zero-shot classifier ([`Head::zero_shot`]) are unit vectors, and its logits cosines; a trained one need not be
/// normalised. Logits are not divided by a temperature, which would not change their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    classes: Classes,
    templates: Vec<String>,
    weights: Embeddings,
    trained: bool,
    temperatures: Option<Temperatures>,
}

/// Why a classifier is invalid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum HeadError {
    /// The number of rows differs from the number of classes.
    #[error("expected a row for each of {expected} classes, found {found}")]
    Rows { expected: usize, found: usize },
    /// The embeddings and the classifier's rows have different lengths.
    #[error("the embeddings have {found} values and the classifier's rows {expected}: they belong to different models")]
    Dim {
        /// Length of the classifier's rows.
        expected: usize,
        /// Length of the embeddings.
        found: usize,
    },
    /// A row contains NaN or an infinity.
    #[error("the classifier's row for class `{class}` is not finite")]
    NotFinite { class: String },
    /// The texts could not be embedded.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// `classes.json` could not be read.
    #[error(transparent)]
    Classes(#[from] crate::classes::ClassesError),
    /// `classifier.safetensors` could not be read.
    #[error(transparent)]
    File(#[from] radapter_clip::checkpoint::CheckpointError),
    /// A file could not be written.
    #[error(transparent)]
    Io(#[from] radapter_files::IoError),
    /// A file has unexpected content.
    #[error("{path}: expected {expected}, found {found}", path = path.display())]
    Form { path: std::path::PathBuf, expected: String, found: String },
}

impl Head {
    /// Creates a classifier from rows, one per class in class order. `templates` records the prompt templates of its
    /// texts; empty for a head that does not come from texts.
    ///
    /// # Errors
    /// [`HeadError`] for a wrong number of rows, and for a row that is not finite.
    pub fn new(classes: Classes, templates: Vec<String>, weights: Embeddings) -> Result<Self, HeadError> {
        if weights.len() != classes.len() {
            return Err(HeadError::Rows { expected: classes.len(), found: weights.len() });
        }
        for (class, row) in classes.names().zip(weights.rows()) {
            if row.iter().any(|value| !value.is_finite()) {
                let class = class.to_owned();
                return Err(HeadError::NotFinite { class });
            }
        }
        Ok(Self { classes, templates, weights, trained: false, temperatures: None })
    }

    /// Returns the classes, in the order of rows and logits.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// Returns the prompt templates that the rows were made with.
    pub fn templates(&self) -> &[String] {
        &self.templates
    }

    /// Whether the rows were trained, so that they cannot be rebuilt from texts.
    pub fn is_trained(&self) -> bool {
        self.trained
    }

    /// Sets the softmax temperatures, at which an evaluation measures the calibration error. Files do not keep them.
    #[must_use]
    pub fn with_temperatures(self, temperatures: Temperatures) -> Self {
        Self { temperatures: Some(temperatures), ..self }
    }

    /// Returns the softmax temperatures, if they were set.
    pub fn temperatures(&self) -> Option<Temperatures> {
        self.temperatures
    }

    /// Returns the rows: `[classes, embed_dim]`.
    pub fn weights(&self) -> &Embeddings {
        &self.weights
    }

    /// Returns a classifier of the same classes and templates with other, trained rows.
    ///
    /// # Errors
    /// Those of [`new`](Self::new), and [`HeadError::Dim`] for rows of another length.
    pub fn with_weights(&self, weights: Embeddings) -> Result<Self, HeadError> {
        self.check_dim(&weights)?;
        Ok(Self { trained: true, ..Self::new(self.classes.clone(), self.templates.clone(), weights)? })
    }

    /// Computes logits on `device` and passes them to `take` row by row, with the row's position.
    ///
    /// # Shapes
    /// `[n, embed_dim]` → `n` times `[classes]`
    ///
    /// # Errors
    /// [`HeadError::Dim`] for embeddings of another length, and the errors of `take`.
    pub fn for_each_logits<E: From<HeadError>>(
        &self,
        embeddings: &Embeddings,
        device: &Device,
        take: impl FnMut(usize, &[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.check_dim(embeddings)?;
        embeddings.for_each_product(&self.weights, device, take)
    }

    fn check_dim(&self, embeddings: &Embeddings) -> Result<(), HeadError> {
        let (expected, found) = (self.weights.dim(), embeddings.dim());
        if expected != found && !embeddings.is_empty() {
            return Err(HeadError::Dim { expected, found });
        }
        Ok(())
    }
}
