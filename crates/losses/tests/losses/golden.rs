//! MPM-NCE against values and gradients recorded from PyTorch in double precision: the fixture shipped with this crate,
//! and the file recorded from the published R-Adapter code where it is available.

use std::path::{Path, PathBuf};

use radapter_losses::{MpmNceConfig, Positives, mpm_nce};
use serde_json::Value;

use crate::support::{Rows, relative_distance, with_gradients};

/// Single precision at τ = 0.01, where a cosine's last bit counts a hundredfold.
const TOLERANCE: f64 = 1e-5;

pub(crate) fn shipped() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/losses.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub(crate) fn rows(value: &Value) -> Rows {
    serde_json::from_value(value.clone()).unwrap()
}

fn check(cases: &Value) {
    let cases = cases.as_array().unwrap();
    assert!(!cases.is_empty());
    for (index, case) in cases.iter().enumerate() {
        let labels: Vec<i64> = serde_json::from_value(case["labels"].clone()).unwrap();
        let config = MpmNceConfig {
            margin: case["margin"].as_f64().unwrap(),
            smoothing: case["label_smoothing"].as_f64().unwrap(),
            temperature: 1.0 / case["logit_scale"].as_f64().unwrap(),
        };
        let positives = Positives::from_labels(&labels);
        let (loss, image, text) = with_gradients(&rows(&case["image"]), &rows(&case["text"]), |image, text| {
            mpm_nce(image, text, &positives, &config)
        });

        let flat = |key: &str| rows(&case[key]).concat();
        let errors = [
            (loss / case["loss"].as_f64().unwrap() - 1.0).abs(),
            relative_distance(&image, &flat("grad_image")),
            relative_distance(&text, &flat("grad_text")),
        ];
        eprintln!("case {index}: relative error of loss, image and text gradient {errors:?}");
        assert!(
            errors.iter().all(|&error| error <= TOLERANCE),
            "case {index}: relative errors {errors:?} above {TOLERANCE}"
        );
    }
}

#[test]
fn the_shipped_fixture() {
    check(&shipped()["cases"]);
}

#[test]
fn the_published_code() {
    let folder = std::env::var_os("RADAPTER_GOLDEN")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden/clip-small"), PathBuf::from);
    match std::fs::read_to_string(folder.join("mpm_nce.json")) {
        Ok(text) => check(&serde_json::from_str::<Value>(&text).unwrap()["cases"]),
        Err(error) => eprintln!("skipped: no mpm_nce.json in {}: {error}", folder.display()),
    }
}
