//! MPM-NCE's gradient against central differences of the definition, in double precision on the host.

use radapter_losses::{MpmNceConfig, Positives, mpm_nce};

use crate::support::{Rows, relative_distance, with_gradients};

/// The definition, pair by pair.
fn reference(image: &Rows, text: &Rows, labels: &[i64], config: &MpmNceConfig) -> f64 {
    let batch = labels.len();
    let direction = |from: &Rows, to: &Rows| {
        let mut sum = 0.0;
        for i in 0..batch {
            let negative = |j: usize| f64::from(u8::from(labels[i] != labels[j]));
            let positives = (0..batch).filter(|&j| labels[i] == labels[j]).count() as f64;
            let logits: Vec<f64> = (0..batch)
                .map(|j| {
                    let cosine: f64 = from[i].iter().zip(&to[j]).map(|(a, b)| a * b).sum();
                    (cosine + config.margin * negative(j)) / config.temperature
                })
                .collect();
            let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let log_sum = largest + logits.iter().map(|l| (l - largest).exp()).sum::<f64>().ln();
            let negatives = batch as f64 - positives;
            for (j, logit) in logits.iter().enumerate() {
                let target = match (labels[i] == labels[j], negatives > 0.0) {
                    (true, true) => (1.0 - config.smoothing) / positives,
                    (true, false) => 1.0 / positives,
                    (false, _) => config.smoothing / negatives,
                };
                sum -= target * (logit - log_sum);
            }
        }
        sum / batch as f64
    };
    (direction(image, text) + direction(text, image)) / 2.0
}

/// Rows that differ from each other without a generator.
fn embeddings(batch: usize, dim: usize, phase: f64) -> Rows {
    (0..batch)
        .map(|i| {
            let row: Vec<f64> =
                (0..dim).map(|k| f64::from(((i * dim + k) as f64 * 0.9 + phase).sin() as f32)).collect();
            let norm = row.iter().map(|value| value * value).sum::<f64>().sqrt();
            row.iter().map(|value| f64::from((value / norm) as f32)).collect()
        })
        .collect()
}

fn central_differences(at: &Rows, value: impl Fn(&Rows) -> f64) -> Vec<f64> {
    const STEP: f64 = 1e-6;
    let mut moved = at.clone();
    let mut gradient = Vec::new();
    for i in 0..at.len() {
        for k in 0..at[i].len() {
            moved[i][k] = at[i][k] + STEP;
            let above = value(&moved);
            moved[i][k] = at[i][k] - STEP;
            gradient.push((above - value(&moved)) / (2.0 * STEP));
            moved[i][k] = at[i][k];
        }
    }
    gradient
}

#[test]
fn the_gradient_is_the_slope_of_the_definition() {
    for (labels, margin, smoothing, temperature) in
        [(vec![0, 1, 2, 3], 0.0, 0.0, 0.05), (vec![2, 0, 2, 1, 0], 0.05, 0.02, 0.01), (vec![1, 1, 1], 0.1, 0.2, 0.1)]
    {
        let config = MpmNceConfig { margin, smoothing, temperature };
        let image = embeddings(labels.len(), 5, 0.3);
        let text = embeddings(labels.len(), 5, 1.7);
        let positives = Positives::from_labels(&labels);
        let (loss, image_gradient, text_gradient) =
            with_gradients(&image, &text, |image, text| mpm_nce(image, text, &positives, &config));

        let expected = reference(&image, &text, &labels, &config);
        assert!((loss / expected - 1.0).abs() < 1e-5, "{loss} {expected}");
        let slope = central_differences(&image, |x| reference(x, &text, &labels, &config));
        assert!(relative_distance(&image_gradient, &slope) < 2e-5);
        let slope = central_differences(&text, |x| reference(&image, x, &labels, &config));
        assert!(relative_distance(&text_gradient, &slope) < 2e-5);
    }
}
