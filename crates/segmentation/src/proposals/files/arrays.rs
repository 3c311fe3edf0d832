//! Mask and class logits as arrays, checked and converted to proposals.

use std::path::Path;

use radapter_datasets::DatasetError;

use super::Wanted;
use crate::proposals::{ClassScores, Grid, Proposal, Region};

/// Array of numbers from a file.
#[derive(Clone, Debug)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    /// In C order.
    pub(super) values: Vec<f32>,
}

/// Content of a file of logits.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrays {
    pub(super) masks: Option<Array>,
    pub(super) scores: Option<Array>,
}

/// Maximum size of an array in bytes, a limit for hostile files.
pub(super) const MOST: u64 = 4 << 30;

/// Largest absolute logit of a mask; larger ones are clamped.
const LARGEST: f32 = 1e4;

/// Creates the error of an array that is missing, or of another shape or type.
pub(super) fn unfit(path: &Path, key: &str, expected: &str, found: &str) -> DatasetError {
    DatasetError::at(path, format!("`{key}`"), format!("expected {expected}, found {found}"))
}

/// Converts masks and class scores, after a check of their shapes.
pub(super) fn proposals(
    path: &Path,
    arrays: Arrays,
    image: Wanted<'_>,
) -> Result<(Vec<Proposal>, Option<ClassScores>), DatasetError> {
    let wrong = |key, expected: &str, found: &str| unfit(path, key, expected, found);
    let shape =
        |array: &Option<Array>| array.as_ref().map_or("none".to_owned(), |array| format!("shape {:?}", array.shape));
    let expected = "logits of shape [masks, height, width]";
    let Some(masks) = &arrays.masks else { return Err(wrong("masks", expected, "none")) };
    let [count, height, width] = masks.shape[..] else { return Err(wrong("masks", expected, &shape(&arrays.masks))) };
    // Without masks, the file bounds neither side.
    let Some(pixels) = height.checked_mul(width).filter(|pixels| *pixels > 0) else {
        return Err(wrong("masks", expected, &shape(&arrays.masks)));
    };
    let mut found = Vec::with_capacity(count);
    for (number, logits) in masks.values.chunks_exact(pixels).enumerate() {
        if logits.iter().any(|logit| logit.is_nan()) {
            return Err(wrong("masks", "numbers", &format!("NaN in mask {number}")));
        }
        // Infinite logits would not survive interpolation; a sigmoid is 0 or 1 long before the limit.
        let logits: Vec<f32> = logits.iter().map(|logit| logit.clamp(-LARGEST, LARGEST)).collect();
        let grid = Grid::new(width, height, logits).expect("a logit for each place of the shape");
        found.push(Proposal { region: Region::Logits(grid), score: 1.0 });
    }
    let Some(scores) = &arrays.scores else { return Ok((found, None)) };
    let columns = match (&scores.shape[..], image.classes) {
        ([rows, columns], Some(classes)) if *rows == count && *columns == classes + 1 => *columns,
        ([rows, columns], None) if *rows == count && *columns > 0 => *columns,
        (_, classes) => {
            let columns = classes.map_or("classes + 1".to_owned(), |classes| format!("{classes} + 1"));
            let expected =
                format!("logits of shape [{count}, {columns}], a row for each mask and the last column for no object");
            return Err(wrong("scores", &expected, &shape(&arrays.scores)));
        }
    };
    // A class may be impossible (−∞), but none can be infinitely likely.
    if let Some(score) = scores.values.iter().find(|score| score.is_nan() || **score == f32::INFINITY) {
        return Err(wrong("scores", "numbers below infinity", &score.to_string()));
    }
    if scores.values.chunks_exact(columns).any(|row| row.iter().all(|score| *score == f32::NEG_INFINITY)) {
        return Err(wrong("scores", "a number in each row", "a row of -inf alone"));
    }
    Ok((found, ClassScores::new(columns, scores.values.clone())))
}
