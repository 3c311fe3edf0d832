//! `settings`: every setting with its type, default, range and meaning, and the layers that change the default.

use std::collections::BTreeMap;

use anyhow::Context;
use radapter_settings::Settings;
use radapter_settings::kind::Kind;
use radapter_settings::near::hint;
use radapter_settings::schema::{Entry, get};
use radapter_settings::setting::Default;
use radapter_training::AnyTask;
use radapter_training::config::Recipe;
use serde::Serialize;
use toml::Value;

use crate::command::args::SettingsArgs;
use crate::command::failure::Usage;
use crate::command::output;
use crate::tasks::{TASKS, kind, methods, of_others, owners, recipes};

/// A setting in the listing.
#[derive(Debug, Serialize)]
struct Listed {
    key: String,
    #[serde(rename = "type")]
    kind: String,
    /// Whether it must be given.
    required: bool,
    /// Its values that are words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    words: Vec<String>,
    /// The default in TOML, or the rule it follows; `None` if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    range: String,
    help: String,
    /// The tasks that have it.
    tasks: Vec<&'static str>,
    /// Tasks, methods and recipes that have another default, with their value.
    set_by: BTreeMap<String, String>,
}

pub(super) fn run(args: &SettingsArgs) -> anyhow::Result<()> {
    let tasks: Vec<&dyn AnyTask> = match (&args.task, &args.recipe) {
        (Some(task), _) => vec![task.0],
        (None, Some(name)) => TASKS.iter().copied().filter(|task| recipe(*task, name).is_some()).collect(),
        (None, None) => TASKS.to_vec(),
    };
    if let Some(name) = &args.recipe
        && tasks.iter().all(|task| recipe(*task, name).is_none())
    {
        let of = |task: &&dyn AnyTask| format!("{}: {}", task.name(), recipes(*task).collect::<Vec<_>>().join(", "));
        let known: Vec<String> = args.task.iter().map(|task| of(&task.0)).collect();
        let known = if known.is_empty() { TASKS.iter().map(of).collect() } else { known };
        return Err(Usage(format!("--recipe {name} is not a recipe; known recipes are {}", known.join("; "))).into());
    }
    let mut listed = list(&tasks, args.recipe.as_deref())?;
    if !args.keys.is_empty() {
        let known = || listed.iter().map(|setting| setting.key.as_str());
        // `loss` stands for the whole group.
        let names =
            |key: &str, name: &str| name.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        if let Some(key) = args.keys.iter().find(|key| !known().any(|name| names(key, name))) {
            let hint = match &args.task.map(|task| (owners(key, task.0), task.0)) {
                Some((owners, task)) if !owners.is_empty() => format!("; {}", of_others(owners, *task)),
                _ => hint(key, known()),
            };
            return Err(Usage(format!("unknown setting `{key}`{hint}")).into());
        }
        listed.retain(|setting| args.keys.iter().any(|key| names(key, &setting.key)));
    }
    if args.json.json {
        return output::print_json(&listed);
    }
    match args.keys.is_empty() {
        true => output::print(&overview(&listed, tasks.len())),
        false => {
            output::print(&listed.iter().map(|setting| setting.text(tasks.len())).collect::<Vec<_>>().join("\n\n"))
        }
    }
}

fn recipe(task: &dyn AnyTask, name: &str) -> Option<&'static str> {
    let none = (name == Recipe::AUTO).then_some("");
    none.or_else(|| task.recipes().iter().find(|recipe| recipe.name == name).map(|recipe| recipe.settings))
}

fn list(tasks: &[&dyn AnyTask], chosen: Option<&str>) -> anyhow::Result<Vec<Listed>> {
    let mut listed: Vec<Listed> = Vec::new();
    for task in tasks {
        let mut layers = vec![(format!("task {}", task.name()), Settings::from_toml(task.defaults(), task.name())?)];
        for method in methods(*task) {
            layers.push((format!("method {}", method.name()), Settings::from_toml(method.settings(), method.name())?));
        }
        for recipe in task.recipes() {
            layers.push((format!("recipe {}", recipe.name), Settings::from_toml(recipe.settings, recipe.name)?));
        }
        let chosen = chosen.and_then(|name| recipe(*task, name));
        let mut base = match tasks {
            [only] => Settings::from_toml(only.defaults(), only.name())?,
            _ => Settings::default(),
        };
        base.extend(Settings::from_toml(chosen.unwrap_or_default(), "the recipe").context("the recipe")?)?;
        for entry in task.settings().entries() {
            let help = help_of(entry);
            let place = match listed.iter().position(|setting| setting.key == entry.key && setting.help == help) {
                Some(place) => place,
                None => {
                    listed.push(Listed::new(entry, &base));
                    listed.len() - 1
                }
            };
            let setting = &mut listed[place];
            setting.tasks.push(task.name());
            setting.takes(kind(*task, entry));
            for (name, layer) in &layers {
                let value = get(layer.table(), &entry.key).map(shown);
                // What repeats the default says nothing.
                if let Some(value) = value.filter(|value| setting.default.as_ref() != Some(value)) {
                    setting.set_by.insert(name.clone(), value);
                }
            }
        }
    }
    Ok(listed)
}

/// What a setting means, with the rule of the word that stands for a computed value.
fn help_of(entry: &Entry) -> String {
    let help = entry.setting.help();
    match entry.setting.spec.word {
        Some((word, rule)) => format!("{help} {word}: {}.", rule.text),
        None => help.to_owned(),
    }
}

