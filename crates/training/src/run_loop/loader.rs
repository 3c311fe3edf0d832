//! Background loading: several threads load samples, which arrive in order, and a bounded number of samples waits.

use std::ops::Range;
use std::sync::Arc;

use radapter_clip::model::Adapter;
use radapter_datasets::prefetch::{Ahead, Prefetch, PrefetchError};

use crate::data::{Sample, SampleKey, SampleOrder, TrainData};
use crate::error::TrainError;
use crate::gradients::batch::Batch;
use crate::model::TrainModel;
use crate::objective::Objective;

/// Batches that are loaded ahead of their step.
const AHEAD: usize = 3;

/// Division of an epoch into steps: the last partial batch is dropped unless it is the only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batching {
    pub(crate) samples: usize,
    pub(crate) batch_size: usize,
}

impl Batching {
    pub(crate) fn steps_per_epoch(&self) -> u64 {
        (self.samples / self.batch_size.max(1)).max(1) as u64
    }

    /// Returns the positions, within the epoch's order, of a step's samples.
    fn positions(&self, step: u64) -> Range<usize> {
        let start = (step % self.steps_per_epoch()) as usize * self.batch_size;
        start..(start + self.batch_size).min(self.samples)
    }

    pub(crate) fn epoch(&self, step: u64) -> u64 {
        step / self.steps_per_epoch()
    }
}

/// A set yields fewer samples than its length.
#[derive(Debug, thiserror::Error)]
#[error("the training set ends after {found} samples, expected {samples}")]
struct TooFew {
    found: usize,
    samples: usize,
}

/// Required shapes and ranges of samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) pixels: usize,
    pub(crate) needs_text: bool,
    pub(crate) context_length: usize,
    pub(crate) vocab_size: usize,
    pub(crate) min_batch: usize,
    pub(crate) compares_classes: bool,
}

impl Form {
    pub(crate) fn of<A: Adapter>(model: &TrainModel<A>, objective: &dyn Objective) -> Self {
        let (vision, text) = (&model.clip.config.vision, &model.clip.config.text);
        Self {
            pixels: 3 * vision.image_size * vision.image_size,
            needs_text: objective.needs_text(),
            context_length: text.context_length,
            vocab_size: text.vocab_size,
            min_batch: objective.min_batch(),
            compares_classes: objective.compares_classes(),
        }
    }
}

/// Source of samples, and the checks on them.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) data: Arc<dyn TrainData>,
    pub(crate) batching: Batching,
    pub(crate) form: Form,
    pub(crate) seed: u64,
}

/// Batches of a run, from its first step to its last across epochs, so that loading never pauses between them.
pub(crate) struct Loader {
    source: Source,
    samples: Prefetch<Option<Sample>, TrainError>,
    /// Next step, counted from 0.
    step: u64,
}

impl Loader {
    /// Starts to load the samples of `steps` on `workers` threads.
    pub(crate) fn start(source: Source, workers: usize, steps: Range<u64>) -> Self {
        let Batching { samples, batch_size } = source.batching;
        let ahead = Ahead { threads: workers, jobs: AHEAD * batch_size.min(samples) };
        let step = steps.start;
        let keys = source.clone().keys(steps);
        let loading = source.clone();
        Self { source, samples: Prefetch::new(keys, ahead, move |key| loading.load(key)), step }
    }

    /// Returns the batch of the next step, which must be among the steps that the loader was started for.
    pub(crate) fn next_batch(&mut self) -> Result<Batch, TrainError> {
        let Form { pixels, min_batch, .. } = self.source.form;
        let count = self.source.batching.positions(self.step).len();
        let mut batch = Batch {
            step: self.step,
            pixels: Vec::with_capacity(count * pixels),
            views: 0,
            tokens: Vec::with_capacity(count),
            labels: Vec::with_capacity(count),
        };
        for loaded in self.samples.by_ref().take(count) {
            let sample = loaded.map_err(|error| match error {
                PrefetchError::Work(error) => error,
                PrefetchError::Panicked { message } => TrainError::LoaderPanicked { message },
            })?;
            if let Some(sample) = sample {
                batch.pixels.extend_from_slice(&sample.pixels);
                batch.tokens.push(sample.tokens);
                batch.labels.push(sample.label);
            }
        }
        if self.source.form.compares_classes {
            // Checked before the run starts.
            batch.tokens = self.source.data.class_texts().unwrap_or_default();
        }
        self.step += 1;
        if batch.len() < min_batch {
            return Err(TrainError::BatchTooSmall { step: self.step, found: batch.len(), needed: min_batch });
        }
        Ok(batch)
    }
}

impl Source {
    /// Returns the samples of all steps, in order.
    fn keys(self, steps: Range<u64>) -> impl Iterator<Item = Result<SampleKey, TrainError>> + Send + 'static {
        let Self { data, batching, seed, .. } = self;
        let mut current: Option<(u64, SampleOrder)> = None;
        steps.flat_map(move |step| {
            let epoch = batching.epoch(step);
            let positions = batching.positions(step);
            let order = match current.take() {
                Some((of, order)) if of == epoch => order,
                _ => {
                    let order = data.order(seed, epoch);
                    // A resumed run may start within an epoch.
                    Box::new(order.skip(positions.start))
                }
            };
            let order = &mut current.insert((epoch, order)).1;
            let mut keys = Vec::with_capacity(positions.len());
            for position in positions {
                let index =
                    order.next().unwrap_or_else(|| Err(TooFew { found: position, samples: batching.samples }.into()));
                let failed = |error| TrainError::Order { epoch: epoch + 1, error };
                keys.push(index.map(|index| SampleKey { seed, epoch, index }).map_err(failed));
            }
            keys
        })
    }

    fn load(&self, key: Result<SampleKey, TrainError>) -> Result<Option<Sample>, TrainError> {
        let key = key?;
        let SampleKey { index, epoch, .. } = key;
        let failed = |error| TrainError::Data { index, epoch: epoch + 1, error };
        match self.data.load(key).map_err(failed)? {
            Some(sample) => self.check(index, sample).map(Some),
            None => Ok(None),
        }
    }

    fn check(&self, index: usize, sample: Sample) -> Result<Sample, TrainError> {
        let wrong =
            |what, expected: String, found: String| Err(TrainError::SampleShape { index, what, expected, found });
        let (pixels, tokens) = (sample.pixels.len(), sample.tokens.len());
        if pixels != self.form.pixels {
            return wrong("pixel values", self.form.pixels.to_string(), pixels.to_string());
        }
        if !self.form.needs_text {
            return Ok(sample);
        }
        if tokens == 0 || tokens > self.form.context_length {
            return wrong("tokens", format!("1 to {}", self.form.context_length), tokens.to_string());
        }
        match sample.tokens.iter().find(|&&id| id as usize >= self.form.vocab_size) {
            Some(id) => wrong("token id", format!("below {}", self.form.vocab_size), id.to_string()),
            None => Ok(sample),
        }
    }
}
