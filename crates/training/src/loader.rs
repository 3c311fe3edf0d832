//! Batches ahead of the device: samples are loaded by several threads, come in order, and a bounded number of them waits.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use radapter_datasets::prefetch::{Ahead, Prefetch, PrefetchError};

use crate::data::{Sample, SampleKey, SampleOrder, TrainData};
use crate::error::TrainError;
use crate::model::Batch;

/// Batches whose samples may be loaded and wait for their step.
const AHEAD: usize = 3;

/// How samples are cut into steps: a last partial batch of an epoch is dropped unless it is the only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) samples: usize,
    pub(crate) batch_size: usize,
}

impl Cut {
    pub(crate) fn steps_per_epoch(&self) -> u64 {
        (self.samples / self.batch_size.max(1)).max(1) as u64
    }

    /// The positions, within the epoch's order, of a step's samples.
    fn positions(&self, step: u64) -> Range<usize> {
        let start = (step % self.steps_per_epoch()) as usize * self.batch_size;
        start..(start + self.batch_size).min(self.samples)
    }

    pub(crate) fn epoch(&self, step: u64) -> u64 {
        step / self.steps_per_epoch()
    }
}

/// A set that has fewer samples than it says.
#[derive(Debug, thiserror::Error)]
#[error("the training set ends behind {found} samples and was said to have {samples}")]
struct TooFew {
    found: usize,
    samples: usize,
}

/// What batches have to look like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) pixels: usize,
    pub(crate) needs_text: bool,
    pub(crate) context_length: usize,
    pub(crate) vocab_size: usize,
    pub(crate) min_batch: usize,
}

/// The batches of steps `steps`, which burn-train's loader interface wraps: its iterator goes once from where the run
/// starts to its end, over all epochs, so that loading never pauses between them.
#[derive(Clone)]
pub(crate) struct Loader {
    pub(crate) data: Arc<dyn TrainData>,
    pub(crate) cut: Cut,
    pub(crate) form: Form,
    pub(crate) seed: u64,
    pub(crate) workers: usize,
    pub(crate) steps: Range<u64>,
    /// The first error; burn's own error type is an opaque text.
    pub(crate) error: Arc<Mutex<Option<TrainError>>>,
}

impl DataLoader<Batch> for Loader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        let ahead = Ahead { threads: self.workers, jobs: AHEAD * self.cut.batch_size.min(self.cut.samples) };
        let loader = self.clone();
        let samples = Prefetch::new(self.clone().keys(), ahead, move |key| loader.load(key));
        Box::new(Batches { loader: self, samples, next: self.steps.start })
    }

    fn num_items(&self) -> usize {
        (self.steps.end - self.steps.start) as usize * self.cut.batch_size.min(self.cut.samples)
    }

    fn to_device(&self, _device: &Device) -> Arc<dyn DataLoader<Batch>> {
        // Batches are on the host until their step.
        Arc::new(self.clone())
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        let first = self.steps.start;
        let steps = (first + start as u64)..(first + end as u64).min(self.steps.end);
        Arc::new(Self { steps, ..self.clone() })
    }
}

impl Loader {
    /// The samples of all steps, in order. Behind an error there are no more.
    fn keys(self) -> impl Iterator<Item = Result<SampleKey, TrainError>> + Send + 'static {
        let Self { data, cut, seed, steps, .. } = self;
        let mut current: Option<(u64, SampleOrder)> = None;
        steps.flat_map(move |step| {
            let epoch = cut.epoch(step);
            let positions = cut.positions(step);
            let order = match current.take() {
                Some((of, order)) if of == epoch => order,
                _ => {
                    let order = data.order(seed, epoch);
                    // A resumed run begins within an epoch.
                    Box::new(order.skip(positions.start))
                }
            };
            let order = &mut current.insert((epoch, order)).1;
            let mut keys = Vec::with_capacity(positions.len());
            for position in positions {
                let index =
                    order.next().unwrap_or_else(|| Err(TooFew { found: position, samples: cut.samples }.into()));
                let failed = |source| TrainError::Order { epoch: epoch + 1, source };
                keys.push(index.map(|index| SampleKey { seed, epoch, index }).map_err(failed));
            }
            keys
        })
    }

    fn load(&self, key: Result<SampleKey, TrainError>) -> Result<Option<Sample>, TrainError> {
        let key = key?;
        let SampleKey { index, epoch, .. } = key;
        let failed = |source| TrainError::Data { index, epoch: epoch + 1, source };
        match self.data.load(key).map_err(failed)? {
            Some(sample) => self.check(index, sample).map(Some),
            None => Ok(None),
        }
    }

    /// The batch of a step, of samples that were loaded ahead.
    fn batch(&self, step: u64, samples: &mut Prefetch<Option<Sample>, TrainError>) -> Result<Batch, TrainError> {
        let count = self.cut.positions(step).len();
        let mut batch = Batch {
            step,
            pixels: Vec::with_capacity(count * self.form.pixels),
            tokens: Vec::with_capacity(count),
            labels: Vec::with_capacity(count),
        };
        for _ in 0..count {
            let sample = match samples.next() {
                Some(Ok(sample)) => sample,
                Some(Err(PrefetchError::Work(error))) => return Err(error),
                Some(Err(PrefetchError::Panicked { message })) => return Err(TrainError::LoaderPanicked { message }),
                // The keys are as many as the steps need.
                None => break,
            };
            if let Some(sample) = sample {
                batch.pixels.extend_from_slice(&sample.pixels);
                batch.tokens.push(sample.tokens);
                batch.labels.push(sample.label);
            }
        }
        let (found, needed) = (batch.labels.len(), self.form.min_batch);
        if found < needed {
            return Err(TrainError::BatchTooSmall { step: step + 1, found, needed });
        }
        Ok(batch)
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

struct Batches<'a> {
    loader: &'a Loader,
    samples: Prefetch<Option<Sample>, TrainError>,
    next: u64,
}

impl Iterator for Batches<'_> {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.loader.steps.end {
            return None;
        }
        let batch = self.loader.batch(self.next, &mut self.samples);
        self.next += 1;
        Some(batch.map_err(|error| {
            let text = DatasetError::new(std::io::Error::other(error.to_string()));
            let mut slot = self.loader.error.lock().unwrap_or_else(PoisonError::into_inner);
            slot.get_or_insert(error);
            text
        }))
    }
}

impl DataLoaderIterator<Batch> for Batches<'_> {
    fn progress(&self) -> Progress {
        Progress {
            items_processed: self.next as usize,
            items_total: self.loader.steps.end as usize,
            unit: Some("steps".to_owned()),
        }
    }
}
