//! Merging at its edges: half precision, several merges, values that are not finite, models that do not fit.

use burn::tensor::Device;
use radapter_adapter::{
    AdapterConfig, AdapterError, AdapterSet, Alpha, Alphas, MapWeights, Probe, Rank, attach_trained, merge,
    merge_checked, merge_state, tolerance, with_alpha,
};
use radapter_clip::model::{Clip, Context, Place, Site, Tower};
use radapter_clip::state_dict::{RawTensor, StateDict, StoredDtype};

use crate::support::{bits, clip, config, distance, embed, random_set, state};

fn set(seed: u64) -> AdapterSet {
    random_set(&AdapterConfig::default(), seed, 0.3)
}

fn load(state: &StateDict) -> Clip {
    Clip::from_state(&config(), state, &Device::flex()).unwrap()
}

/// One value of a set replaced.
fn poisoned(value: f32) -> StateDict {
    let mut tensors = set(1).to_tensors();
    let mut values = tensors.get("visual.1.mlp.weight").unwrap().to_f32();
    values[7] = value;
    tensors.insert("visual.1.mlp.weight", RawTensor::from_f32([16, 16], values));
    tensors
}

/// A matrix product in double precision: `W + α·s·F·W`.
fn reference(weight: &RawTensor, map: &RawTensor, factor: f64) -> Vec<f64> {
    let (rows, columns) = (weight.shape()[0], weight.shape()[1..].iter().product::<usize>());
    let (w, f) = (weight.to_f32(), map.to_f32());
    (0..rows * columns)
        .map(|at| {
            let (row, column) = (at / columns, at % columns);
            let product: f64 =
                (0..rows).map(|k| f64::from(f[row * rows + k]) * f64::from(w[k * columns + column])).sum();
            f64::from(w[at]) + factor * product
        })
        .collect()
}

#[test]
fn merged_tensors_are_the_formula_and_all_others_untouched() {
    let (base, set, alpha) = (state(2), set(2), 0.6);
    let merged = merge_state(&base, &set, Alpha::new(alpha).unwrap(), &Device::flex()).unwrap();
    let mut changed = 0;
    for (name, tensor) in base.iter() {
        let found = merged.get(name).unwrap();
        let site = if name.contains("attn.out_proj") { "attn" } else { "mlp" };
        if !name.contains("out_proj") && !name.contains("c_proj") {
            assert_eq!(found, tensor, "{name}");
            continue;
        }
        let tower = if name.starts_with("visual") { "visual" } else { "text" };
        let layer = name.split("resblocks.").nth(1).unwrap().split('.').next().unwrap();
        let weights = set.get(format!("{tower}.{layer}.{site}").parse().unwrap()).unwrap();
        let MapWeights::Full(map) = &weights.map else { panic!("full rank") };
        let factor = alpha * f64::from(weights.scale.unwrap());
        for (found, expected) in found.to_f32().iter().zip(reference(tensor, map, factor)) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{name}: {found} {expected}");
        }
        changed += 1;
    }
    assert_eq!(changed, 2 * set.len());
}

/// Stored in half precision, computed in single, rounded once at the end.
#[test]
fn a_base_in_half_precision_is_merged_in_single() {
    for (dtype, half_ulp) in [(StoredDtype::F16, 2.0_f64.powi(-11)), (StoredDtype::BF16, 2.0_f64.powi(-8))] {
        let (base, set) = (state(3).cast(dtype).unwrap(), set(3));
        let merged = merge_state(&base, &set, Alpha::ONE, &Device::flex()).unwrap();
        let name = "visual.transformer.resblocks.0.mlp.c_proj.weight";
        assert_eq!(merged.get(name).unwrap().dtype(), StoredDtype::F32);
        assert_eq!(merged.get("visual.proj"), base.get("visual.proj"), "what is not merged into stays as stored");

        let exported = merged.cast(dtype).unwrap();
        let weights = set.get("visual.0.mlp".parse().unwrap()).unwrap();
        let MapWeights::Full(map) = &weights.map else { panic!("full rank") };
        let expected = reference(base.get(name).unwrap(), map, f64::from(weights.scale.unwrap()));
        for (found, expected) in exported.get(name).unwrap().to_f32().iter().zip(expected) {
            let error = (f64::from(*found) - expected).abs();
            assert!(error <= 1.01 * half_ulp * expected.abs() + 1e-6, "{dtype}: {found} {expected}");
        }

        let probe = Probe::new(&load(&base));
        let adapted = probe.embed(&attach_trained(load(&base), &set).unwrap());
        adapted.check(&probe.embed(&load(&merged)), tolerance(StoredDtype::F32)).unwrap();
        let difference = adapted.check(&probe.embed(&load(&exported)), tolerance(dtype)).unwrap();
        eprintln!("{dtype}: embeddings of the exported model are {difference:e} from the adapted one's");
    }
}

