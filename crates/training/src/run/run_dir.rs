//! The folder of a run: files, record and lock.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use radapter_clip::config::ClipConfig;
use radapter_clip::model::Unit;
use radapter_files::{Storage, create_dir, replace};
use radapter_settings::schema::{get, part};
use radapter_settings::{Facts, Schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::choice::Choice;
use crate::config::TrainSettings;
use crate::error::TrainError;
use crate::run::report::Report;
use crate::run::tensorboard;
use crate::state::saved as state;

pub(crate) const FORMAT: &str = "radapter-run-v1";

/// Folder of a run.
///
/// | | |
/// |---|---|
/// | `config.toml` | [`RunRecord`]: all settings as resolved, the base model, the architecture |
/// | `metrics.jsonl` | a line per step and per validation, the first for the base model |
/// | `state/` | the last two saved states |
/// | `adapters.safetensors`, `adapters-ema.safetensors` | trained adapters, and their average; `weights…` without adapters |
/// | `head.safetensors`, `head-ema.safetensors` | the classifier, if it is trained |
/// | `start-adapters.safetensors`, … | the weights that the run started from, if those of another run |
/// | `best/` | the files that evaluation uses, as of the best validation |
/// | `report.json` | [`Report`], once the run is finished |
/// | `alpha.json` | [`Choice`]: α by a rule, with `alpha = "auto"` or by `sweep --select … --save` |
/// | `suite.json` | the results of `train --suite`, which the command writes |
/// | `events.out.tfevents.*` | the metrics for TensorBoard, with `log.tensorboard = true` |
/// | `lock` | held by the training process |
///
/// If the run averages, evaluation uses the files with `-ema`;
/// [`RunFiles::evaluated`](super::tuned::RunFiles::evaluated) returns their paths.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

/// `config.toml`: everything that determines the run.
///
/// `--config` reads its section `[settings]`, so that a run's file can start another run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct RunRecord {
    /// Version of this file's format.
    pub format: String,
    pub task: String,
    /// Name that the base model was opened by; it reopens the model for resuming and evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Hash of the base model's tensors.
    pub base_hash: String,
    /// The run whose weights this one started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The runs whose mean this is, for a folder that `radapter soup` wrote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub soup: Vec<String>,
    /// Number of training samples.
    pub samples: usize,
    /// The training set's fingerprint.
    pub data: String,
    /// What computes the products of a run in bf16 on the CPU, from the first step on; `None` for any other run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// Resumptions on another unit, in order: from then on the run is not bit-equal to one on a single unit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_arithmetic: Vec<OtherArithmetic>,
    /// The trainer's and the task's settings, fully resolved.
    pub settings: Table,
    pub architecture: ClipConfig,
}

/// A resumption of a run on another unit than before, which `--allow-other-arithmetic` allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherArithmetic {
    /// Step that the run was resumed from.
    pub step: u64,
    /// The unit from then on; `None` on another device than the CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
}

impl RunRecord {
    /// Describes what computed a run of bf16 on the CPU, and from which step on; `None` for any other run.
    pub fn units(&self) -> Option<String> {
        let mut text = self.unit?.to_string();
        for OtherArithmetic { step, unit } in &self.other_arithmetic {
            let unit = unit.map_or_else(|| "another device".to_owned(), |unit| unit.to_string());
            text.push_str(&format!("; {unit} from step {step}"));
        }
        Some(text)
    }

    /// Returns the unit that computed the steps up to this one; `None` for another device than the CPU.
    pub fn unit_at(&self, step: u64) -> Option<Unit> {
        let before = self.other_arithmetic.iter().rfind(|change| change.step < step);
        before.map_or(self.unit, |change| change.unit)
    }

    /// Checks that a session from this step on computes as the one before did, unless it may differ; returns whether it differs. A run
    /// whose record names no unit is of f32, of another device than the CPU, or of an earlier version.
    pub(crate) fn check_unit(&self, now: &Self, step: u64, may_differ: bool) -> Result<bool, TrainError> {
        if self.unit.is_none() && self.other_arithmetic.is_empty() {
            return Ok(false);
        }
        let (run, found) = (self.unit_at(step), now.unit);
        match (run == found, may_differ) {
            (true, _) => Ok(false),
            (false, true) => Ok(true),
            (false, false) => Err(TrainError::OtherArithmetic { run, found }),
        }
    }

    /// Returns the trainer's settings.
    ///
    /// # Errors
    /// [`TrainError::Settings`] for a value that is missing or of the wrong type.
    pub fn train(&self) -> Result<TrainSettings, TrainError> {
        Ok(part(&self.completed(&Schema::of::<TrainSettings>()).0)?)
    }

    /// Returns the settings, and those that were added to them because an earlier version without them wrote the record: they have
    /// their defaults, by which a run is as it was without them.
    pub fn completed(&self, schema: &Schema) -> (Table, Vec<String>) {
        let mut settings = self.settings.clone();
        let added = schema.complete(&mut settings, &Facts { samples: self.samples, ..Facts::default() });
        (settings, added)
    }

