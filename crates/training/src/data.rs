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

    /// A text that changes when the set does; a resume with another is refused.
    fn fingerprint(&self) -> String {
        format!("{} samples", self.len())
    }
}