#[test]
fn values_that_are_not_finite_are_refused() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let error = AdapterSet::from_tensors(&poisoned(value)).unwrap_err();
        assert!(matches!(&error, AdapterError::NotFinite { key, count: 1 } if key == "visual.1.mlp.weight"), "{error}");
    }
}

/// A diverged run has them in the model, without reading a file.
#[test]
fn a_diverged_model_is_not_merged() {
    use radapter_adapter::{Map, RAdapter};
    let model = attach_trained(clip(1), &set(1)).unwrap().map_adapters(|place, adapter| RAdapter {
        residual: adapter.residual.map(|mut residual| {
            if let (Map::Full(weight), "text.1.attn") = (&mut residual.map, place.to_string().as_str()) {
                *weight = weight.clone().map(|weight| weight.mul_scalar(f32::NAN));
            }
            residual
        }),
    });
    for result in [merge(&model, Alpha::ONE).map(drop), merge_checked(&model, Alpha::ONE).map(drop)] {
        let error = result.unwrap_err();
        assert!(matches!(&error, AdapterError::NotFinite { key, count: 64 } if key == "text.1.attn.weight"), "{error}");
    }
}

#[test]
fn a_merge_that_overflows_is_refused() {
    let tensors = poisoned(f32::MAX);
    let huge = AdapterSet::from_tensors(&tensors).unwrap();
    let mut base = state(1);
    let name = "visual.transformer.resblocks.1.mlp.c_proj.weight";
    base.insert(name, RawTensor::from_f32([16, 24], vec![1e6; 16 * 24]));
    let error = merge_state(&base, &huge, Alpha::ONE, &Device::flex()).unwrap_err();
    assert!(matches!(&error, AdapterError::NotFinite { key, .. } if key == name), "{error}");
    let model = attach_trained(load(&base), &huge).unwrap();
    let error = merge_checked(&model, Alpha::ONE).unwrap_err();
    assert!(matches!(error, AdapterError::MergeDiffers { difference, .. } if difference.is_nan()), "{error}");
}

#[test]
fn merging_adapters_of_zero_changes_no_bit() {
    let zero = AdapterSet::initial(&config(), &AdapterConfig::default(), 0).unwrap();
    let merged = merge_state(&state(4), &zero, Alpha::ONE, &Device::flex()).unwrap();
    assert_eq!(merged, state(4));
}

#[test]
fn merging_twice_gives_the_same_and_leaves_the_adapted_model_as_it_is() {
    let model = attach_trained(clip(4), &set(4)).unwrap();
    let before = embed(&model, &Context::inference());
    let half = Alpha::new(0.5).unwrap();
    let first = merge(&model, half).unwrap().to_state();
    assert_eq!(merge(&model, half).unwrap().to_state(), first);
    assert_eq!(bits(&embed(&model, &Context::inference())), bits(&before));
}

#[test]
fn each_adapter_is_merged_by_its_own_alpha() {
    let text =
        "outside = 0\nvisual.attn = [0, 1, 0.5]\nvisual.mlp = [0.25, 0.5, 0]\ntext.attn = [0.75, 0]\ntext.mlp = [1, 0]";
    let alphas = Alphas::from_toml(text).unwrap();
    let model = attach_trained(clip(4), &set(4)).unwrap();
    let merged = merge_checked(&model, alphas.clone()).unwrap();
    let state = merge_state(&state(4), &set(4), alphas.clone(), &Device::flex()).unwrap();
    let context = Context::inference();
    assert!(distance(&embed(&load(&state), &context), &embed(&merged.clip, &context)) < 5e-6);
    // Each place alone has the weights that it has where all have its alpha.
    for (place, layers) in [("visual.1.attn", 3), ("visual.0.mlp", 3), ("text.0.attn", 2), ("text.1.mlp", 2)] {
        let place: Place = place.parse().unwrap();
        let same = merge_state(&self::state(4), &set(4), alphas.at(place, layers), &Device::flex()).unwrap();
        let linear = if place.site == Site::Attn { "attn.out_proj" } else { "mlp.c_proj" };
        let tower = if place.tower == Tower::Visual { "visual." } else { "" };
        let name = format!("{tower}transformer.resblocks.{}.{linear}.weight", place.layer);
        assert_eq!(state.get(&name), same.get(&name), "{place}");
    }
    let other = Alphas::from_toml(&text.replace("[1, 0]", "[1]")).unwrap();
    let message = merge(&model, other).unwrap_err().to_string();
    assert!(message.contains("text.mlp = 1 values"), "{message}");
}

