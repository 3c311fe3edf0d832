//! Segments of an index: files with the embeddings and names of some images.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use radapter_clip::checkpoint::{read_safetensors, write_safetensors};
use radapter_clip::state_dict::{RawTensor, StateDict, StoredDtype};
use radapter_files::{Storage, io_error};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::manifest::FORMAT;
use super::{IndexError, SegmentEntry};

/// Folder of the segments.
pub(super) const FOLDER: &str = "segments";
const ENDING: &str = ".safetensors";

const EMBEDDINGS: &str = "embeddings";
const NAMES: &str = "image_names";
const STAMPS: &str = "stamps";

/// Version of a file: size and modification time, in nanoseconds of Unix time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp(u64, i64);

impl Stamp {
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        let file = std::fs::metadata(path)?;
        let changed = file.modified()?;
        let whole = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        let nanoseconds = match changed.duration_since(UNIX_EPOCH) {
            Ok(since) => whole(since),
            Err(before) => -whole(before.duration()),
        };
        Ok(Self(file.len(), nanoseconds))
    }
}

/// Embeddings of some images.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) names: Vec<String>,
    pub(super) stamps: Vec<Stamp>,
    /// `[images, dim]`, in the mapped file.
    embeddings: RawTensor,
    dim: usize,
}

/// Rows of a segment to be written.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) names: Vec<String>,
    pub(super) stamps: Vec<Stamp>,
    pub(super) values: Vec<f32>,
}

/// Returns the number in a segment's name.
pub(super) fn number(file: &str) -> Option<u64> {
    // Never so large that the next one would not be a number.
    file.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix(ENDING)?.parse::<u32>().ok().map(u64::from)
}

impl Segment {
    pub(super) fn read(dir: &Path, entry: &SegmentEntry, dim: usize) -> Result<Self, IndexError> {
        let path = dir.join(&entry.file);
        let file = read_safetensors(&path)?;
        let wrong = |expected: String, found: String| IndexError::Segment { path: path.clone(), expected, found };
        let embeddings = file.tensors.get(EMBEDDINGS).cloned();
        let shape = [entry.images, dim];
        let fits = |tensor: &RawTensor| tensor.shape() == shape && tensor.dtype() == StoredDtype::F32;
        let embeddings = match embeddings {
            Some(tensor) if fits(&tensor) => tensor,
            other => {
                let found =
                    other.map_or("none".to_owned(), |tensor| format!("{} {:?}", tensor.dtype(), tensor.shape()));
                return Err(wrong(format!("a tensor `{EMBEDDINGS}` f32 {shape:?}"), found));
            }
        };
        let names: Vec<String> = list(&file.metadata, NAMES, entry.images, &wrong)?;
        let stamps = list(&file.metadata, STAMPS, entry.images, &wrong)?;
        Ok(Self { names, stamps, embeddings, dim })
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Reads the embedding of an image into `row`.
    pub(super) fn row(&self, index: usize, row: &mut [f32]) {
        let bytes = &self.embeddings.bytes()[index * 4 * self.dim..][..4 * self.dim];
        for (value, bytes) in row.iter_mut().zip(bytes.chunks_exact(4)) {
            *value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
    }
}

fn list<T: DeserializeOwned>(
    metadata: &BTreeMap<String, String>,
    key: &str,
    count: usize,
    wrong: &impl Fn(String, String) -> IndexError,
) -> Result<Vec<T>, IndexError> {
    let expected = || format!("in the metadata `{key}`, a JSON list of {count}");
    let text = metadata.get(key).ok_or_else(|| wrong(expected(), "none".to_owned()))?;
    let list: Vec<T> = serde_json::from_str(text).map_err(|error| wrong(expected(), error.to_string()))?;
    match list.len() == count {
        true => Ok(list),
        false => Err(wrong(expected(), format!("one of {}", list.len()))),
    }
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Writes the rows as a segment, which the manifest does not name yet.
    pub(super) fn write(self, storage: &dyn Storage, dir: &Path, number: u64) -> Result<SegmentEntry, IndexError> {
        let file = format!("{FOLDER}/{number:08}{ENDING}");
        let path = dir.join(&file);
        let images = self.len();
        let json = |value: serde_json::Result<String>| value.map_err(|error| io_error("write", &path)(error.into()));
        let metadata = BTreeMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            (NAMES.to_owned(), json(serde_json::to_string(&self.names))?),
            (STAMPS.to_owned(), json(serde_json::to_string(&self.stamps))?),
        ]);
        let dim = self.values.len() / images.max(1);
        let mut tensors = StateDict::new();
        tensors.insert(EMBEDDINGS, RawTensor::from_f32([images, dim], self.values));
        radapter_files::write_with(storage, &path, |mut file| write_safetensors(&mut file, &tensors, &metadata))?;
        Ok(SegmentEntry { file, images })
    }
}