    /// Checks that a setup has the training data of this run.
    pub(crate) fn check_data(&self, now: &Self) -> Result<(), TrainError> {
        let differ = |key: &str, run: String, given: String| match run == given {
            true => Ok(()),
            false => Err(TrainError::Contradiction { key: key.to_owned(), run, given }),
        };
        differ("training set", self.data.clone(), now.data.clone())?;
        differ("training samples", self.samples.to_string(), now.samples.to_string())
    }

    /// Checks that a setup describes this run. What the run does not record contradicts nothing.
    pub(crate) fn check_same(&self, now: &Self) -> Result<(), TrainError> {
        let differ = |key: &str, run: String, given: String| match run == given {
            true => Ok(()),
            false => Err(TrainError::Contradiction { key: key.to_owned(), run, given }),
        };
        differ("base model", self.base_hash.clone(), now.base_hash.clone())?;
        self.check_data(now)?;
        let shown = |value: Option<&Value>| value.map_or_else(|| "none".to_owned(), ToString::to_string);
        for (key, value) in flat(&self.settings) {
            differ(&key, value.to_string(), shown(get(&now.settings, &key)))?;
        }
        differ("architecture", to_toml(&self.architecture)?, to_toml(&now.architecture)?)
    }
}

/// The values of a table under dotted keys, as [`get`] takes them.
fn flat(settings: &Table) -> Vec<(String, &Value)> {
    let values = settings.iter().flat_map(|(key, value)| match value {
        Value::Table(group) => group.iter().map(|(inner, value)| (format!("{key}.{inner}"), value)).collect(),
        value => vec![(key.clone(), value)],
    });
    values.collect()
}

fn to_toml(record: &impl Serialize) -> Result<String, TrainError> {
    toml::to_string(record).map_err(|e| TrainError::Unreadable { path: RunDir::CONFIG.into(), reason: e.to_string() })
}

impl RunDir {
    pub(crate) const CONFIG: &str = "config.toml";
    /// The results of `train --suite`.
    pub const SUITE: &str = "suite.json";
    const METRICS: &str = "metrics.jsonl";
    const STATES: &str = "state";
    const REPORT: &str = "report.json";
    const CHOICE: &str = "alpha.json";
    const BEST: &str = "best";
    const LOCK: &str = "lock";

