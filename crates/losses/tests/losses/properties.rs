//! Properties that hold for every batch.

use proptest::prelude::*;
use radapter_losses::{MpmNceConfig, Positives, info_nce, mpm_nce};

use crate::support::{Rows, mpm_nce_value, with_gradients};

fn normalize(mut row: Vec<f64>) -> Vec<f64> {
    row[0] += 0.1;
    let norm = row.iter().map(|value| value * value).sum::<f64>().sqrt();
    row.iter().map(|value| value / norm.max(1e-3)).collect()
}

fn embeddings(batch: usize) -> impl Strategy<Value = Rows> {
    prop::collection::vec(prop::collection::vec(-1.0..1.0_f64, 6).prop_map(normalize), batch)
}

/// Image and text embeddings, labels from a few classes, and an order of the pairs.
fn batch() -> impl Strategy<Value = (Rows, Rows, Vec<i64>, Vec<usize>)> {
    (2..9_usize).prop_flat_map(|batch| {
        (
            embeddings(batch),
            embeddings(batch),
            prop::collection::vec(0..4_i64, batch),
            Just((0..batch).collect::<Vec<_>>()).prop_shuffle(),
        )
    })
}

fn settings() -> impl Strategy<Value = MpmNceConfig> {
    (0.0..0.2_f64, 0.0..0.5_f64, 0.01..0.2_f64).prop_map(|(margin, smoothing, temperature)| MpmNceConfig {
        margin,
        smoothing,
        temperature,
    })
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 2e-5 * a.abs().max(b.abs()).max(1.0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_order_of_the_pairs_does_not_matter(
        (image, text, labels, order) in batch(),
        config in settings(),
    ) {
        let loss = mpm_nce_value(&image, &text, &labels, &config);
        let rows = |rows: &Rows| order.iter().map(|&i| rows[i].clone()).collect::<Rows>();
        let labels: Vec<i64> = order.iter().map(|&i| labels[i]).collect();
        let permuted = mpm_nce_value(&rows(&image), &rows(&text), &labels, &config);
        prop_assert!(close(loss, permuted), "{loss} {permuted}");
    }

    #[test]
    fn only_the_equality_of_labels_matters(
        (image, text, labels, _) in batch(),
        config in settings(),
        shift in any::<i32>(),
    ) {
        let renamed: Vec<i64> = labels.iter().map(|label| i64::from(shift) - 3 * label).collect();
        prop_assert_eq!(
            mpm_nce_value(&image, &text, &labels, &config),
            mpm_nce_value(&image, &text, &renamed, &config)
        );
    }

    #[test]
    fn both_directions_weigh_the_same((image, text, labels, _) in batch(), config in settings()) {
        let there = mpm_nce_value(&image, &text, &labels, &config);
        let back = mpm_nce_value(&text, &image, &labels, &config);
        prop_assert!(close(there, back), "{there} {back}");
    }

    #[test]
    fn distinct_labels_without_margin_and_smoothing_are_info_nce(
        (image, text, _, _) in batch(),
        temperature in 0.01..0.5_f64,
    ) {
        let labels: Vec<i64> = (0..image.len() as i64).rev().collect();
        let config = MpmNceConfig { margin: 0.0, smoothing: 0.0, temperature };
        let (special, ..) = with_gradients(&image, &text, |image, text| {
            info_nce(image, text, temperature)
        });
        prop_assert_eq!(special, mpm_nce_value(&image, &text, &labels, &config));
        prop_assert!(special >= 0.0);
    }

    /// No negatives: the margin applies to nothing, smoothing has nowhere to go.
    #[test]
    fn a_batch_of_one_class_is_finite_and_free_of_margin_and_smoothing(
        (image, text, _, _) in batch(),
        config in settings(),
        label in any::<i64>(),
    ) {
        let labels = vec![label; image.len()];
        let positives = Positives::from_labels(&labels);
        let (loss, image_gradient, text_gradient) =
            with_gradients(&image, &text, |image, text| mpm_nce(image, text, &positives, &config));
        prop_assert!(loss.is_finite());
        prop_assert!(image_gradient.iter().chain(&text_gradient).all(|value| value.is_finite()));
        let plain = MpmNceConfig { margin: 0.0, smoothing: 0.0, ..config };
        prop_assert_eq!(loss, mpm_nce_value(&image, &text, &labels, &plain));
        // The mean of log-probabilities is at most that of the uniform distribution.
        prop_assert!(loss >= (image.len() as f64).ln() * (1.0 - 1e-5));
    }

    /// A margin makes every negative harder.
    #[test]
    fn a_larger_margin_is_a_larger_loss_without_smoothing(
        (image, text, labels, _) in batch(),
        temperature in 0.05..0.5_f64,
        margin in 0.0..0.2_f64,
    ) {
        let config = |margin| MpmNceConfig { margin, smoothing: 0.0, temperature };
        let small = mpm_nce_value(&image, &text, &labels, &config(margin));
        let large = mpm_nce_value(&image, &text, &labels, &config(margin + 0.05));
        prop_assert!(large >= small - 2e-5 * small.abs().max(1.0), "{small} {large}");
    }
}

#[test]
fn one_pair_costs_nothing() {
    let row = vec![vec![0.6, 0.8]];
    let loss = mpm_nce_value(&row, &row, &[1], &MpmNceConfig::default());
    assert_eq!(loss, 0.0);
}
