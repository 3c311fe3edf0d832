//! TensorBoard event files: the metrics of `metrics.jsonl` as scalars.
//!
//! Each session of a run, its start as well as every resume, writes one file,
//! `events.out.tfevents.SECONDS.radapter.NUMBER`. TensorBoard reads the files of a folder in the order of their names. A file
//! is a sequence of records as in TensorFlow's `record_writer.h`: length, its checksum, payload, its checksum. The payloads
//! are the messages of `event.proto` and `summary.proto`, reduced to the fields written here.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::Message;
use radapter_files::{Storage, SyncWrite};

use super::metrics::Line;
use crate::error::TrainError;

/// Prefix of the file names.
pub(crate) const PREFIX: &str = "events.out.tfevents.";

/// Event file of one session, open for appending.
///
/// | scalar | |
/// |---|---|
/// | `train/loss`, `train/lr`, `train/grad_norm`, `train/samples_per_second` | per step |
/// | `validation/NAME` | per metric of a validation |
pub struct EventFile {
    file: Box<dyn SyncWrite>,
    path: PathBuf,
}

impl EventFile {
    /// Creates the file of a session in the run's folder `dir`; the session starts from a state of `done` steps.
    ///
    /// Its first events make TensorBoard discard the later steps of earlier files, because those steps run again.
    ///
    /// # Errors
    /// [`TrainError::Io`] if the folder cannot be read or the file cannot be written.
    pub fn create(storage: &dyn Storage, dir: &Path, done: u64) -> Result<Self, TrainError> {
        let earlier = event_files(dir)?;
        let last = earlier.last().and_then(|path| seconds_of(path)).unwrap_or_default();
        // Names stay in order when the clock is set back.
        let seconds = since_epoch().as_secs().max(last);
        let named = |number: usize| dir.join(format!("{PREFIX}{seconds:010}.radapter.{number:04}"));
        let mut number = earlier.len() + 1;
        // Where earlier files were removed, the number may be taken.
        while named(number).exists() {
            number += 1;
        }
        let path = named(number);
        let file = storage.append(&path, 0).map_err(TrainError::io("create", &path))?;
        storage.sync_folder(dir).map_err(TrainError::io("sync", dir))?;
        let mut events = Self { file, path };
        events.write(Event { file_version: Some("brain.Event:2".to_owned()), ..Event::at(0) })?;
        // TensorBoard discards the steps from this event's own on, and only if the version above comes first.
        let session_log = Some(SessionLog { status: SessionLog::START });
        events.write(Event { session_log, ..Event::at(done + 1) })?;
        Ok(events)
    }

    /// Appends the scalars of a line in one write, so that a kill can tear the last record only; readers skip a torn one.
    ///
    /// # Errors
    /// [`TrainError::Io`] if they cannot be written.
    pub fn append(&mut self, line: &Line) -> Result<(), TrainError> {
        let (step, scalars) = match line {
            Line::Train(line) => {
                let scalars = [
                    ("train/loss", line.loss),
                    ("train/lr", line.lr),
                    ("train/grad_norm", line.grad_norm),
                    ("train/samples_per_second", line.samples_per_second),
                ];
                (line.step, scalars.map(|(tag, value)| Value::new(tag, value)).to_vec())
            }
            // A tag has one value for a step: at step 0 the base model's.
            Line::Validation(line) if line.start => return Ok(()),
            Line::Validation(line) => {
                let measures = line.values.iter().filter_map(|(name, value)| Some((name, value.as_f64()?)));
                (line.step, measures.map(|(name, value)| Value::new(format!("validation/{name}"), value)).collect())
            }
        };
        self.write(Event { summary: Some(Summary { value: scalars }), ..Event::at(step) })
    }

    /// Syncs the appended scalars to disk, as is done with `metrics.jsonl` before a state is saved.
    ///
    /// # Errors
    /// [`TrainError::Io`] if the write fails.
    pub fn sync(&mut self) -> Result<(), TrainError> {
        self.file.sync().map_err(TrainError::io("write", &self.path))
    }

    /// Removes the event files of `dir`, for a run that is discarded.
    ///
    /// # Errors
    /// [`TrainError::Io`] with the first file that cannot be removed.
    pub fn remove_all(dir: &Path) -> Result<(), TrainError> {
        event_files(dir)?
            .into_iter()
            .try_for_each(|path| fs::remove_file(&path).map_err(TrainError::io("remove", &path)))
    }

    fn write(&mut self, event: Event) -> Result<(), TrainError> {
        self.file.write_all(&record(&event.encode_to_vec())).map_err(TrainError::io("write", &self.path))
    }
}

