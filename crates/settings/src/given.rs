//! Settings as given: the keys of a TOML file, overridden by those of `key=value`.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use crate::error::{Origin, SettingsError};

/// One layer of settings: values by key, and where each was given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    table: Table,
    /// By dotted key.
    origins: BTreeMap<String, Origin>,
}

/// Maximum number of parts of a key of `--set`; settings have two. Tables nested a hundred thousand deep would overflow the stack.
const DEEPEST: usize = 16;

/// The section of a run's record that holds its settings.
const SECTION: &str = "settings";

impl Settings {
    /// Reads a TOML file. A run's `config.toml` is accepted too: its section `[settings]` starts another run, of the model that the
    /// record calls `base`.
    ///
    /// # Errors
    /// [`SettingsError::File`] if it cannot be read, [`SettingsError::Syntax`] if it is not TOML.
    pub fn from_file(path: &Path) -> Result<Self, SettingsError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| SettingsError::File { path: path.to_owned(), error })?;
        let syntax = |error: toml::de::Error| SettingsError::Syntax {
            origin: path.display().to_string(),
            reason: error.to_string(),
        };
        let mut table: Table = toml::from_str(&text).map_err(syntax)?;
        let mut origins = BTreeMap::new();
        let spanned = DeTable::parse(&text).map_err(syntax)?;
        let line_at = |offset: usize| text[..offset].matches('\n').count() + 1;
        each_value(spanned.get_ref(), "", &mut |key, offset| {
            origins.insert(key.to_owned(), Origin::File { path: path.to_owned(), line: line_at(offset) });
        });
        if let (Some(Value::Table(section)), true) = (table.get(SECTION), table.contains_key("format")) {
            let base = table.get("base").cloned();
            table = section.clone();
            table.extend(base.map(|base| ("model".to_owned(), base)));
            let within = format!("{SECTION}.");
            origins = origins
                .into_iter()
                .filter_map(|(key, origin)| Some((key.strip_prefix(&within)?.to_owned(), origin)))
                .collect();
        }
        Ok(Self { table, origins })
    }

    /// Parses TOML; errors call it `name`.
    ///
    /// # Errors
    /// [`SettingsError::Syntax`] if `text` is not TOML.
    pub fn from_toml(text: &str, name: &str) -> Result<Self, SettingsError> {
        let table = toml::from_str(text)
            .map_err(|error| SettingsError::Syntax { origin: name.to_owned(), reason: error.to_string() })?;
        Ok(Self::from_table(table, name))
    }

    /// Creates settings from a table; errors call it `name`.
    pub fn from_table(table: Table, name: &str) -> Self {
        let mut origins = BTreeMap::new();
        for (key, value) in &table {
            let mut note = |key: String| origins.insert(key, Origin::Named(name.to_owned()));
            match value {
                Value::Table(group) => group.keys().for_each(|inner| drop(note(format!("{key}.{inner}")))),
                _ => drop(note(key.clone())),
            }
        }
        Self { table, origins }
    }

    /// Applies one `key=value` of `--set`; the key may be dotted. The value is TOML, or else a plain word: `lr=1e-4`,
    /// `loss.kind=info-nce`, `adapter.layers=[0, 1]`.
    ///
    /// # Errors
    /// [`SettingsError::NoAssignment`] without `=`, [`SettingsError::NotAGroup`] for a key that goes through a value.
    pub fn assign(&mut self, assignment: &str) -> Result<(), SettingsError> {
        let no_assignment = || SettingsError::NoAssignment { text: assignment.to_owned() };
        let (key, text) = assignment.split_once('=').ok_or_else(no_assignment)?;
        let (key, text) = (key.trim(), text.trim());
        let parts = key.split('.');
        if key.is_empty() || parts.clone().any(str::is_empty) || parts.count() > DEEPEST {
            return Err(no_assignment());
        }
        let value = toml::from_str::<Table>(&format!("value = {text}"))
            .ok()
            .filter(|table| table.len() == 1)
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| Value::String(text.to_owned()));
        self.put(key, value, "--set")
    }

    /// Sets a key, which may be dotted, to a value.
    ///
    /// # Errors
    /// [`SettingsError::NotAGroup`] for a key that goes through a value.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) -> Result<(), SettingsError> {
        self.put(key, value.into(), "the settings")
    }

    /// As [`set`](Self::set); `origin` is where errors say the value was given.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn put(&mut self, key: &str, value: Value, origin: &str) -> Result<(), SettingsError> {
        // `loss = { margin = 0.1 }` sets one setting of the group and leaves the others.
        if let Value::Table(group) = value {
            return group.into_iter().try_for_each(|(inner, value)| self.put(&format!("{key}.{inner}"), value, origin));
        }
        let mut table = &mut self.table;
        let mut parts = key.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                table.insert(part.to_owned(), value);
                break;
            }
            let inner = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
            table = inner
                .as_table_mut()
                .ok_or_else(|| SettingsError::NotAGroup { key: key.to_owned(), part: part.to_owned() })?;
        }
        self.origins.insert(key.to_owned(), Origin::Named(origin.to_owned()));
        Ok(())
    }

    /// Adds the settings of a layer above, which override.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn extend(&mut self, above: Self) -> Result<(), SettingsError> {
        let Self { table, origins } = above;
        for (key, value) in table {
            self.put(&key, value, "")?;
        }
        self.origins.extend(origins);
        Ok(())
    }

    /// Returns the value of a top-level key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.table.get(key)
    }

    /// Removes a top-level key and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.table.remove(key)
    }

    /// Returns the dotted keys of the given values, in the order of the table.
    pub fn keys(&self) -> Vec<String> {
        let of = |(key, value): (&String, &Value)| match value {
            Value::Table(group) => group.keys().map(|inner| format!("{key}.{inner}")).collect(),
            _ => vec![key.clone()],
        };
        self.table.iter().flat_map(of).collect()
    }

    /// Returns the given values; a group is a table within.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Returns the origin of a key, or of one within it.
    pub fn origin(&self, key: &str) -> Origin {
        let within = format!("{key}.");
        let found = self.origins.iter().find(|(name, _)| *name == key || name.starts_with(&within));
        found.map_or_else(|| Origin::Named("the settings".to_owned()), |(_, origin)| origin.clone())
    }
}

/// Calls `visit` with the dotted key and the byte offset of everything that is not a table.
fn each_value(table: &DeTable<'_>, prefix: &str, visit: &mut impl FnMut(&str, usize)) {
    for (key, value) in table {
        let name: &Spanned<_> = key;
        let dotted = match prefix {
            "" => name.get_ref().to_string(),
            prefix => format!("{prefix}.{}", name.get_ref()),
        };
        match value.get_ref() {
            DeValue::Table(table) => each_value(table, &dotted, visit),
            _ => visit(&dotted, name.span().start),
        }
    }
}
