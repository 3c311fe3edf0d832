//! The classifier: a row for each class in the embedding space.

mod file;
mod zero_shot;

use burn::tensor::{Device, Tensor, TensorData};

use crate::classes::Classes;
use radapter_embedding::{EmbedError, Embeddings};

pub use file::{CLASSES_FILE, CLASSIFIER_FILE};

/// Rows whose logits are computed at a time: enough for one matrix product to be worth it, little enough for a thousand
/// classes to stay small.
const ROWS: usize = 4096;

/// A linear classifier on image embeddings, without bias: logit = image · row.
///
/// Made from texts ([`Head::zero_shot`]) its rows are unit vectors and logits are cosines; a trained one need not be
/// normalised. Logits are not divided by a temperature, which would not change their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    classes: Classes,
    templates: Vec<String>,
    weights: Embeddings,
    trained: bool,
}

/// What is no classifier.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are named for what they hold")]
pub enum HeadError {
    /// Another number of rows than of classes.
    #[error("expected a row for each of {expected} classes, found {found}")]
    Rows {
        /// Classes.
        expected: usize,
        /// Rows.
        found: usize,
    },
    /// Embeddings of another length than the classifier's rows.
    #[error("the embeddings have {found} values and the classifier's rows {expected}: they belong to different models")]
    Dim {
        /// The classifier's.
        expected: usize,
        /// The embeddings'.
        found: usize,
    },
    /// A row that holds NaN or an infinity.
    #[error("the classifier's row for class `{class}` is not finite")]
    NotFinite { class: String },
    /// The texts could not be embedded.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The classes' file.
    #[error(transparent)]
    Classes(#[from] crate::classes::ClassesError),
    /// The weights' file.
    #[error(transparent)]
    File(#[from] radapter_clip::checkpoint::CheckpointError),
    /// A file that could not be written.
    #[error(transparent)]
    Io(#[from] radapter_files::IoError),
    /// A file that holds something else.
    #[error("{path}: expected {expected}, found {found}", path = path.display())]
    Form {
        path: std::path::PathBuf,
        /// What should be there.
        expected: String,
        found: String,
    },
}

impl Head {
    /// A classifier of these rows, one for each class in class order. `templates` are what its texts were made with, for
    /// the record; none for a head that does not come from texts.
    ///
    /// # Errors
    /// [`HeadError`] for another number of rows than of classes, and for a row that is not finite.
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
        Ok(Self { classes, templates, weights, trained: false })
    }

    /// The classes, in the order of rows and logits.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// The prompt templates the rows were made with.
    pub fn templates(&self) -> &[String] {
        &self.templates
    }

    /// Whether the rows were trained, so that other texts cannot be put in their place.
    pub fn is_trained(&self) -> bool {
        self.trained
    }

    /// The rows: `[classes, embed_dim]`.
    pub fn weights(&self) -> &Embeddings {
        &self.weights
    }

    /// The same classes and templates with other rows, as training left them.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`HeadError::Dim`] for rows of another length.
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
    /// [`HeadError::Dim`] for embeddings of another length, and what `take` gives.
    pub fn for_each_logits<E: From<HeadError>>(
        &self,
        embeddings: &Embeddings,
        device: &Device,
        mut take: impl FnMut(usize, &[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.check_dim(embeddings)?;
        let dim = self.weights.dim();
        let weights = self.weights.to_tensor(device).transpose();
        let mut position = 0;
        for part in embeddings.values().chunks(ROWS * dim) {
            let shape = [part.len() / dim, dim];
            let rows = Tensor::<2>::from_data(TensorData::new(part.to_vec(), shape), device);
            let logits = Embeddings::from_tensor(rows.matmul(weights.clone()));
            for row in logits.rows() {
                take(position, row)?;
                position += 1;
            }
        }
        Ok(())
    }

    fn check_dim(&self, embeddings: &Embeddings) -> Result<(), HeadError> {
        let (expected, found) = (self.weights.dim(), embeddings.dim());
        if expected != found && !embeddings.is_empty() {
            return Err(HeadError::Dim { expected, found });
        }
        Ok(())
    }
}
