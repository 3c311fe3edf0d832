use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::fields::fields;
use super::near::hint;
use super::{ConfigError, LossSettings, TrainConfig};
use radapter_adapter::AdapterConfig;

/// What the user has set: a TOML file's keys, and those of `--set key=value` over them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    table: Table,
    /// Where each dotted key comes from.
    origins: BTreeMap<String, String>,
}

impl Settings {
    /// Reads a TOML file. A run's own `config.toml` is taken too: its settings start another run.
    ///
    /// # Errors
    /// [`ConfigError::File`] and [`ConfigError::Value`] for what is no TOML.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| ConfigError::File { path: path.display().to_string(), reason: e.to_string() })?;
        Self::from_toml(&text, &path.display().to_string())
    }

    /// Reads TOML; `origin` is its name in errors.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for what is no TOML.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, ConfigError> {
        let mut table: Table = toml::from_str(text)
            .map_err(|e| ConfigError::Value { origin: origin.to_owned(), reason: e.to_string() })?;
        if table.get("format").and_then(Value::as_str) == Some(crate::run::run_dir::FORMAT) {
            let mut settings = Table::new();
            for part in ["train", "task"] {
                if let Some(Value::Table(part)) = table.remove(part) {
                    settings.extend(part);
                }
            }
            table = settings;
        }
        Ok(Self::from_table(table, origin))
    }

    /// Settings that are TOML already; `origin` is their name in errors.
    pub fn from_table(table: Table, origin: &str) -> Self {
        let mut origins = BTreeMap::new();
        for_each_leaf(&table, &mut String::new(), &mut |key, _| {
            origins.insert(key.to_owned(), origin.to_owned());
        });
        Self { table, origins }
    }

    /// Applies one `key=value`; the key may be dotted. The value is TOML, or else a plain word: `lr=1e-4`,
    /// `loss.kind=info-nce`, `adapter.towers=["visual"]`.
    ///
    /// # Errors
    /// [`ConfigError::NoAssignment`] without `=`, [`ConfigError::Value`] for a key that goes through a value.
    pub fn set(&mut self, assignment: &str) -> Result<(), ConfigError> {
        let no_assignment = || ConfigError::NoAssignment { text: assignment.to_owned() };
        let (key, text) = assignment.split_once('=').ok_or_else(no_assignment)?;
        let (key, text) = (key.trim(), text.trim());
        if key.is_empty() || key.split('.').any(str::is_empty) {
            return Err(no_assignment());
        }
        let value = toml::from_str::<Table>(&format!("value = {text}"))
            .ok()
            .filter(|table| table.len() == 1)
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| Value::String(text.to_owned()));
        let mut table = &mut self.table;
        let mut parts = key.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                table.insert(part.to_owned(), value);
                break;
            }
            let inner = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
            table = inner.as_table_mut().ok_or_else(|| ConfigError::Value {
                origin: "--set".to_owned(),
                reason: format!("`{key}`: `{part}` is a value, not a group of settings"),
            })?;
        }
        self.origins.insert(key.to_owned(), "--set".to_owned());
        Ok(())
    }

    /// The settings as given.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Splits the settings between the trainer and a task, whose keys are the fields of `T`.
    ///
    /// # Errors
    /// [`ConfigError::UnknownKey`] with similar keys for one that neither has, [`ConfigError::Value`] for a value of the
    /// wrong type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<(TrainConfig, T), ConfigError> {
        let (train_keys, task_keys) = (fields::<TrainConfig>(), fields::<T>());
        self.check_keys(train_keys, task_keys)?;
        let (mut train, mut task) = (Table::new(), Table::new());
        for (key, value) in &self.table {
            let to = if train_keys.contains(&key.as_str()) { &mut train } else { &mut task };
            to.insert(key.clone(), value.clone());
        }
        Ok((self.convert(train)?, self.convert(task)?))
    }

    fn check_keys(&self, train: &[&str], task: &[&str]) -> Result<(), ConfigError> {
        let groups = [("loss", fields::<LossSettings>()), ("adapter", fields::<AdapterConfig>())];
        let nested: Vec<String> =
            groups.iter().flat_map(|(group, keys)| keys.iter().map(move |key| format!("{group}.{key}"))).collect();
        let known = || train.iter().chain(task).copied().chain(nested.iter().map(String::as_str));
        for (key, value) in &self.table {
            let group = groups.iter().find(|(group, _)| group == key);
            if let (Some((group, keys)), Value::Table(table)) = (group, value) {
                if let Some(key) = table.keys().find(|key| !keys.contains(&key.as_str())) {
                    let key = format!("{group}.{key}");
                    return Err(self.unknown(key, known()));
                }
            } else if !train.contains(&key.as_str()) && !task.contains(&key.as_str()) {
                return Err(self.unknown(key.clone(), known()));
            }
        }
        Ok(())
    }

    fn unknown<'a>(&self, key: String, known: impl Iterator<Item = &'a str>) -> ConfigError {
        let hint = hint(&key, known);
        ConfigError::UnknownKey { origin: self.origin(&key), key, hint }
    }

    /// Where a key, or one below it, was set.
    fn origin(&self, key: &str) -> String {
        let below = format!("{key}.");
        let found = self.origins.iter().find(|(name, _)| *name == key || name.starts_with(&below));
        found.map_or_else(|| "the settings".to_owned(), |(_, origin)| origin.clone())
    }

    /// One key at a time first, so that an error can name the key and its origin.
    fn convert<T: DeserializeOwned>(&self, table: Table) -> Result<T, ConfigError> {
        for (key, alone) in one_by_one(&table) {
            if let Err(error) = alone.try_into::<T>() {
                let message = error.message();
                // A task may have keys it cannot do without; that is told of the whole below.
                if message.starts_with("missing field") {
                    continue;
                }
                let reason = format!("`{key}`: {message}");
                return Err(ConfigError::Value { origin: self.origin(&key), reason });
            }
        }
        table.try_into().map_err(|error: toml::de::Error| ConfigError::Value {
            origin: "the settings".to_owned(),
            reason: error.message().to_owned(),
        })
    }
}

