//! Steps compared with PyTorch's, averaging, clipping, and restoring.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use burn::module::Param;
use burn::tensor::{Device, TensorData};

use super::*;

#[derive(Module, Debug)]
struct Two {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

const FIXTURE: &str = include_str!("../../tests/fixtures/adamw.json");

fn numbers(value: &serde_json::Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn model(values: &serde_json::Value) -> Two {
    let device = Device::flex().autodiff();
    Two {
        weight: Param::from_tensor(Tensor::from_data(TensorData::new(numbers(&values["weight"]), [3, 4]), &device)),
        bias: Param::from_tensor(Tensor::from_data(TensorData::new(numbers(&values["bias"]), [4]), &device)),
    }
}

fn gradients(model: &Two, step: &serde_json::Value) -> GradientsParams {
    let zero = step["zero"].as_array().unwrap();
    let mut gradients = GradientsParams::new();
    let device = Device::flex();
    // A gradient that is zeros in PyTorch is absent here, as burn's backward pass leaves it.
    if !zero.iter().any(|name| name == "weight") {
        let data = TensorData::new(numbers(&step["gradients"]["weight"]), [3, 4]);
        gradients.register(model.weight.id, Tensor::<2>::from_data(data, &device));
    }
    if !zero.iter().any(|name| name == "bias") {
        let data = TensorData::new(numbers(&step["gradients"]["bias"]), [4]);
        gradients.register(model.bias.id, Tensor::<1>::from_data(data, &device));
    }
    gradients
}

fn settings() -> OptimizerSettings {
    let averaging = Some(Averaging::exponential(0.9));
    OptimizerSettings { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.1, spd: 0.0, clip_norm: Some(1.0), averaging }
}

/// Creates an optimizer before its first step.
fn optimizer(model: &Two, settings: OptimizerSettings) -> Optimizer {
    Optimizer::new(settings, Memory::start(parameters::trained(model)))
}

fn assert_close(found: &Named, expected: &serde_json::Value, what: &str) {
    assert_eq!(found.len(), 2);
    for (name, flat) in found {
        let found = flat.values.to_data().try_to_vec::<f32>().unwrap();
        for (found, expected) in found.iter().zip(numbers(&expected[name])) {
            assert!((found - expected).abs() <= 2e-6, "{what}, {name}: {found} and {expected}");
        }
    }
}

#[test]
fn steps_match_pytorch() {
    let fixture: serde_json::Value = serde_json::from_str(FIXTURE).unwrap();
    let mut model = model(&fixture["initial"]);
    let mut optimizer = optimizer(&model, settings());
    for (index, step) in fixture["steps"].as_array().unwrap().iter().enumerate() {
        let update = Update::new(&model, gradients(&model, step), 1.0);
        let norm = update.norm;
        let expected = step["norm"].as_f64().unwrap();
        assert!((norm - expected).abs() <= 1e-6 * expected, "step {index}: norm {norm} and {expected}");
        model = optimizer.step(model, index as u64 + 1, step["lr"].as_f64().unwrap(), update);
        let trained = parameters::trained(&model);
        assert_close(&trained, &step["parameters"], &format!("step {index}"));
        assert_close(optimizer.averages().unwrap(), &step["averages"], &format!("average {index}"));
        assert!(model.weight.is_require_grad() && model.weight.is_autodiff());
    }
}

#[test]
fn selective_projection_decay_matches_the_published_code() {
    let fixture: serde_json::Value = serde_json::from_str(include_str!("../../tests/fixtures/adamspd.json")).unwrap();
    let mut model = model(&fixture["initial"]);
    let settings = OptimizerSettings { weight_decay: 0.0, spd: 0.6, clip_norm: None, ..settings() };
    let start = parameters::trained(&model);
    let mut optimizer = optimizer(&model, settings).started_from(start);
    for (index, step) in fixture["steps"].as_array().unwrap().iter().enumerate() {
        let update = Update::new(&model, gradients(&model, step), 1.0);
        model = optimizer.step(model, index as u64 + 1, 0.05, update);
        assert_close(&parameters::trained(&model), &step["parameters"], &format!("step {index}"));
        assert_close(optimizer.averages().unwrap(), &step["averages"], &format!("average {index}"));
    }
    assert_eq!(fixture["pulled"], serde_json::json!({ "weight": 6, "bias": 4 }), "some steps are pulled back");
}

#[test]
fn a_restored_optimizer_continues_with_the_same_bits() {
    let fixture: serde_json::Value = serde_json::from_str(FIXTURE).unwrap();
    let steps = fixture["steps"].as_array().unwrap();
    let run = |restore_at: Option<usize>| {
        let mut model = model(&fixture["initial"]);
        let mut optimizer = optimizer(&model, settings());
        for (index, step) in steps.iter().enumerate() {
            if restore_at == Some(index) {
                optimizer = Optimizer::new(settings(), optimizer.memory().clone());
            }
            let update = Update::new(&model, gradients(&model, step), 1.0);
            model = optimizer.step(model, index as u64 + 1, 0.01, update);
        }
        (model.weight.val().into_data(), model.bias.val().into_data())
    };
    let whole = run(None);
    assert!((0..steps.len()).all(|index| run(Some(index)) == whole));
}

#[test]
fn the_average_has_its_closed_form() {
    let fixture: serde_json::Value = serde_json::from_str(FIXTURE).unwrap();
    let mut model = model(&fixture["initial"]);
    let mut optimizer = optimizer(&model, settings());
    let m: f64 = 0.9;
    let bias = |model: &Two| f64::from(model.bias.val().into_data().try_to_vec::<f32>().unwrap()[1]);
    let mut history = vec![bias(&model)];
    for (step, index) in fixture["steps"].as_array().unwrap().iter().zip(1..) {
        let update = Update::new(&model, gradients(&model, step), 1.0);
        model = optimizer.step(model, index, 0.1, update);
        history.push(bias(&model));
    }
    // W̃_n = m^n·W_0 + (1−m)·Σ m^(n−k)·W_k
    let n = history.len() - 1;
    let closed =
        m.powi(n as i32) * history[0] + (1..=n).map(|k| (1.0 - m) * m.powi((n - k) as i32) * history[k]).sum::<f64>();
    let found = optimizer.averages().unwrap()["bias"].values.to_data().try_to_vec::<f32>().unwrap()[1];
    assert!((f64::from(found) - closed).abs() < 1e-6, "{found} and {closed}");
}

#[test]
fn a_large_gradient_is_clipped_and_a_small_one_is_not() {
    let fixture: serde_json::Value = serde_json::from_str(FIXTURE).unwrap();
    let plain = |clip_norm, size: f32| {
        let model = model(&fixture["initial"]);
        let mut optimizer = optimizer(&model, OptimizerSettings { clip_norm, ..settings() });
        let mut gradients = GradientsParams::new();
        gradients.register(model.bias.id, Tensor::<1>::full([4], size, &Device::flex()));
        let update = Update::new(&model, gradients, 1.0);
        assert!((update.norm - 2.0 * f64::from(size)).abs() < 1e-6);
        optimizer.step(model, 1, 0.1, update);
        optimizer.memory().first["bias"].values.to_data().try_to_vec::<f32>().unwrap()[0]
    };
    // The first moment after one step is 0.1 · gradient; clipped to norm 1, each of four equal components is 0.5.
    assert!((plain(Some(1.0), 10.0) - 0.05).abs() < 1e-6);
    assert!((plain(None, 10.0) - 1.0).abs() < 1e-5);
    assert!((plain(Some(1.0), 0.25) - 0.025).abs() < 1e-7);
}
