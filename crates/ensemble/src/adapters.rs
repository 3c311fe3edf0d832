//! Soups of adapters.

use radapter_adapter::{AdapterFile, AdapterSet, AdapterWeights, MapWeights};
use radapter_clip::state_dict::{RawTensor, StateDict};

use crate::EnsembleError;
use crate::combine::each;

/// Returns the adapters whose effect, `s·F` at every place, is the mean of the effects of several that were trained on one
/// base: merging them at α equals the mean of the models merged at α.
///
/// Factors of low rank are concatenated, not averaged, because the product of two means is not the mean of the products: N
/// sets of rank r give one of rank N·r. Full matrices are averaged, and everything becomes a full matrix if a place has both
/// forms or ranks that add up to its width. The scale is the mean of the scales, so that training from here has the steps of
/// any other adapter; the map is weighted by each set's share of it.
///
/// # Errors
/// [`EnsembleError`] for no set, other bases, other places or widths.
pub fn soup_of_adapters(members: &[(&str, &AdapterFile)]) -> Result<AdapterFile, EnsembleError> {
    let Some(((first_name, first), others)) = members.split_first() else {
        return Err(EnsembleError::TooFew { what: "a soup", least: 1, found: 0 });
    };
    let known = members.iter().find_map(|(name, file)| Some((name, file.base.as_ref()?)));
    for (name, other) in others {
        if let (Some((first, a)), Some(b)) = (known, &other.base)
            && a != b
        {
            return Err(EnsembleError::OtherBase {
                first: (*first).to_owned(),
                first_base: a.clone(),
                other: (*name).to_owned(),
                other_base: b.clone(),
            });
        }
        for ((with, a), (without, b)) in [((first_name, first), (name, other)), ((name, other), (first_name, first))] {
            if let Some((place, _)) = a.adapters.iter().find(|(place, _)| b.adapters.get(*place).is_none()) {
                let (place, with, without) = (place.to_string(), (*with).to_owned(), (*without).to_owned());
                return Err(EnsembleError::Place { place, with, without });
            }
        }
    }
    let of_place = |place| members.iter().filter_map(move |(_, file)| file.adapters.get(place));
    let is_low = first.adapters.iter().all(|(place, of_first)| {
        let ranks: Option<usize> = of_place(place).map(rank).sum();
        ranks.is_some_and(|rank| rank < of_first.width())
    });
    let mut tensors = StateDict::new();
    for (place, of_first) in first.adapters.iter() {
        let weights: Vec<&AdapterWeights> = of_place(place).collect();
        if let Some(at) = weights.iter().position(|weights| weights.width() != of_first.width()) {
            let square = |weights: &AdapterWeights| vec![weights.width(); 2];
            return Err(EnsembleError::Shape {
                tensor: place.to_string(),
                first: (*first_name).to_owned(),
                first_shape: square(of_first),
                other: members[at].0.to_owned(),
                other_shape: square(weights[at]),
            });
        }
        for (part, tensor) in mean(&weights, is_low) {
            tensors.insert(format!("{place}.{part}"), tensor);
        }
    }
    let base = members.iter().find_map(|(_, file)| file.base.clone());
    // The settings they were trained with are no longer those of one run.
    Ok(AdapterFile { adapters: AdapterSet::from_tensors(&tensors)?, base, config: None })
}

/// The rank of an adapter that is a product.
fn rank(weights: &AdapterWeights) -> Option<usize> {
    match &weights.map {
        MapWeights::Low { down, .. } => Some(down.shape()[0]),
        MapWeights::Full(_) => None,
    }
}

/// The mean effect of the adapters of one place, as the tensors of one adapter.
fn mean(weights: &[&AdapterWeights], is_low: bool) -> Vec<(&'static str, RawTensor)> {
    let count = weights.len() as f64;
    let own = |weights: &AdapterWeights| f64::from(weights.scale.unwrap_or(1.0));
    let scale = weights.iter().map(|weights| own(weights)).sum::<f64>() as f32 / count as f32;
    // Scales that cancel out cannot be divided by.
    let scale = if scale.abs() > 1e-3 { scale } else { 1.0 };
    let share = |weights: &AdapterWeights| own(weights) / (count * f64::from(scale));
    let width = weights[0].width();
    let scale = ("scale", RawTensor::from_f32([1], vec![scale]));
    if !is_low {
        let full: Vec<Vec<f32>> = weights.iter().map(|weights| full(weights)).collect();
        let shares: Vec<f64> = weights.iter().map(|weights| share(weights)).collect();
        let sum = |at: &[f64]| at.iter().zip(&shares).map(|(value, share)| value * share).sum();
        return vec![("weight", each(&full, &[width, width], sum)), scale];
    }
    let low: Vec<(&RawTensor, &RawTensor)> = weights
        .iter()
        .filter_map(|weights| match &weights.map {
            MapWeights::Low { down, up } => Some((down, up)),
            MapWeights::Full(_) => None,
        })
        .collect();
    let rank: usize = low.iter().map(|(down, _)| down.shape()[0]).sum();
    let down = low.iter().flat_map(|(down, _)| down.to_f32()).collect();
    let mut up = vec![0.0; width * rank];
    let mut from = 0;
    for ((_, part), weights) in low.iter().zip(weights) {
        let (columns, share) = (part.shape()[1], share(weights));
        for (row, values) in part.to_f32().chunks_exact(columns.max(1)).enumerate() {
            let place = row * rank + from;
            let scaled = values.iter().map(|value| (f64::from(*value) * share) as f32);
            up[place..place + columns].iter_mut().zip(scaled).for_each(|(up, value)| *up = value);
        }
        from += columns;
    }
    vec![("down", RawTensor::from_f32([rank, width], down)), ("up", RawTensor::from_f32([width, rank], up)), scale]
}

/// The map as a full matrix, without the scale.
fn full(weights: &AdapterWeights) -> Vec<f32> {
    let (down, up) = match &weights.map {
        MapWeights::Full(weight) => return weight.to_f32(),
        MapWeights::Low { down, up } => (down, up),
    };
    let (width, rank) = (weights.width(), down.shape()[0]);
    let (down, up) = (down.to_f32(), up.to_f32());
    let value = |row: usize, column: usize| -> f64 {
        (0..rank).map(|k| f64::from(up[row * rank + k]) * f64::from(down[k * width + column])).sum()
    };
    (0..width * width).map(|at| value(at / width, at % width) as f32).collect()
}
