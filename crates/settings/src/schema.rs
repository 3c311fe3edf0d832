//! The settings of several structs together: checks, layers and the values that follow.

use toml::{Table, Value};

use crate::error::{Origin, SettingsError};
use crate::given::Settings;
use crate::near::hint;
use crate::setting::{Declared, Default, Facts, Setting};

/// All settings of a program, such as those of the trainer and of a task.
#[derive(Clone, Debug, std::default::Default)]
pub struct Schema {
    entries: Vec<Entry>,
}

/// A setting under its dotted key.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the type is documented")]
pub struct Entry {
    /// The dotted key: `loss.margin`.
    pub key: String,
    pub setting: &'static Setting,
}

impl Schema {
    /// Collects the settings of a struct.
    pub fn of<T: Declared>() -> Self {
        Self::default().and::<T>()
    }

    /// Adds the settings of another struct.
    pub fn and<T: Declared>(mut self) -> Self {
        self.add("", T::SETTINGS);
        self
    }

    fn add(&mut self, prefix: &str, settings: &'static [Setting]) {
        for setting in settings {
            let key = format!("{prefix}{}", setting.key);
            match setting.spec.group {
                Some(group) => self.add(&format!("{key}."), group),
                None => self.entries.push(Entry { key, setting }),
            }
        }
    }

    /// Returns the settings, in the order of their declaration.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the setting of a dotted key.
    ///
    /// # Errors
    /// [`SettingsError::UnknownKey`], with similar keys.
    pub fn entry(&self, key: &str, origin: impl FnOnce() -> Origin) -> Result<&Entry, SettingsError> {
        self.entries.iter().find(|entry| entry.key == key).ok_or_else(|| {
            let within: Vec<&str> = self.within(key).collect();
            let hint = match within.is_empty() {
                true => hint(key, self.entries.iter().map(|entry| entry.key.as_str())),
                false => format!("; `{key}` is a group: {}", within.join(", ")),
            };
            SettingsError::UnknownKey { key: key.to_owned(), origin: origin(), hint }
        })
    }

    /// Returns the keys of a group's settings; none if `key` is no group.
    fn within(&self, key: &str) -> impl Iterator<Item = &str> {
        let keys = self.entries.iter().map(|entry| entry.key.as_str());
        keys.filter(move |known| known.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
    }

    /// Checks the values of one layer, so that an invalid one is refused even where a layer above overrides it.
    ///
    /// # Errors
    /// As [`overlay`](Self::overlay).
    pub fn check(&self, layer: &Settings) -> Result<(), SettingsError> {
        self.values(layer).map(drop)
    }

    /// Each value of a layer with its declaration, checked and in its recorded form.
    fn values<'a>(&'a self, layer: &'a Settings) -> Result<Vec<(&'a Entry, Value)>, SettingsError> {
        let mut found = Vec::new();
        for (key, value) in layer.table() {
            match value {
                Value::Table(group)
                    if self.entries.iter().all(|entry| entry.key != *key)
                        && (!group.is_empty() || self.within(key).next().is_some()) =>
                {
                    for (inner, value) in group {
                        found.push(self.value(layer, &format!("{key}.{inner}"), value)?);
                    }
                }
                value => found.push(self.value(layer, key, value)?),
            }
        }
        Ok(found)
    }

    fn value(&self, layer: &Settings, key: &str, value: &Value) -> Result<(&Entry, Value), SettingsError> {
        let entry = self.entry(key, || layer.origin(key))?;
        let refused = |expected| SettingsError::Value {
            key: key.to_owned(),
            found: value.to_string(),
            origin: layer.origin(key),
            expected,
        };
        Ok((entry, entry.setting.normalize(value.clone()).map_err(refused)?))
    }

    /// Merges layers over the defaults; later layers override earlier ones.
    ///
    /// # Errors
    /// [`SettingsError::UnknownKey`] and [`SettingsError::Value`], which name the key and where it was given.
    pub fn overlay(&self, layers: &[&Settings]) -> Result<Overlaid<'_>, SettingsError> {
        let mut table = Table::new();
        for entry in &self.entries {
            if let Default::Toml(text) = entry.setting.spec.default {
                insert(&mut table, &entry.key, declared(entry.setting, text));
            }
        }
        for layer in layers {
            let values = self.values(layer)?;
            for (entry, _) in &values {
                for lower in &self.entries {
                    if lower.setting.spec.displaced_by == Some(entry.setting.key) {
                        remove(&mut table, &lower.key);
                    }
                }
            }
            for (entry, value) in values {
                insert(&mut table, &entry.key, value);
            }
        }
        Ok(Overlaid { schema: self, table })
    }

    /// Joins two layers. A setting of the upper one displaces those of the lower one that it excludes, as in [`overlay`](Self::overlay).
    ///
    /// # Errors
    /// [`SettingsError::NotAGroup`] for a key that goes through a value.
    pub fn join(&self, mut lower: Settings, upper: Settings) -> Result<Settings, SettingsError> {
        for entry in &self.entries {
            if entry.setting.spec.displaced_by.is_some_and(|by| upper.get(by).is_some()) {
                lower.remove(&entry.key);
            }
        }
        lower.extend(upper)?;
        Ok(lower)
    }

    /// Finds the first given setting that differs from the record.
    ///
    /// Words that stand for a computed value (`ema = "auto"`) contradict nothing.
    ///
    /// # Errors
    /// As [`overlay`](Self::overlay).
    pub fn contradiction(&self, given: &Settings, recorded: &Table) -> Result<Option<Contradiction>, SettingsError> {
        for (entry, value) in self.values(given)? {
            let is_word = entry.setting.spec.word.is_some_and(|(word, _)| value.as_str() == Some(word));
            let found = get(recorded, &entry.key);
            if !is_word && found != Some(&value) {
                return Ok(Some(Contradiction {
                    key: entry.key.clone(),
                    recorded: found.map_or_else(|| "none".to_owned(), ToString::to_string),
                    given: value.to_string(),
                    origin: given.origin(&entry.key),
                }));
            }
        }
        Ok(None)
    }

    /// Adds to a record what a newer version has more settings than the one that wrote it, with their defaults. Returns the keys and
    /// values that were added.
    pub fn complete(&self, recorded: &mut Table, facts: &Facts) -> Vec<String> {
        let mut table = recorded.clone();
        for Entry { key, setting } in &self.entries {
            let is_displaced = setting.spec.displaced_by.is_some_and(|by| get(recorded, by).is_some());
            if let (Default::Toml(text), None, false) = (setting.spec.default, get(&table, key), is_displaced) {
                insert(&mut table, key, declared(setting, text));
            }
        }
        let Resolved { table } = Overlaid { schema: self, table }.resolve(facts);
        let missing = self.entries.iter().filter(|entry| get(recorded, &entry.key).is_none());
        let added = missing.filter_map(|entry| Some(format!("{} = {}", entry.key, get(&table, &entry.key)?)));
        let added = added.collect();
        *recorded = table;
        added
    }
}

