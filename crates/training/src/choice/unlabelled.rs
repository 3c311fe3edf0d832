//! The α by which base and tuned model are trusted on images without labels.

use std::collections::BTreeMap;

use radapter_adapter::Alpha;
use radapter_losses::calibration::{LabelledLogits, entropy};

use super::{Choice, ChoiceError, Judged, Rule, Scene, few, mean};

/// The mean of DaWin's `λ(x) = e^(−H1) / (e^(−H0) + e^(−H1))` over images of the target distribution, where H0 and H1 are the entropies
/// of the base's and the tuned model's answers (Oh et al., arXiv 2410.03782). The temperatures of both are calibrated on the
/// held-out samples first, because fine-tuning alone makes a model more confident.
#[derive(Debug)]
pub(super) struct Unlabelled;

impl Rule for Unlabelled {
    fn name(&self) -> &'static str {
        "unlabelled"
    }

    fn about(&self) -> &'static str {
        "how far the tuned model is surer than the base on unlabelled target images"
    }

    fn needs(&self) -> &'static str {
        "unlabelled images of the target distribution, and held-out samples of the run (val or val_fraction)"
    }

    fn is_by_held_out(&self) -> bool {
        false
    }

    fn choose(&self, scene: &mut Scene<'_>) -> Result<Choice, ChoiceError> {
        if scene.unlabelled().is_empty() {
            return Err(scene.lacks(self, "give target images with --unlabelled"));
        }
        let base = Answers::of(scene, self, Alpha::ZERO)?;
        let tuned = Answers::of(scene, self, Alpha::ONE)?;
        let pairs = base.entropies.iter().zip(&tuned.entropies);
        let weights: Vec<f64> = pairs.map(|(base, tuned)| weight(*base, *tuned)).collect();
        let images = weights.len();
        let alpha = Alpha::new(mean(weights.into_iter())).unwrap_or_default();
        let notes = base.note.into_iter().chain(tuned.note).chain(few(base.held_out));
        Ok(Choice {
            rule: self.name().to_owned(),
            alphas: alpha.into(),
            measure: format!(
                "mean of DaWin's weight on {images} images; temperature {:.3} at 0 and {:.3} at 1",
                base.temperature, tuned.temperature
            ),
            curve: Vec::new(),
            validation: BTreeMap::new(),
            notes: notes.collect(),
        })
    }
}

/// DaWin's weight of the tuned model, from the entropies of both.
fn weight(base: f64, tuned: f64) -> f64 {
    1.0 / (1.0 + (tuned - base).exp())
}

/// A model's answers for the unlabelled images.
struct Answers {
    entropies: Vec<f64>,
    temperature: f64,
    held_out: usize,
    /// Why the temperature is not calibrated.
    note: Option<String>,
}

impl Answers {
    fn of(scene: &mut Scene<'_>, rule: &dyn Rule, alpha: Alpha) -> Result<Self, ChoiceError> {
        let images = scene.unlabelled().to_vec();
        let sets = [Judged::Unlabelled(&images), Judged::HeldOut];
        let mut rows: Vec<Vec<f32>> = Vec::new();
        let mut labelled: Option<LabelledLogits> = None;
        let mut refused = None;
        scene.judge(rule, alpha, &sets, &mut |set, row| {
            if set == 0 {
                rows.push(row.scores.to_vec());
                return;
            }
            // A task may ask more than one question about a sample; that of the unlabelled images is the one with their candidates.
            let candidates = rows.first().map_or(0, Vec::len);
            let right = row.right.iter().copied().max_by(|a, b| row.scores[*a].total_cmp(&row.scores[*b]));
            if let (Some(right), true) = (right, row.scores.len() == candidates) {
                let all = labelled.get_or_insert_with(|| LabelledLogits::new(candidates));
                refused = refused.take().or(all.push(row.scores, right).err());
            }
        })?;
        if rows.is_empty() {
            return Err(scene.no_samples());
        }
        let labelled = labelled.unwrap_or_else(|| LabelledLogits::new(0));
        let found = refused.map_or_else(|| labelled.inverse_temperature(), Err);
        let (inverse, note) = match found {
            Ok(inverse) => (inverse, None),
            Err(error) => {
                let usual = scene.temperature();
                (1.0 / usual, Some(format!("the temperature at alpha = {alpha} is the run's, {usual}: {error}")))
            }
        };
        let entropies = rows.iter().map(|scores| entropy(scores, inverse)).collect();
        Ok(Self { entropies, temperature: 1.0 / inverse, held_out: labelled.len(), note })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropies_and_weights_are_those_by_hand() {
        assert!((entropy(&[0.3; 4], 100.0) - 4.0_f64.ln()).abs() < 1e-12);
        // Probabilities 3/4 and 1/4.
        let expected = -(0.75 * 0.75_f64.ln() + 0.25 * 0.25_f64.ln());
        assert!((entropy(&[3.0_f32.ln(), 0.0], 1.0) - expected).abs() < 1e-7);
        assert!(entropy(&[1e4, -1e4], 1.0).abs() < 1e-12, "no overflow");
        assert_eq!(weight(0.7, 0.7), 0.5);
        // e^(−0.5) / (e^(−1) + e^(−0.5))
        assert!((weight(1.0, 0.5) - (-0.5_f64).exp() / ((-1.0_f64).exp() + (-0.5_f64).exp())).abs() < 1e-12);
    }
}
