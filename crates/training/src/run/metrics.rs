//! `metrics.jsonl`: exactly one line for each step and each validation, however often the run was interrupted.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use radapter_files::{Storage, SyncWrite, folder_of};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::gradients::times::StepTimes;

/// Line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Line {
    /// Record of a step.
    Train(TrainLine),
    /// Record of a validation.
    Validation(ValidationLine),
}

/// Record of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct TrainLine {
    /// Counted from 1.
    pub step: u64,
    /// Counted from 1.
    pub epoch: u64,
    /// Loss, before the update.
    pub loss: f64,
    pub lr: f64,
    /// Global norm of the gradient, before clipping.
    pub grad_norm: f64,
    /// Batch size of this step.
    pub samples: usize,
    /// Throughput of this step.
    pub samples_per_second: f64,
    /// Time spent in each part.
    #[serde(default)]
    pub times: StepTimes,
}

/// Record of a validation. That of step 0 is the base model's, measured before the first step and never the best; a run that starts
/// from another has a second one of step 0, of the weights that it starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationLine {
    /// Steps done.
    pub step: u64,
    /// Epoch of the last step, counted from 1; 0 for the base model.
    pub epoch: u64,
    /// The task's metrics.
    pub values: serde_json::Map<String, serde_json::Value>,
    /// Whether this is the best so far.
    pub best: bool,
    /// Whether this measures the weights of another run that the run starts from.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub start: bool,
    /// Number of samples that the metric of the setting `best` is a mean over, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// Time that the validation took.
    pub seconds: f64,
}

impl Line {
    fn step(&self) -> u64 {
        match self {
            Self::Train(line) => line.step,
            Self::Validation(line) => line.step,
        }
    }

    fn loss(&self) -> Option<f64> {
        match self {
            Self::Train(line) => Some(line.loss),
            Self::Validation(_) => None,
        }
    }

    /// Returns the validation before the first step: of a base model, or of the weights that a run starts from.
    fn first(&self) -> Option<(bool, Vec<(String, f64)>)> {
        match self {
            Self::Validation(line) if line.step == 0 => {
                let value = |(name, value): (&String, &serde_json::Value)| Some((name.clone(), value.as_f64()?));
                Some((line.start, line.values.iter().filter_map(value).collect()))
            }
            _ => None,
        }
    }
}

/// The file, open for appending.
pub(crate) struct Metrics {
    file: Box<dyn SyncWrite>,
    path: PathBuf,
    /// Loss of the last recorded step.
    last_loss: Option<f64>,
    first: First,
}

/// Metrics before the first step; empty where they are not recorded.
#[derive(Clone, Debug, Default)]
pub(crate) struct First {
    /// Of the base model.
    pub(crate) base: Vec<(String, f64)>,
    /// Of the weights that the run starts from, if those of another run.
    pub(crate) start: Vec<(String, f64)>,
}

impl First {
    fn note(&mut self, line: &Line) {
        match line.first() {
            Some((false, values)) => self.base = values,
            Some((true, values)) => self.start = values,
            None => {}
        }
    }
}

/// Content of the file up to a step.
#[derive(Default)]
struct Done {
    /// Length of their lines.
    keep: u64,
    last_loss: Option<f64>,
    first: First,
}

impl Metrics {
    /// Opens the file and removes the lines beyond step `done`, whose steps will run again, and a torn last line.
    pub(crate) fn open(storage: &dyn Storage, path: &Path, done: u64) -> Result<Self, TrainError> {
        let Done { keep, last_loss, first } = match File::open(path) {
            Ok(file) => Self::done(&file, done).map_err(TrainError::io("read", path))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Done::default(),
            Err(error) => return Err(TrainError::io("open", path)(error)),
        };
        let file = storage.append(path, keep).map_err(TrainError::io("open", path))?;
        // The name of a new file.
        storage.sync_folder(folder_of(path)).map_err(TrainError::io("sync", path))?;
        Ok(Self { file, path: path.to_owned(), last_loss, first })
    }

    /// Reads the lines up to step `done`.
    fn done(file: &File, done: u64) -> std::io::Result<Done> {
        let mut found = Done::default();
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line)?;
            let whole = line.last() == Some(&b'\n');
            match serde_json::from_slice::<Line>(&line) {
                Ok(parsed) if whole && parsed.step() <= done => {
                    found.keep += length as u64;
                    found.last_loss = parsed.loss().or(found.last_loss);
                    found.first.note(&parsed);
                }
                _ => return Ok(found),
            }
        }
    }

    /// Appends a line in one write, so that a kill can tear the last line only.
    pub(crate) fn append(&mut self, line: &Line) -> Result<(), TrainError> {
        let mut text = serde_json::to_vec(line).map_err(|e| self.fail()(e.into()))?;
        text.push(b'\n');
        self.last_loss = line.loss().or(self.last_loss);
        self.first.note(line);
        self.file.write_all(&text).map_err(self.fail())
    }

    /// Returns the metrics before the first step.
    pub(crate) fn first(&self) -> &First {
        &self.first
    }

    pub(crate) fn last_loss(&self) -> Option<f64> {
        self.last_loss
    }

    /// Syncs the lines to disk. Called before a state is saved, so that none of its steps can be missing here.
    pub(crate) fn sync(&mut self) -> Result<(), TrainError> {
        self.file.sync().map_err(self.fail())
    }

    fn fail(&self) -> impl FnOnce(std::io::Error) -> TrainError + use<> {
        TrainError::io("write", self.path.clone())
    }
}

/// Reads all lines of a run's `metrics.jsonl`, except a torn last one.
///
/// # Errors
/// [`TrainError::Io`] or [`TrainError::Unreadable`] for any other line.
pub fn read_metrics(path: &Path) -> Result<Vec<Line>, TrainError> {
    let text = std::fs::read_to_string(path).map_err(TrainError::io("read", path))?;
    let count = text.lines().count();
    let mut lines = Vec::with_capacity(count);
    for (index, line) in text.lines().enumerate() {
        match serde_json::from_str(line) {
            Ok(line) => lines.push(line),
            Err(_) if index + 1 == count && !text.ends_with('\n') => {}
            Err(error) => {
                let reason = format!("line {}: {error}", index + 1);
                return Err(TrainError::Unreadable { path: path.to_owned(), reason });
            }
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use radapter_files::Disk;

    use super::*;

    fn train(step: u64) -> Line {
        Line::Train(TrainLine {
            step,
            epoch: 1,
            loss: 0.1,
            lr: 1e-3,
            grad_norm: 2.0,
            samples: 4,
            samples_per_second: 3.5,
            times: StepTimes::default(),
        })
    }

    #[test]
    fn opening_drops_later_steps_and_a_torn_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let mut metrics = Metrics::open(&Disk, &path, 0).unwrap();
        let validation = Line::Validation(ValidationLine {
            step: 2,
            epoch: 1,
            values: serde_json::Map::new(),
            best: true,
            start: false,
            samples: None,
            seconds: 0.5,
        });
        for line in [train(1), train(2), validation.clone(), train(3), train(4)] {
            metrics.append(&line).unwrap();
        }
        drop(metrics);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        assert_eq!(read_metrics(&path).unwrap().len(), 4, "the torn line is dropped");

        let mut metrics = Metrics::open(&Disk, &path, 2).unwrap();
        metrics.append(&train(3)).unwrap();
        metrics.sync().unwrap();
        assert_eq!(read_metrics(&path).unwrap(), [train(1), train(2), validation, train(3)]);
    }
}
