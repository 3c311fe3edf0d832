//! `comparison.json`: what a directory's comparison was asked for. Another one is refused there.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;
use radapter_files::{io_error, json_reason};
use radapter_settings::Settings;
use serde::{Deserialize, Serialize};

use super::content::content;
use super::grid;
use crate::command::args::{CompareArgs, ModelRef};
use crate::command::{model, output, suite};

const FORMAT: &str = "radapter-compare-v1";
const FILE: &str = "comparison.json";
const LOCK: &str = "lock";
/// Begins the names of what is at a path.
const CONTENT: &str = "the content of ";

/// Everything that the figures depend on. The methods are not among it: a comparison may get more.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spec {
    format: String,
    /// By name, as text.
    asked: BTreeMap<String, String>,
}

impl Spec {
    pub(super) fn new(args: &CompareArgs, model: &ModelRef, settings: &Settings) -> anyhow::Result<Self> {
        let common = &args.common;
        let folder = std::env::current_dir().context("cannot find the working directory")?;
        let mut asked = BTreeMap::from([
            ("task".to_owned(), args.task.name().to_owned()),
            ("--model".to_owned(), model::lasting_reference(model)?),
            // Relative paths mean other data elsewhere.
            ("working directory".to_owned(), folder.display().to_string()),
        ]);
        let mut put = |name: &str, value: String| {
            if !value.is_empty() {
                asked.insert(name.to_owned(), value);
            }
        };
        put("--arch", common.arch.arch.clone().unwrap_or_default());
        put("--suite", common.suite.clone().unwrap_or_default());
        put("--root", common.root.as_ref().map_or_else(String::new, |root| root.display().to_string()));
        put("--seeds", joined(common.seeds.iter()));
        put("--alphas", joined(common.alphas.get()?.iter()));
        put("arguments of eval", joined(common.eval.iter().map(|word| word.display())));
        for axis in &common.grid {
            let method = axis.method.as_ref().map_or_else(String::new, |method| format!("{method}:"));
            put(&format!("--grid {method}{}", axis.key), axis.values.join(","));
        }
        let mut paths: Vec<PathBuf> = common.eval.iter().map(PathBuf::from).collect();
        if let ModelRef::Path(path) = model {
            paths.push(path.clone());
        }
        if let Some(suite) = &common.suite {
            paths.push(suite.into());
            // A suite that cannot be read is refused later, with the reason.
            paths.extend(
                suite::Source::new(suite, common.root.as_deref()).map(|source| source.paths()).unwrap_or_default(),
            );
        }
        for key in settings.keys() {
            let mut parts = key.split('.');
            let first = parts.next().and_then(|part| settings.get(part));
            let value = parts.try_fold(first, |value, part| value.map(|value| value.get(part)));
            let value = value.flatten();
            paths.extend(value.and_then(|value| value.as_str()).map(PathBuf::from));
            put(&format!("setting {key}"), value.map_or_else(String::new, ToString::to_string));
        }
        for path in paths {
            put(&format!("{CONTENT}{}", path.display()), content(&path, &common.out)?.unwrap_or_default());
        }
        Ok(Self { format: FORMAT.to_owned(), asked })
    }

    /// Refuses a directory of another comparison, and one that holds something else.
    pub(super) fn check(&self, out: &Path) -> anyhow::Result<()> {
        let path = out.join(FILE);
        if !path.exists() {
            return output::check_empty_dir(out);
        }
        let text = std::fs::read(&path).map_err(io_error("read", &path))?;
        let other: Self = serde_json::from_slice(&text)
            .map_err(|error| anyhow::anyhow!("{}: {}", path.display(), json_reason(&text, &error)))?;
        let differences = self.differences(&other);
        anyhow::ensure!(
            differences.is_empty(),
            "`{}` holds another comparison: {}; name another directory, or give the former values",
            out.display(),
            differences.join("; ")
        );
        Ok(())
    }

    fn differences(&self, other: &Self) -> Vec<String> {
        let names = other.asked.keys().chain(self.asked.keys().filter(|name| !other.asked.contains_key(*name)));
        let value = |spec: &Self, name: &String| spec.asked.get(name).map_or_else(|| "none".to_owned(), Clone::clone);
        names
            // What an earlier version did not record is not known to differ.
            .filter(|name| !name.starts_with(CONTENT) || other.asked.contains_key(*name))
            .filter(|name| other.asked.get(*name) != self.asked.get(*name))
            .map(|name| format!("{name} is {} there and {} here", value(other, name), value(self, name)))
            .collect()
    }

    /// Takes the directory for this process, and writes the file.
    pub(super) fn begin(&self, out: &Path) -> anyhow::Result<File> {
        output::make_dir(out)?;
        let path = out.join(LOCK);
        let lock = File::create(&path).map_err(io_error("write", &path))?;
        anyhow::ensure!(lock.try_lock().is_ok(), "`{}` is in use by another `radapter compare`", out.display());
        output::write_file(&out.join(FILE), &serde_json::to_vec_pretty(self)?)?;
        Ok(lock)
    }
}

fn joined<T: ToString>(values: impl Iterator<Item = T>) -> String {
    values.map(|value| value.to_string()).collect::<Vec<_>>().join(",")
}

/// The text of a combination of settings in a file name.
pub(super) fn file_part(point: &grid::Point) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "=.-_".contains(character);
    let plain = |word: String| word.chars().map(|c| if is_plain(c) { c } else { '_' }).collect::<String>();
    grid::words(point).into_iter().map(|word| format!("-{}", plain(word))).collect()
}
