//! Ensembles of drawn tensors against NumPy (`xtask/fixtures/ensembles.py`).

#![allow(missing_docs, reason = "tests are named for what they show")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use radapter_adapter::{AdapterFile, AdapterSet, AdapterWeights, Depth, MapWeights};
use radapter_clip::state_dict::{RawTensor, Spool, StateDict, StoredDtype};
use radapter_ensemble::{EnsembleError, Member, interpolate, soup, soup_of_adapters, stock};
use serde_json::Value;

fn fixture() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ensembles.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn tensor(value: &Value) -> RawTensor {
    let shape: Vec<usize> = serde_json::from_value(value["shape"].clone()).unwrap();
    RawTensor::from_f32(shape, serde_json::from_value(value["values"].clone()).unwrap())
}

fn state(value: &Value) -> StateDict {
    value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), tensor(value))).collect()
}

fn spool() -> Spool {
    Spool::new(std::env::temp_dir()).unwrap()
}

fn models(fixture: &Value) -> (StateDict, Vec<StateDict>) {
    (state(&fixture["base"]), fixture["tuned"].as_array().unwrap().iter().map(state).collect())
}

fn members(tuned: &[StateDict]) -> Vec<Member<'_>> {
    tuned.iter().zip(["one", "two", "three"]).map(|(state, name)| Member { name, state }).collect()
}

#[track_caller]
fn close(found: &RawTensor, expected: &RawTensor, name: &str) {
    assert_eq!(found.shape(), expected.shape(), "{name}");
    for (found, expected) in found.to_f32().iter().zip(expected.to_f32()) {
        assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{name}: {found}, expected {expected}");
    }
}

#[track_caller]
fn all_close(found: &StateDict, expected: &Value) {
    let expected = state(expected);
    assert_eq!(found.len(), expected.len());
    found.iter().for_each(|(name, tensor)| close(tensor, expected.get(name).unwrap(), name));
}

const DEPTH: Depth = Depth { visual: 3, text: 2 };

#[test]
fn interpolation_is_numpy_s() {
    let fixture = fixture();
    let (base, tuned) = models(&fixture);
    let base = Member { name: "base", state: &base };
    for (alphas, expected) in fixture["interpolate"].as_object().unwrap() {
        let mixed = interpolate(base, members(&tuned)[0], &alphas.parse().unwrap(), DEPTH, spool()).unwrap();
        all_close(&mixed, expected);
    }
}

#[test]
fn interpolation_ends_at_the_base_and_at_the_tuned_model_bit_for_bit() {
    let (base, tuned) = models(&fixture());
    let base = base.cast(StoredDtype::F16).unwrap();
    let at = |alpha: &str| {
        let base = Member { name: "base", state: &base };
        interpolate(base, members(&tuned)[0], &alpha.parse().unwrap(), DEPTH, spool()).unwrap()
    };
    assert_eq!(at("0"), base);
    assert_eq!(at("1"), tuned[0]);
}

#[test]
fn soup_and_stock_are_numpy_s() {
    let fixture = fixture();
    let (base, tuned) = models(&fixture);
    all_close(&soup(&members(&tuned), spool()).unwrap(), &fixture["soup"]);
    let stocked = stock(Member { name: "base", state: &base }, &members(&tuned), spool()).unwrap();
    all_close(&stocked, &fixture["stock"]);
    // Deltas that point apart have no point between them that is nearer to their centre.
    let apart = "transformer.resblocks.1.mlp.c_proj.bias";
    assert_eq!(stocked.get(apart), base.get(apart));
}

#[test]
fn models_that_are_the_same_stay_what_they_are() {
    let (base, _) = models(&fixture());
    let base = base.cast(StoredDtype::BF16).unwrap();
    let same = ["one", "two"].map(|name| Member { name, state: &base });
    assert_eq!(soup(&same, spool()).unwrap(), base);
    assert_eq!(stock(same[0], &same, spool()).unwrap(), base);
    assert_eq!(soup(&same[..1], spool()).unwrap(), base);
}

