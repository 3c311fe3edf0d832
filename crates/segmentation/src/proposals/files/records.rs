//! Records in COCO's results format, and their masks.

use std::collections::BTreeSet;
use std::path::Path;

use radapter_datasets::DatasetError;
use serde::Deserialize;
use serde_json::Value;

use super::Wanted;
use crate::mask::Rle;
use crate::proposals::{Proposal, Region};

/// Record in COCO's results format. Other keys are ignored.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Record {
    pub(super) image_id: Option<Value>,
    pub(super) file_name: Option<String>,
    category_id: Option<Value>,
    segmentation: Option<Segmentation>,
    score: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Segmentation {
    Runs {
        size: [usize; 2],
        counts: Counts,
    },
    /// Corners, which are ignored. A list, so that invalid run lengths are not taken for them.
    Polygons(#[allow(dead_code, reason = "only deserialized to check that it is a list")] Vec<serde::de::IgnoredAny>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Counts {
    Compressed(String),
    Plain(Vec<u32>),
}

/// Counts of ignored parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Passed {
    records: usize,
    without_runs: usize,
    categories: BTreeSet<String>,
}

impl Passed {
    pub(super) fn add(&mut self, record: &Record) {
        self.records += 1;
        self.without_runs += usize::from(!matches!(record.segmentation, Some(Segmentation::Runs { .. })));
        self.categories.extend(record.category_id.as_ref().map(Value::to_string));
    }

    /// Returns the sum of both.
    pub(super) fn join(mut self, other: &Self) -> Self {
        self.records += other.records;
        self.without_runs += other.without_runs;
        self.categories.extend(other.categories.iter().cloned());
        self
    }

    /// Returns notes for the user.
    pub(super) fn notes(&self) -> Vec<String> {
        let Self { records, without_runs, categories } = self;
        let mut notes = Vec::new();
        if *without_runs > 0 {
            notes.push(format!("{without_runs} of {records} proposals are polygons, or have no mask, and are ignored"));
        }
        // A single category for all proposals is a common placeholder.
        if categories.len() > 1 {
            notes.push(format!(
                "the proposals' {} categories are ignored: the model classifies the masks",
                categories.len()
            ));
        }
        notes
    }
}

/// Returns the masks of an image's records, each with its index in the file; records without run lengths are ignored.
pub(super) fn masks(
    path: &Path,
    records: &[(usize, &Record)],
    image: Wanted<'_>,
) -> Result<Vec<Proposal>, DatasetError> {
    let mut masks = Vec::with_capacity(records.len());
    for (number, record) in records {
        let Some(Segmentation::Runs { size: [found_height, found_width], counts }) = &record.segmentation else {
            continue;
        };
        let (found_width, found_height) = (*found_width, *found_height);
        let what = format!("record {number}");
        image.check_size(path, &what, (found_width, found_height))?;
        let mask = match counts {
            Counts::Compressed(text) => Rle::from_compressed(found_width, found_height, text),
            Counts::Plain(counts) => Rle::new(found_width, found_height, counts.clone()),
        };
        let mask = mask.map_err(|error| DatasetError::at(path, &what, error))?;
        let score = record.score.unwrap_or(1.0);
        if !((score as f32).is_finite() && score >= 0.0) {
            let problem = format!("`score` is {score}: expected a number from 0 that f32 can hold");
            return Err(DatasetError::at(path, what, problem));
        }
        // A mask of weight 0 is dropped, and its pixels are not covered.
        if score as f32 == 0.0 {
            continue;
        }
        masks.push(Proposal { region: Region::Binary(mask), score: score as f32 });
    }
    Ok(masks)
}
