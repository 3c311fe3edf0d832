//! Position embeddings for another number of positions, as open_clip resizes them.
//!
//! Image positions form a grid and are resized as an image: `torch.nn.functional.interpolate(mode="bicubic",
//! antialias=True, align_corners=False)`, that is Keys' cubic with a = −0.5, widened by the factor when the grid shrinks,
//! its weights normalised over the positions inside the grid. Text positions are resized linearly without widening.
//! Sums are in f64; the result is stored in the tensor's own dtype.

use std::path::Path;

use super::CheckpointError;
use crate::state_dict::{RawTensor, StateDict, TensorError};

const IMAGE: &str = "visual.positional_embedding";
const TEXT: &str = "positional_embedding";

/// For one output position: the first input position, and the weights of it and those after it.
type Taps = (usize, Vec<f64>);

/// Resizes the image tower's positions to `grid × grid`; the class token's stays.
pub(super) fn resize_image_positions(state: &mut StateDict, grid: usize) -> Result<(), CheckpointError> {
    replace(state, IMAGE, |shape, values| {
        let &[tokens, width] = shape else { return None };
        let old = tokens.checked_sub(1)?.isqrt();
        if old == 0 || old * old + 1 != tokens {
            return None;
        }
        let (class, patches) = values.split_at(width);
        let taps = cubic_taps(old, grid);
        // Along x, then along y.
        let rows = resample(patches, old, old, width, &taps);
        let patches = resample(&rows, 1, old, grid * width, &taps);
        Some((vec![grid * grid + 1, width], [class, &patches].concat()))
    })
}

/// Resizes the text tower's positions to `length`.
pub(super) fn resize_text_positions(state: &mut StateDict, length: usize) -> Result<(), CheckpointError> {
    replace(state, TEXT, |shape, values| {
        let &[old, width] = shape else { return None };
        Some((vec![length, width], resample(values, 1, old, width, &linear_taps(old, length))))
    })
}

fn replace(
    state: &mut StateDict,
    name: &str,
    resize: impl FnOnce(&[usize], &[f64]) -> Option<(Vec<usize>, Vec<f64>)>,
) -> Result<(), CheckpointError> {
    let error = |error: TensorError| CheckpointError::tensor(Path::new("position embeddings"))(error.named(name));
    let old = state.get(name).ok_or(TensorError::Missing { name: name.to_owned() }).map_err(error)?;
    let values: Vec<f64> = old.to_f32().into_iter().map(f64::from).collect();
    let found = || TensorError::Shape {
        name: String::new(),
        expected: "a class token and a square grid, or a list of positions".into(),
        found: format!("{:?}", old.shape()),
    };
    let (shape, values) = resize(old.shape(), &values).ok_or_else(found).map_err(error)?;
    if shape == old.shape() {
        return Ok(());
    }
    let values = values.into_iter().map(|value| value as f32).collect();
    let resized = RawTensor::from_f32(shape, values).cast(old.dtype()).map_err(error)?;
    state.insert(name, resized);
    Ok(())
}

/// Applies taps along the middle axis of `[outer, length, inner]`.
fn resample(values: &[f64], outer: usize, length: usize, inner: usize, taps: &[Taps]) -> Vec<f64> {
    let mut result = Vec::with_capacity(outer * taps.len() * inner);
    for block in values.chunks_exact(length * inner) {
        for (first, weights) in taps {
            let at = result.len();
            result.resize(at + inner, 0.0);
            for (weight, row) in weights.iter().zip(block[first * inner..].chunks_exact(inner)) {
                result[at..].iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
            }
        }
    }
    result
}

/// torch's `_compute_indices_weights_aa` for the cubic filter.
fn cubic_taps(old: usize, new: usize) -> Vec<Taps> {
    let scale = old as f64 / new as f64;
    let widening = scale.max(1.0);
    let support = 2.0 * widening;
    let taps = |position: usize| {
        let center = scale * (position as f64 + 0.5);
        let first = (center - support + 0.5).max(0.0) as usize;
        let last = ((center + support + 0.5) as usize).min(old);
        let weight = |input: usize| cubic((input as f64 - center + 0.5) / widening);
        let weights: Vec<f64> = (first..last).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        (first, weights.into_iter().map(|weight| weight / sum).collect())
    };
    (0..new).map(taps).collect()
}

/// Keys' cubic convolution kernel with a = −0.5.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    match x.abs() {
        x if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        _ => 0.0,
    }
}

/// torch's linear interpolation without antialiasing, `align_corners=False`.
fn linear_taps(old: usize, new: usize) -> Vec<Taps> {
    let scale = old as f64 / new as f64;
    let taps = |position: usize| {
        let at = (scale * (position as f64 + 0.5) - 0.5).max(0.0);
        let first = (at as usize).min(old - 1);
        let fraction = at - first as f64;
        match first + 1 < old {
            true => (first, vec![1.0 - fraction, fraction]),
            false => (first, vec![1.0]),
        }
    };
    (0..new).map(taps).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// Written by `xtask/peers/checkpoint_fixtures.py` with open_clip's functions.
    const FIXTURE: &str = include_str!("../../tests/fixtures/checkpoint/positions.json");

    #[derive(Deserialize)]
    struct Fixture {
        width: usize,
        image: Vec<Case>,
        text: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        old: usize,
        new: usize,
        before: Vec<f32>,
        after: Vec<f32>,
    }

    fn fixture() -> Fixture {
        serde_json::from_str(FIXTURE).expect("the fixture is well formed")
    }

    fn check(name: &str, shape: [usize; 2], case: &Case, resize: impl FnOnce(&mut StateDict)) {
        let mut state = StateDict::from_iter([(name.to_owned(), RawTensor::from_f32(shape, case.before.clone()))]);
        resize(&mut state);
        let resized = state.get(name).map(RawTensor::to_f32).unwrap_or_default();
        assert_eq!(resized.len(), case.after.len());
        let worst = resized.iter().zip(&case.after).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // Half a unit in the last place of an f32 below 4, and of the fixture.
        assert!(worst <= 4e-7, "{} to {}: differs by {worst}", case.old, case.new);
    }

    #[test]
    fn image_positions_are_resized_as_open_clip_does() {
        let fixture = fixture();
        assert!(fixture.image.len() > 5);
        for case in &fixture.image {
            check(IMAGE, [case.old * case.old + 1, fixture.width], case, |state| {
                assert!(resize_image_positions(state, case.new).is_ok());
            });
        }
    }

    #[test]
    fn text_positions_are_resized_as_open_clip_does() {
        let fixture = fixture();
        assert!(fixture.text.len() > 2);
        for case in &fixture.text {
            check(TEXT, [case.old, fixture.width], case, |state| {
                assert!(resize_text_positions(state, case.new).is_ok());
            });
        }
    }

    #[test]
    fn the_same_size_changes_no_bit() {
        let case = &fixture().image[0];
        let tensor = RawTensor::from_f32([case.old * case.old + 1, 3], case.before.clone());
        let mut state = StateDict::from_iter([(IMAGE.to_owned(), tensor.clone())]);
        assert!(resize_image_positions(&mut state, case.old).is_ok());
        assert_eq!(state.get(IMAGE), Some(&tensor));
    }

    #[test]
    fn positions_that_form_no_grid_are_refused() {
        let mut state = StateDict::from_iter([(IMAGE.to_owned(), RawTensor::from_f32([7, 1], vec![0.0; 7]))]);
        let error = resize_image_positions(&mut state, 3).expect_err("six patches are no square");
        assert!(error.to_string().contains(IMAGE), "{error}");
    }
}
