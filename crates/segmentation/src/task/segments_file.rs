//! Mined segments, saved in the run's folder.

use std::path::{Path, PathBuf};

use radapter_datasets::DatasetError;
use radapter_embedding::Image;
use radapter_files::{io_error, json_reason};
use radapter_images::ImageSource;
use serde::{Deserialize, Serialize};

use crate::data::{Labels, Segment, SegmentSet};
use crate::mask::Rle;

/// File in a run's folder with the segments mined from captions: a resumed run must use the same ones.
pub const SEGMENTS_FILE: &str = "segments.json";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    labels: Labels,
    images: Vec<ImageRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageRecord {
    name: String,
    path: PathBuf,
    width: usize,
    height: usize,
    segments: Vec<SegmentRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SegmentRecord {
    label: usize,
    /// COCO's compressed run lengths.
    counts: String,
}

pub(super) fn to_bytes(labels: &Labels, set: &SegmentSet) -> Result<Vec<u8>, DatasetError> {
    let image = |(image, places): (&Image, Vec<usize>)| {
        let ImageSource::File(path) = &image.source else {
            let problem = format!("the image {} is in a shard; segments are mined from images in files", image.name);
            return Err(DatasetError::Option(problem));
        };
        let segments: Vec<&Segment> = places.iter().map(|&place| &set.segments[place]).collect();
        let (width, height) = segments.first().map_or((0, 0), |segment| (segment.mask.width(), segment.mask.height()));
        let record = |segment: &&Segment| SegmentRecord { label: segment.label, counts: segment.mask.to_compressed() };
        let segments = segments.iter().map(record).collect();
        Ok(ImageRecord { name: image.name.clone(), path: path.clone(), width, height, segments })
    };
    let images = set.images.iter().zip(set.by_image()).map(image).collect::<Result<_, _>>()?;
    let record = Record { labels: labels.clone(), images };
    Ok(serde_json::to_vec(&record).expect("texts, numbers and UTF-8 paths are JSON"))
}

pub(super) fn read(path: &Path) -> Result<(Labels, SegmentSet), DatasetError> {
    let damaged = |reason: String| {
        DatasetError::about(path, format!("is not a file of mined segments: {reason}; start the run again"))
    };
    let bytes = std::fs::read(path).map_err(io_error("read", path))?;
    let record: Record = serde_json::from_slice(&bytes).map_err(|error| damaged(json_reason(&bytes, &error)))?;
    let mut set = SegmentSet::default();
    for (place, image) in record.images.into_iter().enumerate() {
        for SegmentRecord { label, counts } in image.segments {
            let mask = Rle::from_compressed(image.width, image.height, &counts)
                .map_err(|error| damaged(format!("{}: {error}", image.name)))?;
            if label >= record.labels.len() {
                return Err(damaged(format!("{}: label {label} of {}", image.name, record.labels.len())));
            }
            set.segments.push(Segment { image: place, mask, label });
        }
        set.images.push(Image { name: image.name, source: ImageSource::File(image.path) });
    }
    Ok((record.labels, set))
}