#[test]
fn other_shapes_missing_tensors_and_too_few_models_are_errors_that_name_them() {
    let (base, tuned) = models(&fixture());
    let mut lacks = base.clone();
    lacks.remove("text_projection");
    let mut wide = base.clone();
    wide.insert("text_projection", RawTensor::from_f32([3, 4], vec![0.0; 12]));
    let base = Member { name: "base", state: &base };
    let message = |other: &StateDict| {
        let other = Member { name: "other", state: other };
        let message = soup(&[base, other], spool()).unwrap_err().to_string();
        assert_eq!(message, interpolate(base, other, &"0.5".parse().unwrap(), DEPTH, spool()).unwrap_err().to_string());
        message
    };
    assert_eq!(
        message(&lacks),
        "`other` has no tensor `text_projection`, which `base` has; expected models of the same architecture"
    );
    let wide = message(&wide);
    assert!(wide.contains("`text_projection`: shape [3, 2] in `base`, [3, 4] in `other`"), "{wide}");
    assert!(matches!(soup(&[], spool()), Err(EnsembleError::TooFew { least: 1, found: 0, .. })));
    let one = stock(base, &members(&tuned)[..1], spool()).unwrap_err().to_string();
    assert_eq!(one, "Model Stock needs at least 2 models, found 1");
}

fn files(value: &Value) -> Vec<AdapterFile> {
    let keyed = |value: &Value| -> StateDict {
        state(value).into_iter().map(|(part, tensor)| (format!("visual.1.mlp.{part}"), tensor)).collect()
    };
    let file = |value: &Value| AdapterFile {
        adapters: AdapterSet::from_tensors(&keyed(value)).unwrap(),
        base: Some("same".to_owned()),
        config: None,
    };
    value.as_array().unwrap().iter().map(file).collect()
}

fn named(files: &[AdapterFile]) -> Vec<(&str, &AdapterFile)> {
    ["a", "b", "c"].into_iter().zip(files).collect()
}

/// The effect `s·F` of the only adapter, and its rank if it is a product.
fn effect(file: &AdapterFile) -> (RawTensor, Option<usize>) {
    let AdapterWeights { map, scale } = file.adapters.iter().next().unwrap().1;
    let scale = scale.unwrap();
    match map {
        MapWeights::Full(weight) => {
            let values = weight.to_f32().into_iter().map(|value| value * scale).collect();
            (RawTensor::from_f32(weight.shape(), values), None)
        }
        MapWeights::Low { down, up } => {
            let (rank, width) = (down.shape()[0], down.shape()[1]);
            let (down, up) = (down.to_f32(), up.to_f32());
            let product = (0..width * width)
                .map(|at| (0..rank).map(|k| scale * up[at / width * rank + k] * down[k * width + at % width]).sum());
            (RawTensor::from_f32([width, width], product.collect()), Some(rank))
        }
    }
}

#[test]
fn a_soup_of_adapters_has_the_mean_effect() {
    let fixture = fixture();
    for (kind, rank) in [("low", Some(3)), ("many", None), ("full", None), ("both", None)] {
        let case = &fixture["adapters"][kind];
        let soup = soup_of_adapters(&named(&files(&case["members"]))).unwrap();
        let (found, found_rank) = effect(&soup);
        assert_eq!((found_rank, soup.base.as_deref()), (rank, Some("same")), "{kind}");
        let expected = tensor(&case["mean"]);
        for (found, expected) in found.to_f32().iter().zip(expected.to_f32()) {
            assert!((found - expected).abs() < 3e-6, "{kind}: {found}, expected {expected}");
        }
    }
}

#[test]
fn adapters_of_other_bases_or_places_do_not_mix() {
    let mut files = files(&fixture()["adapters"]["low"]["members"]);
    files[1].base = Some("other".to_owned());
    let message = soup_of_adapters(&named(&files)).unwrap_err().to_string();
    assert!(message.contains("of `a` and of `b`") && message.contains("same base"), "{message}");
    files[1].base = None;
    let elsewhere: StateDict = files[1]
        .adapters
        .to_tensors()
        .into_iter()
        .map(|(key, tensor)| (key.replace("visual.1", "text.0"), tensor))
        .collect();
    files[1].adapters = AdapterSet::from_tensors(&elsewhere).unwrap();
    let message = soup_of_adapters(&named(&files)).unwrap_err().to_string();
    assert!(message.starts_with("`b` has no adapter at visual.1.mlp"), "{message}");
    assert!(soup_of_adapters(&[]).unwrap_err().to_string().contains("at least 1"));
}