/// Lists the event files of a folder, in TensorBoard's order.
fn event_files(dir: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(TrainError::io("list", dir))? {
        let entry = entry.map_err(TrainError::io("list", dir))?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Returns the time in an event file's name.
fn seconds_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix(PREFIX)?.split('.').next()?.parse().ok()
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Frames a payload with its length and checksums.
fn record(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(payload.len() + 16);
    record.extend(length);
    record.extend(checksum(&length).to_le_bytes());
    record.extend(payload);
    record.extend(checksum(payload).to_le_bytes());
    record
}

/// TensorFlow's masked CRC-32C: masking keeps the checksum sound for data that contains checksums.
fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// `tensorflow.Event`.
#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Unix time.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

impl Event {
    /// Creates an empty event with the current time.
    fn at(step: u64) -> Self {
        Self { wall_time: since_epoch().as_secs_f64(), step: step as i64, ..Self::default() }
    }
}

/// `tensorflow.Summary`.
#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

/// `tensorflow.Summary.Value`.
#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    /// Optional because it is in a `oneof`, so that a zero is written too.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

impl Value {
    fn new(tag: impl Into<String>, value: f64) -> Self {
        Self { tag: tag.into(), simple_value: Some(value as f32) }
    }
}

/// `tensorflow.SessionLog`.
#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

impl SessionLog {
    const START: i32 = 1;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use radapter_files::Disk;

    use super::*;
    use crate::gradients::times::StepTimes;
    use crate::run::metrics::{TrainLine, ValidationLine};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Returns the records of an event file whose checksums match.
    fn events(path: &Path) -> Vec<Event> {
        let bytes = fs::read(path).unwrap();
        let mut rest = bytes.as_slice();
        let mut events = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            let payload = &rest[12..12 + length];
            assert_eq!(&rest[..16 + length], record(payload));
            events.push(Event::decode(payload).unwrap());
            rest = &rest[16 + length..];
        }
        events
    }

    /// The expected bytes were written by the `RecordWriter` and messages of the `tensorboard` package, 2.21.0.
    #[test]
    fn records_match_tensorboards_own_writer() {
        let written = |event: Event| hex(&record(&event.encode_to_vec()));
        let at = |wall_time, step| Event { wall_time, step, ..Event::default() };
        assert_eq!(
            written(Event { file_version: Some("brain.Event:2".to_owned()), ..at(1.5, 0) }),
            "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c"
        );
        assert_eq!(
            written(Event { session_log: Some(SessionLog { status: SessionLog::START }), ..at(1.5, 8) }),
            "0f000000000000006d532b0909000000000000f83f10083a0208019571c7d1"
        );
        let value = vec![Value::new("train/loss", 0.5), Value::new("train/lr", 0.0)];
        assert_eq!(
            written(Event { summary: Some(Summary { value }), ..at(2.5, 8) }),
            "31000000000000009d8383e909000000000000044010082a240a110a0a747261696e2f6c6f7373150000003f0a0f0a08747261696e\
             2f6c721500000000f5b69f57"
        );
    }

    #[test]
    fn a_resume_starts_a_later_file_that_discards_repeated_steps() {
        let dir = tempfile::tempdir().unwrap();
        let train = |step| {
            Line::Train(TrainLine {
                step,
                epoch: 1,
                loss: 0.25,
                lr: 1e-3,
                grad_norm: 2.0,
                samples: 4,
                samples_per_second: 3.5,
                times: StepTimes::default(),
            })
        };
        let mut first = EventFile::create(&Disk, dir.path(), 0).unwrap();
        first.append(&train(1)).unwrap();
        first.append(&train(2)).unwrap();
        let values = [("top1".to_owned(), 0.75.into()), ("note".to_owned(), "none".into())].into_iter().collect();
        first
            .append(&Line::Validation(ValidationLine {
                step: 2,
                epoch: 1,
                values,
                best: true,
                start: false,
                samples: None,
                seconds: 0.5,
            }))
            .unwrap();
        let mut second = EventFile::create(&Disk, dir.path(), 1).unwrap();
        second.append(&train(2)).unwrap();
        second.sync().unwrap();

        let files = event_files(dir.path()).unwrap();
        assert_eq!(files, [first.path, second.path]);
        let scalars = |event: &Event| -> Vec<(i64, String, f32)> {
            let summary = event.summary.clone().unwrap_or_default();
            summary.value.into_iter().map(|value| (event.step, value.tag, value.simple_value.unwrap())).collect()
        };
        let step = |step| {
            let values = [("loss", 0.25), ("lr", 1e-3), ("grad_norm", 2.0), ("samples_per_second", 3.5)];
            values.map(|(name, value)| (step, format!("train/{name}"), value)).to_vec()
        };
        let found = events(&files[0]);
        assert_eq!(found[0].file_version.as_deref(), Some("brain.Event:2"));
        let told: Vec<_> = found[2..].iter().map(scalars).collect();
        assert_eq!(told, [step(1), step(2), vec![(2, "validation/top1".to_owned(), 0.75)]]);
        let found = events(&files[1]);
        assert_eq!((found[1].step, found[1].session_log.clone()), (2, Some(SessionLog { status: SessionLog::START })));
        assert_eq!(scalars(&found[2]), step(2));

        EventFile::remove_all(dir.path()).unwrap();
        assert!(event_files(dir.path()).unwrap().is_empty());
    }

    #[test]
    fn names_stay_in_order_when_the_clock_is_set_back() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(format!("{PREFIX}9999999999.radapter.0001")), "").unwrap();
        let file = EventFile::create(&Disk, dir.path(), 3).unwrap();
        assert_eq!(file.path.file_name().unwrap(), "events.out.tfevents.9999999999.radapter.0002");
    }

    #[test]
    fn an_existing_file_is_kept_where_an_earlier_one_was_removed() {
        let dir = tempfile::tempdir().unwrap();
        let taken = dir.path().join(format!("{PREFIX}9999999999.radapter.0002"));
        fs::write(&taken, "events").unwrap();
        let file = EventFile::create(&Disk, dir.path(), 3).unwrap();
        assert_eq!(file.path.file_name().unwrap(), "events.out.tfevents.9999999999.radapter.0003");
        assert_eq!(fs::read(taken).unwrap(), b"events");
    }
}