impl Listed {
    fn new(entry: &Entry, chosen: &Settings) -> Self {
        let default = match entry.setting.spec.default {
            Default::Unset => None,
            Default::Toml(value) => Some(value.to_owned()),
            Default::Rule(rule) => Some(rule.text.to_owned()),
        };
        Self {
            key: entry.key.clone(),
            kind: String::new(),
            required: entry.setting.spec.required,
            words: Vec::new(),
            default: get(chosen.table(), &entry.key).map(shown).or(default),
            range: entry.setting.spec.range.text(),
            help: help_of(entry),
            tasks: Vec::new(),
            set_by: BTreeMap::new(),
        }
    }

    /// Adds what values it takes in one more task.
    fn takes(&mut self, kind: Kind) {
        let new: Vec<String> = kind.words.into_iter().filter(|word| !self.words.contains(word)).collect();
        let is_first = self.kind.is_empty();
        if is_first {
            self.kind = kind.text;
        }
        if !new.is_empty() {
            self.words.extend(new);
            if !is_first {
                self.kind = Kind::of_words(&self.words).text;
            }
        }
    }

    /// The lines of the setting in the overview.
    fn row(&self) -> Vec<String> {
        let default = match &self.default {
            Some(default) => default.clone(),
            None if self.required => "required".to_owned(),
            None => "-".to_owned(),
        };
        let default = if self.set_by.is_empty() { default } else { format!("{default} *") };
        let is_choice = !self.words.is_empty() && !self.kind.contains(" number") && !self.kind.contains("list");
        let values = match (self.range.is_empty(), is_choice) {
            (false, _) => std::iter::once(&self.range).chain(&self.words).cloned().collect::<Vec<_>>().join(", "),
            (true, true) if self.words.len() <= 4 => self.words.join(" "),
            (true, true) => "a name".to_owned(),
            _ => self.kind.clone(),
        };
        columns([&self.key, &default, &values, &self.help])
    }

    fn text(&self, tasks: usize) -> String {
        let Self { key, kind, default, range, help, .. } = self;
        let default = default.as_ref().map_or_else(String::new, |default| format!(" = {default}"));
        let range = if range.is_empty() { String::new() } else { format!(", {range}") };
        let mut lines = vec![format!("{key}{default}"), format!("    {help}"), format!("    {kind}{range}")];
        if self.tasks.len() < tasks {
            lines.push(format!("    only {}", self.tasks.join(", ")));
        }
        let mut others: Vec<(&str, Vec<&str>)> = Vec::new();
        for (name, value) in &self.set_by {
            let (name, value) = (name.as_str(), value.as_str());
            match others.iter_mut().find(|(other, _)| *other == value) {
                Some((_, names)) => names.push(name),
                None => others.push((value, vec![name])),
            }
        }
        lines.extend(others.iter().map(|(value, names)| format!("    {value} with {}", names.join(", "))));
        lines.join("\n")
    }
}

/// Widths of the columns of the overview: key, default, values; the meaning has the rest of a line.
const WIDTHS: [usize; 3] = [19, 13, 14];
/// Width of a line of the overview.
const LINE: usize = 100;

/// All settings in columns, under a heading for each group and each set of tasks.
fn overview(listed: &[Listed], tasks: usize) -> String {
    let heading = |setting: &Listed| {
        let group = setting.key.split_once('.').map(|(group, _)| group);
        let of = (setting.tasks.len() < tasks).then(|| setting.tasks.join(" and "));
        match (group, of) {
            (None, None) => "every training".to_owned(),
            (None, Some(tasks)) => format!("only {tasks}"),
            (Some(group), None) => format!("group {group}"),
            (Some(group), Some(tasks)) => format!("group {group}, only {tasks}"),
        }
    };
    let mut sections: Vec<(String, Vec<&Listed>)> = Vec::new();
    for setting in listed {
        let heading = heading(setting);
        match sections.iter_mut().find(|(known, _)| *known == heading) {
            Some((_, settings)) => settings.push(setting),
            None => sections.push((heading, vec![setting])),
        }
    }
    let mut lines = columns(["setting", "default", "values", "meaning"]);
    for (heading, settings) in sections {
        lines.extend([String::new(), heading]);
        lines.extend(settings.into_iter().flat_map(Listed::row));
    }
    let last = "* a task, a method or a recipe has another default: `radapter settings KEY` shows all of a setting";
    lines.extend([String::new(), last.to_owned()]);
    lines.join("\n")
}

/// The lines of one row; a cell is as wide as its column, the last as the rest of the line.
fn columns(cells: [&str; 4]) -> Vec<String> {
    let rest = LINE - WIDTHS.iter().map(|width| width + 1).sum::<usize>();
    let widths = [WIDTHS[0], WIDTHS[1], WIDTHS[2], rest];
    let cells: Vec<Vec<String>> = cells.iter().zip(widths).map(|(cell, width)| wrapped(cell, width)).collect();
    let rows = cells.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: usize, column: usize| cells[column].get(row).map_or("", String::as_str);
    let line = |row: usize| {
        let padded = (0..4).map(|column| format!("{:<width$}", cell(row, column), width = widths[column]));
        padded.collect::<Vec<_>>().join(" ").trim_end().to_owned()
    };
    (0..rows).map(line).collect()
}

/// Text in lines of at most `width` characters; a longer word is cut.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let word: Vec<char> = word.chars().collect();
        for part in word.chunks(width) {
            let part: String = part.iter().collect();
            match lines.last_mut() {
                Some(line) if line.chars().count() + 1 + part.chars().count() <= width => {
                    line.push(' ');
                    line.push_str(&part);
                }
                _ => lines.push(part),
            }
        }
    }
    lines
}

/// A value in TOML, with small numbers in scientific notation.
fn shown(value: &Value) -> String {
    match value {
        Value::Float(number) if *number != 0.0 && number.abs() < 1e-3 => format!("{number:e}"),
        value => value.to_string(),
    }
}
