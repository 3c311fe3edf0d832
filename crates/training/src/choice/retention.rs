//! The α that gains most on held-out samples for the answers of the base model that it changes.

use super::{Choice, ChoiceError, Rule, Scene, largest, mean};

/// The α with the largest sum of the accuracy on held-out samples and of the share of unlabelled images that the base model answers
/// alike. Without unlabelled images the changed copies of the held-out ones are used, whose labels do not count.
#[derive(Debug)]
pub(super) struct Retention;

impl Rule for Retention {
    fn name(&self) -> &'static str {
        "retention"
    }

    fn about(&self) -> &'static str {
        "the best sum of held-out accuracy and agreement with the base model on unlabelled images"
    }

    fn needs(&self) -> &'static str {
        "held-out samples of the run (val or val_fraction), and unlabelled images or changed copies of those"
    }

    fn choose(&self, scene: &mut Scene<'_>) -> Result<Choice, ChoiceError> {
        let grid = scene.grid().to_vec();
        let held_out = scene.held_out(self)?;
        let samples = held_out.first().map_or(0, |summary| summary.right.len());
        let right: Vec<f64> = held_out.iter().map(|summary| mean(summary.right.iter().copied())).collect();
        let (base, answers) = scene.answers(self)?;
        let agreement = |answers: Vec<usize>| {
            mean(answers.iter().zip(&base).map(|(a, b)| f64::from(u8::from(a == b))).collect::<Vec<_>>().into_iter())
        };
        let values = right.into_iter().zip(answers).map(|(right, answers)| right + agreement(answers));
        let measure = "held-out accuracy + share of answers that are the base model's";
        Ok(largest(self, measure, grid.into_iter().zip(values), samples))
    }
}
