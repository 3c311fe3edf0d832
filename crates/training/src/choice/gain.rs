//! The smallest α that has most of what tuning gains on held-out samples.

use std::collections::BTreeMap;

use super::{Choice, ChoiceError, CurvePoint, Rule, Scene, few, mean};

/// Share of the best α's gain that is enough.
const SHARE: f64 = 0.6;

/// The smallest α whose mean log-likelihood on the held-out samples has [`SHARE`] of what the best α gains over the smallest one of the
/// grid, which is the base model. In distribution most is gained by the first steps away from the base; out of
/// distribution the last ones cost most.
#[derive(Debug)]
pub(super) struct Gain;

impl Rule for Gain {
    fn name(&self) -> &'static str {
        "gain"
    }

    fn about(&self) -> &'static str {
        "the smallest alpha with most of what the best one gains in held-out likelihood"
    }

    fn needs(&self) -> &'static str {
        "held-out samples of the run (val or val_fraction)"
    }

    fn choose(&self, scene: &mut Scene<'_>) -> Result<Choice, ChoiceError> {
        let (grid, summaries) = (scene.grid().to_vec(), scene.held_out(self)?);
        let means: Vec<f64> = summaries.iter().map(|summary| -mean(summary.losses.iter().copied())).collect();
        let samples = summaries.first().map_or(0, |summary| summary.losses.len());
        let points = grid.iter().zip(&means).map(|(&alpha, &value)| CurvePoint { alpha, value, error: None });
        Ok(Choice {
            rule: self.name().to_owned(),
            alphas: grid[enough(&means)].into(),
            measure: format!("held-out log-likelihood, of whose gain {:.0} % is enough", 100.0 * SHARE),
            curve: points.collect(),
            validation: BTreeMap::new(),
            notes: few(samples).into_iter().collect(),
        })
    }
}

/// The first value with enough of the best one's gain over the first.
fn enough(values: &[f64]) -> usize {
    let (first, best) = (values.first().copied().unwrap_or(0.0), values.iter().copied().fold(f64::MIN, f64::max));
    values.iter().position(|value| value - first >= SHARE * (best - first)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_with_enough_of_the_gain_is_taken() {
        assert_eq!(enough(&[-1.0, -0.7, -0.5, -0.4, -0.5]), 2, "0.5 of a gain of 0.6 is enough, and 0.3 is not");
        assert_eq!(enough(&[-1.0, -2.0, -3.0]), 0, "nothing is gained");
        assert_eq!(enough(&[-1.0]), 0);
    }
}