/// Each key with its value as a table of its own; of a group (`loss`, `adapter`) each of its keys.
fn one_by_one(table: &Table) -> Vec<(String, Table)> {
    let mut single = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(group) if !group.is_empty() => single.extend(group.iter().map(|(inner, value)| {
                let group = Table::from_iter([(inner.clone(), value.clone())]);
                (format!("{key}.{inner}"), Table::from_iter([(key.clone(), Value::Table(group))]))
            })),
            value => single.push((key.clone(), Table::from_iter([(key.clone(), value.clone())]))),
        }
    }
    single
}

/// Calls `visit` with the dotted key and value of everything that is no table.
fn for_each_leaf(table: &Table, prefix: &mut String, visit: &mut impl FnMut(&str, &Value)) {
    for (key, value) in table {
        let length = prefix.len();
        if length > 0 {
            prefix.push('.');
        }
        prefix.push_str(key);
        match value {
            Value::Table(table) => for_each_leaf(table, prefix, visit),
            value => visit(prefix, value),
        }
        prefix.truncate(length);
    }
}

/// The first of the given settings that differs from the recorded ones: its key, the recorded value and the given one.
///
/// Words that stand for a number the run has computed (`ema = "auto"`, `loss.temperature = "checkpoint"`) contradict
/// nothing.
pub fn contradiction(given: &Settings, recorded: &Table) -> Option<(String, String, String)> {
    let mut first = None;
    for_each_leaf(&given.table, &mut String::new(), &mut |key, value| {
        let found = key
            .split('.')
            .try_fold(None, |at: Option<&Value>, part| {
                match at {
                    None => recorded.get(part),
                    Some(value) => value.as_table()?.get(part),
                }
                .map(Some)
            })
            .flatten();
        let computed = matches!(value.as_str(), Some("auto" | "checkpoint"));
        let same = found.is_some_and(|found| same(found, value));
        if first.is_none() && !same && !computed {
            let recorded = found.map_or_else(|| "none".to_owned(), ToString::to_string);
            first = Some((key.to_owned(), recorded, value.to_string()));
        }
    });
    first
}

fn same(a: &Value, b: &Value) -> bool {
    let number = |value: &Value| value.as_float().or(value.as_integer().map(|whole| whole as f64));
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        },
    }
}
