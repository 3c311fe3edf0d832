//! The training set, as a task provides it.

use radapter_datasets::order::epoch_order;

/// What went wrong with a sample, in the task's words.
pub type DataError = Box<dyn std::error::Error + Send + Sync>;

/// One decoded, preprocessed and tokenised training sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// `[3, size, size]`, normalised.
    pub pixels: Vec<f32>,
    /// The text's token ids; empty where the objective needs no text.
    pub tokens: Vec<u32>,
    /// What positives share: a class, an image, a noun.
    pub label: i64,
}

/// All a sample may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleKey {
    /// The run's seed.
    pub seed: u64,
    /// The epoch, counted from 0.
    pub epoch: u64,
    /// The sample's index in the set.
    pub index: usize,
}

/// Indices of samples, one after the other.
pub type SampleOrder = Box<dyn Iterator<Item = Result<usize, DataError>> + Send>;

/// A task's training set.
///
/// [`load`](Self::load) is a pure function of its key, augmentation included: that is what lets a resumed run see the
/// samples that the uninterrupted one would have seen. It is called from several threads at once.
pub trait TrainData: Send + Sync {
    /// Samples in an epoch.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One sample; `None` if it cannot be read and the user asked to skip such ones. What was skipped is the task's to
    /// report.
    ///
    /// # Errors
    /// Why the sample cannot be loaded; it stops the run.
    fn load(&self, key: SampleKey) -> Result<Option<Sample>, DataError>;

    /// The indices of an epoch's samples, in the order in which they are seen: [`len`](Self::len) of them, a function of
    /// (seed, epoch) alone. A permutation of all, unless the set is read in some order of its own.
    fn order(&self, seed: u64, epoch: u64) -> SampleOrder {
        Box::new(epoch_order(self.len(), seed, epoch).into_iter().map(Ok))
    }

    /// A text that changes when the set does; a resume with another is refused.
    fn fingerprint(&self) -> String {
        format!("{} samples", self.len())
    }
}
