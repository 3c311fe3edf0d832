//! What a case has left: whether every file is complete, and what must not depend on faults.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use radapter::clip::checkpoint::read_safetensors;
use serde_json::Value;

use super::cases::{Case, Kind, has_entries};
use super::world::files;

/// Figures of time and machine in JSON files.
const TIMES: [&str; 7] =
    ["seconds", "step_seconds", "samples_per_second", "times", "peak_memory_bytes", "threads", "stamps"];

/// Files by their path in the case's folder, without what faults may change: times, event files, temporary files.
pub(crate) type Content = BTreeMap<String, Vec<u8>>;

/// Whether a path is, or lies in, something that is still under a temporary name.
pub(crate) fn is_temporary(path: &Path) -> bool {
    path.iter().any(|name| {
        let name = name.to_string_lossy();
        name.ends_with(".tmp") || (name.starts_with('.') && (name.ends_with(".partial") || name.ends_with(".replaced")))
    })
}

/// Whether something in a case's folder is under a temporary name.
pub(crate) fn has_temporary(out: &Path) -> bool {
    let names = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name()).collect::<Vec<_>>()
    };
    ["", "run", "run/state", "index", "index/segments"]
        .iter()
        .flat_map(|folder| names(&out.join(folder)))
        .any(|name| is_temporary(Path::new(&name)))
}

/// The result of a case that is done.
pub(crate) fn content(case: &Case, out: &Path) -> anyhow::Result<Content> {
    torn(case, out, None)?;
    let mut content = Content::new();
    for path in files(out)? {
        let name = path.strip_prefix(out)?.display().to_string();
        let skipped = ["/lock", ".lock", "report.html", "pixels"].iter().any(|end| name.ends_with(end));
        if is_temporary(path.strip_prefix(out)?) || skipped || name.contains("events.out.") {
            continue;
        }
        let bytes = std::fs::read(&path)?;
        let kept = match path.extension().and_then(OsStr::to_str) {
            // The images' times are those of this folder, and segments are numbered by their history.
            _ if case.kind == Kind::Index => {
                content.extend(rows(&path)?);
                continue;
            }
            Some("json" | "jsonl") => without_times(&bytes)?,
            _ => bytes,
        };
        content.insert(name, kept);
    }
    ensure!(!content.is_empty(), "{} is empty", out.display());
    Ok(content)
}

/// JSON values, one or one per line, without figures of time.
fn without_times(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut kept = Vec::new();
    for value in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        let mut value = value?;
        if let Value::Object(fields) = &mut value {
            fields.retain(|key, _| !TIMES.contains(&&**key));
        }
        kept.extend(serde_json::to_vec(&value)?);
        kept.push(b'\n');
    }
    Ok(kept)
}

/// The embeddings of an index's segment by image.
fn rows(path: &Path) -> anyhow::Result<Content> {
    if path.extension() != Some(OsStr::new("safetensors")) {
        return Ok(Content::new());
    }
    let file = read_safetensors(path)?;
    let names: Vec<String> = serde_json::from_str(file.metadata.get("image_names").context("no names in a segment")?)?;
    let (_, values) = file.tensors.iter().next().context("no embeddings in a segment")?;
    let values = values.to_f32();
    let dim = values.len() / names.len().max(1);
    let bytes = |row: &[f32]| row.iter().flat_map(|value| value.to_le_bytes()).collect();
    Ok(names.into_iter().zip(values.chunks(dim).map(bytes)).collect())
}

/// Checks that every file under a final name is complete, and so is every directory that appears as a whole. `whole` is the
/// result of a case that is done.
pub(crate) fn torn(case: &Case, out: &Path, whole: Option<&Content>) -> anyhow::Result<()> {
    for path in files(out)? {
        let name = path.strip_prefix(out)?;
        if !is_temporary(name) {
            complete(&path).with_context(|| format!("{} is torn", name.display()))?;
        }
    }
    for folder in std::fs::read_dir(out.join("run/state")).into_iter().flatten() {
        let folder = folder?.path();
        let step = folder.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if is_temporary(Path::new(step)) {
            continue;
        }
        let names = names(&folder)?;
        let expected: &[&str] = match step {
            "step-00000000" => &["state.json"],
            _ => &["moments.safetensors", "parameters.safetensors", "state.json"],
        };
        let missing = expected.iter().find(|name| !names.contains(**name));
        ensure!(missing.is_none(), "state/{step} has no {}", missing.unwrap_or(&""));
    }
    if case.kind == Kind::Index {
        let manifest: Value = serde_json::from_slice(&std::fs::read(out.join("index/index.json"))?)?;
        for segment in manifest["segments"].as_array().context("no segments")? {
            let file = segment["file"].as_str().context("no file")?;
            ensure!(out.join("index").join(file).exists(), "index.json names {file}, which is not there");
        }
    }
    // Directories that are renamed into place.
    for folder in ["run/best", "result"] {
        if let (Some(whole), true) = (whole, has_entries(&out.join(folder))) {
            let expected: BTreeSet<String> = whole
                .keys()
                .filter_map(|name| Some(name.strip_prefix(folder)?.strip_prefix('/')?.to_owned()))
                .collect();
            let missing: Vec<_> = expected.difference(&names(&out.join(folder))?).cloned().collect();
            ensure!(missing.is_empty(), "{folder} has no {}", missing.join(", "));
        }
    }
    Ok(())
}

fn names(folder: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for path in files(folder)? {
        names.insert(path.strip_prefix(folder)?.display().to_string());
    }
    Ok(names)
}

/// Reads a file to its end in the form that its name says.
fn complete(path: &Path) -> anyhow::Result<()> {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let text = || Ok::<_, anyhow::Error>(String::from_utf8(std::fs::read(path)?)?);
    let ends_with = |end: &str| match text()?.trim_end().ends_with(end) {
        true => Ok(()),
        false => bail!("it does not end with {end}"),
    };
    match path.extension().and_then(OsStr::to_str) {
        Some("safetensors") => drop(read_safetensors(path)?),
        Some("json") => drop(serde_json::from_slice::<Value>(&std::fs::read(path)?)?),
        Some("toml") => drop(text()?.parse::<toml::Table>()?),
        Some("html") => ends_with("</html>")?,
        Some("svg") => ends_with("</svg>")?,
        Some("csv") => ensure!(text()?.ends_with('\n'), "its last line is cut"),
        // Appended to: only the last line may be torn, which readers pass over.
        Some("jsonl") => {
            let text = text()?;
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            for line in whole.lines() {
                serde_json::from_str::<Value>(line).context("a line before the last is torn")?;
            }
        }
        // Appended to, and read up to the first torn record: the command's own business.
        _ => ensure!(
            name == "lock"
                || name.ends_with(".lock")
                || name == "pixels"
                || name.starts_with("events.out.")
                || name == "merges.txt",
            "a file of an unknown form"
        ),
    }
    Ok(())
}

/// The first difference between two results.
pub(crate) fn difference(whole: &Content, found: &Content) -> Option<String> {
    let named = whole.iter().find_map(|(name, bytes)| match found.get(name) {
        None => Some(format!("{name} is missing")),
        Some(other) if other != bytes => Some(format!("{name} differs")),
        Some(_) => None,
    });
    named.or_else(|| Some(format!("{} is extra", found.keys().find(|name| !whole.contains_key(*name))?)))
}
