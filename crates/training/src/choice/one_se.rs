//! The smallest α that is not clearly worse than the best on held-out samples.

use std::collections::BTreeMap;

use super::{Choice, ChoiceError, CurvePoint, Rule, Scene, few, mean};

/// The smallest α whose mean negative log-likelihood is within one standard error of the best α's. The error is that of the
/// *paired* difference of each sample, which is smaller than that of either mean, because samples are easy or hard for both.
///
/// The one-standard-error rule of Breiman et al., Classification and Regression Trees (1984), in the paired form.
#[derive(Debug)]
pub(super) struct OneSe;

impl Rule for OneSe {
    fn name(&self) -> &'static str {
        "one-se"
    }

    fn about(&self) -> &'static str {
        "the smallest alpha within one paired standard error of the best held-out likelihood"
    }

    fn needs(&self) -> &'static str {
        "held-out samples of the run (val or val_fraction)"
    }

    fn choose(&self, scene: &mut Scene<'_>) -> Result<Choice, ChoiceError> {
        let (grid, summaries) = (scene.grid().to_vec(), scene.held_out(self)?);
        let means: Vec<f64> = summaries.iter().map(|summary| mean(summary.losses.iter().copied())).collect();
        let best = (1..means.len()).fold(0, |best, index| if means[index] < means[best] { index } else { best });
        let errors: Vec<f64> =
            summaries.iter().map(|summary| paired_error(&summary.losses, &summaries[best].losses)).collect();
        let within = (0..grid.len()).find(|&index| means[index] - means[best] <= errors[index]);
        let alpha = grid[within.unwrap_or(best)];
        let point = |index: usize| CurvePoint { alpha: grid[index], value: -means[index], error: Some(errors[index]) };
        Ok(Choice {
            rule: self.name().to_owned(),
            alphas: alpha.into(),
            measure: "held-out log-likelihood".to_owned(),
            curve: (0..grid.len()).map(point).collect(),
            validation: BTreeMap::new(),
            notes: few(summaries[best].losses.len()).into_iter().collect(),
        })
    }
}

/// The standard error of the mean difference of two models on the same samples.
fn paired_error(a: &[f64], b: &[f64]) -> f64 {
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    let count = differences.len() as f64;
    let center = mean(differences.iter().copied());
    let squares: f64 = differences.iter().map(|difference| (difference - center).powi(2)).sum();
    (squares / (count - 1.0).max(1.0) / count.max(1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_of_the_difference_not_of_the_values() {
        let (a, b) = ([1.0, 5.0, 9.0], [1.5, 5.5, 9.5]);
        assert_eq!(paired_error(&a, &b), 0.0);
        // Differences 0, 1, 2: deviation 1, over √3.
        assert!((paired_error(&[1.0, 2.0, 3.0], &[1.0, 1.0, 1.0]) - (1.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(paired_error(&[1.0], &[0.0]), 0.0);
    }
}
