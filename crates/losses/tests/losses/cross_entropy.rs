//! Cross-entropy against torch's values and gradients.

use burn::tensor::Device;
use radapter_losses::{LossError, cross_entropy};

use crate::golden::{rows, shipped};
use crate::support::{numbers, relative_distance, tensor};

#[test]
fn equals_torch() {
    let fixture = shipped();
    for case in fixture["cross_entropy"].as_array().unwrap() {
        let labels: Vec<usize> = serde_json::from_value(case["labels"].clone()).unwrap();
        let smoothing = case["label_smoothing"].as_f64().unwrap();
        let logits = tensor(&rows(&case["logits"]), &Device::flex().autodiff()).require_grad();
        let loss = cross_entropy(logits.clone(), &labels, smoothing).unwrap();
        let gradient = logits.grad(&loss.backward()).unwrap();

        let expected = case["loss"].as_f64().unwrap();
        let found = numbers(loss)[0];
        assert!((found / expected - 1.0).abs() < 1e-6, "{found} {expected}");
        let error = relative_distance(&numbers(gradient), &rows(&case["grad"]).concat());
        assert!(error < 1e-6, "{error}");
    }
}

#[test]
fn is_unchanged_by_a_shift_of_the_logits() {
    let logits = tensor(&vec![vec![1.0, -2.0, 0.5], vec![0.0, 4.0, -1.0]], &Device::flex());
    let value = |logits| numbers(cross_entropy(logits, &[2, 1], 0.1).unwrap())[0];
    let shifted = value(logits.clone().add_scalar(1000.0));
    assert!((value(logits) - shifted).abs() < 1e-3, "1000 is exact to 6e-5");
}

#[test]
fn a_certain_right_answer_costs_nothing_and_a_wrong_one_its_distance() {
    let logits = || tensor(&vec![vec![0.0, 10_000.0]], &Device::flex());
    assert_eq!(numbers(cross_entropy(logits(), &[1], 0.0).unwrap()), [0.0]);
    assert_eq!(numbers(cross_entropy(logits(), &[0], 0.0).unwrap()), [10_000.0]);
}

#[test]
fn labels_have_to_be_columns() {
    let logits = tensor(&vec![vec![0.0, 1.0], vec![0.0, 1.0]], &Device::flex());
    let error = cross_entropy(logits, &[1, 2], 0.0).unwrap_err();
    assert_eq!(error, LossError::Label { index: 1, label: 2, classes: 2 });
}
