//! Training sets, as tasks provide them.

use radapter_datasets::order::epoch_order;

/// Error of a sample, worded by the task.
pub type DataError = Box<dyn std::error::Error + Send + Sync>;

/// One decoded, preprocessed and tokenised training sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// `[3, size, size]`, normalised.
    pub pixels: Vec<f32>,
    /// Token ids of the text; empty where the objective needs no text.
    pub tokens: Vec<u32>,
    /// Equal for positives: the index of a class, an image or a noun.
    pub label: i64,
}

/// What a sample may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleKey {
    /// The run's.
    pub seed: u64,
    /// Counted from 0.
    pub epoch: u64,
    /// In the set.
    pub index: usize,
}

/// Indices of samples, one after another.
pub type SampleOrder = Box<dyn Iterator<Item = Result<usize, DataError>> + Send>;

/// Training set of a task.
///
/// [`load`](Self::load) is a pure function of its key, augmentation included, so that a resumed run sees the
/// samples that the uninterrupted one would have seen. It is called from several threads at once.
pub trait TrainData: Send + Sync {
    /// Returns the number of samples in an epoch.
    fn len(&self) -> usize;

    /// Whether the set has no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Loads a sample; `None` if it cannot be read and the user asked to skip such samples. The task reports what was
    /// skipped.
    ///
    /// # Errors
    /// Why the sample cannot be loaded. The run stops.
    fn load(&self, key: SampleKey) -> Result<Option<Sample>, DataError>;

    /// Returns the indices of an epoch's samples in training order: [`len`](Self::len) of them, a function of
    /// (seed, epoch) alone. By default a permutation of all.
    fn order(&self, seed: u64, epoch: u64) -> SampleOrder {
        Box::new(epoch_order(self.len(), seed, epoch).into_iter().map(Ok))
    }

    /// Returns the token ids of a text for each class, in the order of the labels, for an objective that
    /// [compares](crate::Objective::compares_classes) images with them. `None` if the set has no classes.
    fn class_texts(&self) -> Option<Vec<Vec<u32>>> {
        None
    }

    /// Returns a string that identifies the set's content; a resume with a different one is refused.
    fn fingerprint(&self) -> String {
        format!("{} samples", self.len())
    }
}
