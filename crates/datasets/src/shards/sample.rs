//! Assembles a sample from the members with one key.

use std::path::Path;
use std::sync::Arc;

use radapter_images::{ImageSource, Member};

use super::captions;
use crate::DatasetError;
use crate::on_error::{OnError, SkipReport};

/// Sample of a shard.
#[derive(Clone, Debug)]
pub struct ShardSample {
    /// Path of its members up to the first dot of the base name.
    pub key: String,
    /// A [`Member`] of the shard.
    pub image: ImageSource,
    /// At least one.
    pub captions: Vec<String>,
}

/// Options for reading shards.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) on_error: OnError,
    /// Collects skipped samples.
    pub(super) report: SkipReport,
    /// Maximum number of captions to keep per sample.
    pub(super) max_captions: usize,
}

impl Rules {
    /// Returns a part of a shard, or `None` if it is skipped.
    pub(super) fn settle<T>(
        &self,
        shard: &Path,
        part: &str,
        result: Result<T, DatasetError>,
    ) -> Result<Option<T>, DatasetError> {
        if result.is_ok() {
            return result.map(Some);
        }
        let file = shard.file_name().unwrap_or(shard.as_os_str()).to_string_lossy();
        self.on_error.settle(&format!("{file}: {part}"), result, &self.report)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    Text,
    Json,
}

impl Kind {
    pub(super) fn of(extension: &str) -> Option<Self> {
        match &extension.to_ascii_lowercase()[..] {
            "jpg" | "jpeg" | "png" | "webp" => Some(Self::Image),
            "txt" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Members with one key.
pub(super) struct Group {
    pub(super) key: String,
    offset: u64,
    image: Option<Arc<Member>>,
    text: Vec<String>,
    json: Vec<String>,
    extensions: Vec<String>,
    problem: Option<String>,
}

impl Group {
    pub(super) fn new(key: &str, offset: u64) -> Self {
        Self {
            key: key.to_owned(),
            offset,
            image: None,
            text: Vec::new(),
            json: Vec::new(),
            extensions: Vec::new(),
            problem: None,
        }
    }

    /// Adds an image, if it is the first.
    pub(super) fn image(&mut self, member: Member) {
        self.image.get_or_insert_with(|| Arc::new(member));
    }

    pub(super) fn text(&mut self, kind: Kind, bytes: Vec<u8>, name: &str) {
        let read = if kind == Kind::Json { captions::of_json(&bytes) } else { captions::of_text(bytes) };
        match read {
            Ok(captions) if kind == Kind::Json => self.json = captions,
            Ok(captions) => self.text = captions,
            Err(problem) => self.spoil(format!("`{name}`: {problem}")),
        }
    }

    /// Adds an extension, which must be unique within a sample.
    pub(super) fn extension(&mut self, extension: &str, name: &str) {
        let extension = extension.to_ascii_lowercase();
        if self.extensions.contains(&extension) {
            self.spoil(format!("the member `{name}` occurs twice"));
        } else {
            self.extensions.push(extension);
        }
    }

    /// Marks the sample as damaged; the first reason is reported.
    pub(super) fn spoil(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }

    /// Whether it already has an image and captions.
    pub(super) fn is_whole(&self) -> bool {
        self.problem.is_none() && self.image.is_some() && !(self.text.is_empty() && self.json.is_empty())
    }

    /// Returns the complete sample.
    pub(super) fn sample(self, shard: &Path, rules: &Rules) -> Result<ShardSample, DatasetError> {
        let Self { key, offset, image, text, json, extensions, problem } = self;
        let damaged = |problem| DatasetError::at(shard, format!("sample `{key}` at byte {offset}"), problem);
        let there = || extensions.iter().map(|extension| format!("`.{extension}`")).collect::<Vec<_>>().join(", ");
        if let Some(problem) = problem {
            return Err(damaged(problem));
        }
        let Some(image) = image else {
            let expected = "expected a member ending in `.jpg`, `.jpeg`, `.png` or `.webp`";
            return Err(damaged(format!("it has no image; {expected}, found {}", there())));
        };
        let others = json.into_iter().filter(|caption| !text.contains(caption));
        let mut captions = Vec::new();
        for (index, caption) in text.iter().cloned().chain(others).enumerate() {
            let number = index + 1;
            let caption = match caption.trim() {
                "" => Err(damaged(format!("its caption {number} is empty; add a text or remove it"))),
                _ => Ok(caption),
            };
            captions.extend(rules.settle(shard, &format!("{key}, caption {number}"), caption)?);
        }
        if captions.is_empty() {
            let expected = "expected a `.txt`, or a `.json` with `caption` or `captions`";
            return Err(damaged(format!("it has no caption; {expected}, found {}", there())));
        }
        captions.truncate(rules.max_captions);
        Ok(ShardSample { key, image: ImageSource::Member(image), captions })
    }
}
