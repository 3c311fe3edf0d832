//! The α that is best on held-out samples and on changed copies of them.

use super::{Choice, ChoiceError, Rule, Scene, largest, mean};

/// The α with the best accuracy on the held-out samples, averaged over the samples as they are and under the changes of
/// [`Shift`](radapter_datasets::Shift): they stand in for a shift of the distribution whose labels are known.
#[derive(Debug)]
pub(super) struct IdShift;

impl Rule for IdShift {
    fn name(&self) -> &'static str {
        "id-shift"
    }

    fn about(&self) -> &'static str {
        "the best alpha on held-out samples and on noisy, blurred, flat and coarse copies of them"
    }

    fn needs(&self) -> &'static str {
        "held-out samples of the run (val or val_fraction)"
    }

    fn choose(&self, scene: &mut Scene<'_>) -> Result<Choice, ChoiceError> {
        let grid = scene.grid().to_vec();
        let views = scene.shifted(self)?;
        let accuracy = |summaries: &Vec<super::Summary>| {
            let clean = mean(summaries[0].right.iter().copied());
            let shifted = summaries[1..].iter().map(|summary| mean(summary.right.iter().copied()));
            (clean + shifted.clone().sum::<f64>()) / (1 + shifted.len()) as f64
        };
        let samples = views.first().map_or(0, |views| views[0].right.len());
        let points = grid.into_iter().zip(views.iter().map(accuracy));
        Ok(largest(self, "accuracy on held-out samples, as they are and changed", points, samples))
    }
}
