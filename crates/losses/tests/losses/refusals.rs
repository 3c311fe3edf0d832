//! Invalid arguments of the losses, and that the error names them.

use burn::tensor::{Device, FloatDType, Tensor};
use radapter_losses::{LossError, MpmNceConfig, Positives, cross_entropy, info_nce, mpm_nce};

fn zeros(rows: usize, columns: usize) -> Tensor<2> {
    Tensor::zeros([rows, columns], &Device::flex())
}

fn refusal(result: Result<Tensor<1>, LossError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn settings_outside_their_range() {
    let with = |key: &str, value: f64| {
        let mut config = MpmNceConfig::default();
        match key {
            "margin" => config.margin = value,
            "smoothing" => config.smoothing = value,
            _ => config.temperature = value,
        }
        config
    };
    for (key, value) in [
        ("margin", -0.1),
        ("margin", f64::NAN),
        ("smoothing", 1.0),
        ("smoothing", -0.02),
        ("smoothing", f64::NAN),
        ("temperature", 0.0),
        ("temperature", -1.0),
        ("temperature", f64::INFINITY),
    ] {
        let config = with(key, value);
        let message = config.validate().unwrap_err().to_string();
        assert!(message.starts_with(&format!("{key} = {value}")), "{message}");
        let positives = Positives::diagonal(2);
        assert_eq!(refusal(mpm_nce(zeros(2, 3), zeros(2, 3), &positives, &config)), message);
    }
    assert!(refusal(cross_entropy(zeros(1, 2), &[0], 2.0)).starts_with("smoothing = 2"));
}

#[test]
fn sizes_and_types_that_do_not_belong_together() {
    let config = MpmNceConfig::default();
    let two = Positives::diagonal(2);
    let message = refusal(mpm_nce(zeros(2, 3), zeros(2, 4), &two, &config));
    assert_eq!(message, "text embeddings: expected [2, 3], found [2, 4]");
    let message = refusal(mpm_nce(zeros(3, 3), zeros(3, 3), &two, &config));
    assert_eq!(message, "labels: expected [3], found [2]");
    let half = zeros(2, 3).cast(FloatDType::F16);
    let message = refusal(mpm_nce(zeros(2, 3), half, &two, &config));
    assert!(message.contains("f32") && message.contains("f16"), "{message}");
    let message = refusal(cross_entropy(zeros(2, 3), &[0], 0.0));
    assert_eq!(message, "labels: expected [2], found [1]");
}

#[test]
fn an_empty_batch() {
    let device = Device::flex();
    let empty = || Tensor::<2>::empty([0, 3], &device);
    assert_eq!(info_nce(empty(), empty(), 0.01).unwrap_err(), LossError::EmptyBatch);
}
