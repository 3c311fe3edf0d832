//! Likelihood, temperature, calibration error and bootstrap intervals against NumPy and SciPy (`xtask/fixtures/calibration.py`).

use radapter_classification::accuracy::Resamples;
use radapter_classification::calibration::LabelledLogits;
use serde_json::Value;

fn fixture() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/calibration.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn likelihood_temperature_and_calibration_error_are_scipys() {
    for case in fixture()["cases"].as_array().unwrap() {
        let values: Vec<f32> = read(&case["logits"]);
        let labels: Vec<usize> = read(&case["labels"]);
        let classes: usize = read(&case["classes"]);
        let mut logits = LabelledLogits::new(classes);
        for (row, label) in values.chunks(classes).zip(labels) {
            logits.push(row, label).unwrap();
        }
        for (inverse, expected) in read::<Vec<(f64, f64)>>(&case["nll"]) {
            let found = logits.mean_nll(inverse);
            assert!((found - expected).abs() < 1e-12 * expected.max(1.0), "{inverse}: {found}, expected {expected}");
        }
        for (inverse, expected) in read::<Vec<(f64, f64)>>(&case["ece"]) {
            let found = logits.calibration_error(inverse);
            assert!((found - expected).abs() < 1e-12, "{inverse}: {found}, expected {expected}");
        }
        let (found, expected) = (logits.inverse_temperature().unwrap(), case["best"].as_f64().unwrap());
        assert!((found / expected - 1.0).abs() < 1e-6, "{found}, expected {expected}");
    }
}

#[test]
fn bootstrap_intervals_are_those_of_resampled_images() {
    let expected = &fixture()["intervals"];
    let near = |found: [f64; 2], expected: &Value, tolerance: f64| {
        for (found, expected) in found.iter().zip(read::<[f64; 2]>(expected)) {
            assert!((found - expected).abs() < tolerance, "{found}, expected {expected}");
        }
    };
    let sets: Vec<(u64, u64)> = read(&expected["sets"]);
    let streams = sets.iter().zip(0..);
    let resampled: Vec<_> = streams.map(|(&(right, n), stream)| Resamples::accuracy(right, n, stream)).collect();
    for (index, (_, n)) in sets.iter().enumerate() {
        // A quantile may fall on the next number of images.
        near(resampled[index].interval(), &expected["accuracies"][index], 1.01 / *n as f64);
    }
    near(Resamples::mean(&resampled).interval(), &expected["mean"], 0.003);
    let answers = |model: &str| read::<Vec<bool>>(&expected[model]);
    let (first, second) = (answers("first"), answers("second"));
    let paired = Resamples::difference(&first, &second, 0).unwrap();
    near(paired.interval(), &expected["difference"], 1.01 / first.len() as f64);
}