    /// Opens a folder that holds a run.
    ///
    /// # Errors
    /// [`TrainError::NoRun`] if it does not hold one.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, TrainError> {
        let path = path.into();
        if !path.join(Self::CONFIG).is_file() {
            return Err(TrainError::NoRun { path, file: Self::CONFIG });
        }
        Ok(Self { path })
    }

    /// Creates the folder of a new run. Its `config.toml` is written last, so that a folder with one is a run.
    /// The task's `files` (names and contents) are written before it.
    pub(crate) fn create(
        storage: &dyn Storage,
        path: &Path,
        record: &RunRecord,
        files: &[(String, Vec<u8>)],
        averages: bool,
    ) -> Result<(Self, File), TrainError> {
        let run = Self { path: path.to_owned() };
        if path.join(Self::CONFIG).exists() {
            return Err(TrainError::RunExists { path: path.to_owned() });
        }
        if path.exists() {
            for entry in fs::read_dir(path).map_err(TrainError::io("list", path))? {
                let name = entry.map_err(TrainError::io("list", path))?.file_name();
                // These are left by a run that was killed before it started.
                let own = [Self::STATES, Self::LOCK, "config.toml.tmp"].iter().any(|own| name == *own)
                    || name.to_string_lossy().starts_with(tensorboard::PREFIX);
                let task = files.iter().any(|(file, _)| name == **file || name == *format!("{file}.tmp"));
                if !own && !task {
                    let found = name.display().to_string();
                    return Err(TrainError::NotEmpty { path: path.to_owned(), found });
                }
            }
        }
        let states = run.states();
        create_dir(&states)?;
        let lock = run.lock()?;
        // Another process may have been faster.
        if path.join(Self::CONFIG).exists() {
            return Err(TrainError::RunExists { path: path.to_owned() });
        }
        state::clean(&states, 0)?;
        let text = to_toml(record)?;
        let counters = state::Counters::start(averages);
        state::save(storage, &states, &state::State::start(counters))?;
        for (name, content) in files {
            replace(storage, &run.path.join(name), |writer| writer.write_all(content))?;
        }
        replace(storage, &run.path.join(Self::CONFIG), |writer| writer.write_all(text.as_bytes()))?;
        Ok((run, lock))
    }

    /// Records the units of a session that resumes at this step: what was recorded of later steps is gone, and `change` is what computes
    /// from now on, if it differs.
    pub(crate) fn record_units(
        &self,
        storage: &dyn Storage,
        step: u64,
        change: Option<OtherArithmetic>,
    ) -> Result<(), TrainError> {
        let mut record = self.record()?;
        let before = record.other_arithmetic.clone();
        record.other_arithmetic.retain(|change| change.step < step);
        record.other_arithmetic.extend(change);
        if record.other_arithmetic == before {
            return Ok(());
        }
        let text = to_toml(&record)?;
        replace(storage, &self.path.join(Self::CONFIG), |writer| writer.write_all(text.as_bytes()))?;
        if let Some(OtherArithmetic { step, unit }) = change {
            let unit = unit.map_or_else(|| "another device".to_owned(), |unit| unit.to_string());
            tracing::warn!(
                "this run is computed by another unit ({unit}) from step {step} on; {} records it",
                Self::CONFIG
            );
        }
        Ok(())
    }

    /// Prevents other processes from training this run while the file is open; the system releases the lock when a
    /// process dies.
    pub(crate) fn lock(&self) -> Result<File, TrainError> {
        let path = self.path.join(Self::LOCK);
        let file = File::create(&path).map_err(TrainError::io("create", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(TrainError::Busy { path: self.path.clone() }),
            // Some network file systems do not support locks; there the user has to take care.
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => Ok(file),
            Err(TryLockError::Error(error)) => Err(TrainError::io("lock", path)(error)),
        }
    }

    /// Undoes [`create`](Self::create), for a run that failed before its first step: the same command works
    /// once the cause is fixed. The folder itself stays.
    pub(crate) fn discard(&self, files: &[String]) {
        // The error that ended the run matters more; the next run reports what could not be removed.
        for name in [Self::CONFIG, Self::METRICS, Self::LOCK].into_iter().chain(files.iter().map(String::as_str)) {
            let _ = fs::remove_file(self.path.join(name));
        }
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(tensorboard::PREFIX) {
                let _ = fs::remove_file(entry.path());
            }
        }
        let _ = fs::remove_dir_all(self.states());
        let _ = fs::remove_dir(&self.path);
    }

    /// Returns the folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads `config.toml`.
    ///
    /// # Errors
    /// [`TrainError::Io`], or [`TrainError::Unreadable`] for a file that does not parse or has another format.
    pub fn record(&self) -> Result<RunRecord, TrainError> {
        let path = self.path.join(Self::CONFIG);
        let text = fs::read_to_string(&path).map_err(TrainError::io("read", &path))?;
        let record: RunRecord =
            toml::from_str(&text).map_err(|e| TrainError::Unreadable { path: path.clone(), reason: e.to_string() })?;
        if record.format != FORMAT {
            let reason = format!("format is `{}`, expected `{FORMAT}`", record.format);
            return Err(TrainError::Unreadable { path, reason });
        }
        Ok(record)
    }

    /// Returns the path of `metrics.jsonl`.
    pub fn metrics(&self) -> PathBuf {
        self.path.join(Self::METRICS)
    }

    /// Returns the folder of saved states.
    pub fn states(&self) -> PathBuf {
        self.path.join(Self::STATES)
    }

    /// Returns the folder of the best validation's model; it is absent without validation.
    pub fn best(&self) -> PathBuf {
        self.path.join(Self::BEST)
    }

    /// Reads `report.json`; `None` if the run is not finished.
    ///
    /// # Errors
    /// [`TrainError::Io`], or [`TrainError::Unreadable`] for a file that does not parse.
    pub fn report(&self) -> Result<Option<Report>, TrainError> {
        self.read_json(Self::REPORT)
    }

    /// Returns the content of `alpha.json`: the choice of α, if a rule made one.
    ///
    /// # Errors
    /// [`TrainError`] for a file that cannot be read.
    pub fn choice(&self) -> Result<Option<Choice>, TrainError> {
        self.read_json(Self::CHOICE)
    }

    /// Writes `alpha.json`, which every command that opens the run then follows.
    ///
    /// # Errors
    /// [`TrainError`] if the file cannot be written.
    pub fn write_choice(&self, storage: &dyn Storage, choice: &Choice) -> Result<(), TrainError> {
        self.write_json(storage, Self::CHOICE, choice)
    }

    pub(crate) fn write_report(&self, storage: &dyn Storage, report: &Report) -> Result<(), TrainError> {
        self.write_json(storage, Self::REPORT, report)
    }

    fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, TrainError> {
        let path = self.path.join(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(TrainError::io("read", path)(error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|e| TrainError::Unreadable { path, reason: e.to_string() })
    }

    fn write_json(&self, storage: &dyn Storage, name: &str, value: &impl Serialize) -> Result<(), TrainError> {
        let path = self.path.join(name);
        let text = serde_json::to_vec_pretty(value).map_err(|e| TrainError::io("write", &path)(e.into()))?;
        Ok(replace(storage, &path, |writer| writer.write_all(&text))?)
    }
}