/// Returns the value of a default that is declared as TOML.
fn declared(setting: &Setting, text: &str) -> Value {
    let value = toml::from_str::<Table>(&format!("value = {text}")).ok().and_then(|mut table| table.remove("value"));
    value.and_then(|value| setting.normalize(value).ok()).expect("a declared default is a value of its setting")
}

/// A setting that differs from what is recorded.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Contradiction {
    pub key: String,
    pub recorded: String,
    pub given: String,
    pub origin: Origin,
}

/// Merged layers, without the values that depend on the run.
#[derive(Clone, Debug)]
pub struct Overlaid<'a> {
    schema: &'a Schema,
    table: Table,
}

impl Overlaid<'_> {
    /// Fills in the values that follow from the run and from other settings, in the order of declaration.
    pub fn resolve(&self, facts: &Facts) -> Resolved {
        let mut table = self.table.clone();
        for entry in &self.schema.entries {
            let spec = &entry.setting.spec;
            let rule = match (get(&table, &entry.key), spec.default, spec.word) {
                (None, Default::Rule(rule), _) => Some(rule),
                (Some(value), _, Some((word, rule))) if value.as_str() == Some(word) => Some(rule),
                _ => None,
            };
            if let Some(rule) = rule {
                let value = (rule.value)(&table, facts);
                insert(&mut table, &entry.key, value);
            }
        }
        Resolved { table }
    }
}

/// Settings with every value concrete.
#[derive(Clone, Debug, std::default::Default, PartialEq)]
pub struct Resolved {
    table: Table,
}

impl Resolved {
    /// Returns the value of a dotted key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        get(&self.table, key)
    }

    /// Extracts the settings of struct `T`.
    ///
    /// # Errors
    /// [`SettingsError::Incomplete`] if a value is missing.
    pub fn part<T: Declared>(&self) -> Result<T, SettingsError> {
        part(&self.table)
    }
}

/// Extracts the struct `T` from a table that may have other keys.
///
/// # Errors
/// [`SettingsError::Incomplete`] if a value is missing or of the wrong type.
pub fn part<T: Declared>(table: &Table) -> Result<T, SettingsError> {
    let own = table.iter().filter(|(key, _)| T::SETTINGS.iter().any(|setting| setting.key == key.as_str()));
    let mut own: Table = own.map(|(key, value)| (key.clone(), value.clone())).collect();
    for setting in T::SETTINGS.iter().filter(|setting| setting.spec.group.is_some()) {
        // A group without values is an empty table.
        own.entry(setting.key).or_insert_with(|| Value::Table(Table::new()));
    }
    own.try_into().map_err(|error: toml::de::Error| SettingsError::Incomplete { reason: error.message().to_owned() })
}

/// Returns the value of a dotted key; a group is one level deep.
pub fn get<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        None => table.get(key),
        Some((group, inner)) => table.get(group)?.as_table()?.get(inner),
    }
}

fn insert(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => drop(table.insert(key.to_owned(), value)),
        Some((group, inner)) => {
            let group = table.entry(group).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(group) = group {
                group.insert(inner.to_owned(), value);
            }
        }
    }
}

fn remove(table: &mut Table, key: &str) {
    match key.split_once('.') {
        None => drop(table.remove(key)),
        Some((group, inner)) => {
            if let Some(Value::Table(group)) = table.get_mut(group) {
                group.remove(inner);
            }
        }
    }
}

/// Returns the defaults of a struct whose defaults do not depend on a run.
pub fn defaults<T: Declared>() -> T {
    let schema = Schema::of::<T>();
    let overlaid = schema.overlay(&[]).expect("without layers nothing is refused");
    overlaid.resolve(&Facts::default()).part().expect("every setting has a default")
}
