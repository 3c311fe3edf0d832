//! Records of COCO's results form, and their masks.

use std::collections::BTreeSet;
use std::path::Path;

use radapter_datasets::DatasetError;
use serde::Deserialize;
use serde_json::Value;

use super::Wanted;
use crate::mask::Rle;
use crate::proposals::{Proposal, Region};

/// A record of COCO's results form. What is not named here does not matter.
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
    /// Corners: of no use here. A list, so that run lengths that are none are not taken for them.
    Polygons(#[allow(dead_code, reason = "that it is a list is all that is looked at")] Vec<serde::de::IgnoredAny>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Counts {
    Compressed(String),
    Plain(Vec<u32>),
}

/// What was passed over.
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

    /// Both.
    pub(super) fn join(mut self, other: &Self) -> Self {
        self.records += other.records;
        self.without_runs += other.without_runs;
        self.categories.extend(other.categories.iter().cloned());
        self
    }

    /// In words.
    pub(super) fn notes(&self) -> Vec<String> {
        let Self { records, without_runs, categories } = self;
        let mut notes = Vec::new();
        if *without_runs > 0 {
            notes.push(format!(
                "{without_runs} of {records} proposals are polygons, or have no mask, and are passed over"
            ));
        }
        // One category for all is how the form is filled in where there is none.
        if categories.len() > 1 {
            notes.push(format!(
                "the proposals' {} categories are passed over: masks are named by the model",
                categories.len()
            ));
        }
        notes
    }
}

/// The masks of an image's records, each with its place in the file; those without run lengths are passed over.
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