/// Adapters trained on a merged model go on top of it, and the order is part of the model.
#[test]
fn several_merges_one_after_another() {
    let (first, second, half) = (set(5), random_set(&AdapterConfig::default(), 6, 0.8), Alpha::new(0.5).unwrap());
    let device = Device::flex();
    let once = merge_state(&state(5), &first, half, &device).unwrap();
    let twice = merge_state(&once, &second, Alpha::ONE, &device).unwrap();
    let adapted = attach_trained(load(&once), &second).unwrap();
    let context = Context::inference();
    assert!(distance(&embed(&load(&twice), &context), &embed(&adapted, &context)) < 5e-6);

    let other = merge_state(&state(5), &second, Alpha::ONE, &device).unwrap();
    let other = merge_state(&other, &first, half, &device).unwrap();
    assert!(distance(&embed(&load(&twice), &context), &embed(&load(&other), &context)) > 1e-3);
}

/// Low-rank and full adapters of different places in one model.
#[test]
fn adapters_of_different_forms_are_merged_together() {
    let mut tensors = set(6).to_tensors();
    let low = random_set(&AdapterConfig { rank: Rank::Low(3), ..AdapterConfig::default() }, 7, 0.4).to_tensors();
    for key in ["visual.0.attn", "text.1.mlp"] {
        tensors.remove(&format!("{key}.weight")).unwrap();
        for part in ["down", "up"] {
            let key = format!("{key}.{part}");
            tensors.insert(key.clone(), low.get(&key).unwrap().clone());
        }
    }
    let set = AdapterSet::from_tensors(&tensors).unwrap();
    merge_checked(&attach_trained(clip(6), &set).unwrap(), Alpha::ONE).unwrap();
}

/// The check sees every adapter: leaving out any of them is detected.
#[test]
fn the_probe_notices_each_adapter() {
    let whole = set(8);
    let probe = Probe::new(&clip(8));
    let adapted = probe.embed(&attach_trained(clip(8), &whole).unwrap());
    for (place, _) in whole.iter() {
        let mut tensors = whole.to_tensors();
        for part in ["weight", "scale"] {
            tensors.remove(&format!("{place}.{part}")).unwrap();
        }
        let without = AdapterSet::from_tensors(&tensors).unwrap();
        let merged = merge(&attach_trained(clip(8), &without).unwrap(), Alpha::ONE).unwrap();
        let error = adapted.check(&probe.embed(&merged), tolerance(StoredDtype::F32)).unwrap_err();
        assert!(matches!(error, AdapterError::MergeDiffers { .. }), "{place}");
    }
}

#[test]
fn the_check_says_how_far_apart_the_models_are() {
    let model = attach_trained(clip(8), &set(8)).unwrap();
    let probe = Probe::new(&model);
    let half = with_alpha(model.clone(), Alpha::new(0.5).unwrap());
    let error = probe.embed(&model).check(&probe.embed(&half), 5e-5).unwrap_err();
    let AdapterError::MergeDiffers { difference, tolerance } = error else { panic!("{error}") };
    assert!(difference > tolerance && difference < 2.0);
    assert!(probe.embed(&model).difference(&probe.embed(&model)) == 0.0);
}

#[test]
fn a_model_that_lacks_the_tensors_is_named() {
    let key = "transformer.resblocks.1.attn.out_proj.weight";
    let merge = |base: &StateDict| merge_state(base, &set(0), Alpha::ONE, &Device::flex()).unwrap_err().to_string();
    let mut base = state(0);
    base.remove(key);
    let message = merge(&base);
    assert!(message.contains(key) && message.contains("no such tensor"), "{message}");
    base.insert(key, RawTensor::from_f32([4, 8], vec![0.0; 32]));
    let message = merge(&base);
    assert!(message.contains("[8, …]") && message.contains("[4, 8]"), "{message}");
}
