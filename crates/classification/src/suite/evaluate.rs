//! Evaluation of a model on the sets of a suite.

use radapter_clip::model::Encoder;
use radapter_datasets::Sample;
use radapter_datasets::on_error::Skipped;
use serde::{Deserialize, Serialize};

use super::{NamedEvaluation, Suite, SuiteError, SuiteResult, TestSet};
use crate::accuracy::{AccuracyError, Evaluation, Tally, top_k};
use crate::calibration::{CalibrationError, LabelledLogits, Reliability};
use crate::head::{Head, HeadError};
use radapter_embedding::{EmbedError, EmbedOptions, Image, embed_images};

/// Number of answers in a [`Prediction`].
const BEST: usize = 5;

/// Why an evaluation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum EvaluateError {
    /// The images could not be embedded.
    #[error("set `{set}`: {error}")]
    Embed { set: String, error: EmbedError },
    /// The answers could not be counted.
    #[error("set `{set}`: {error}")]
    Accuracy { set: String, error: AccuracyError },
    /// The logits are unusable for a calibration.
    #[error("set `{set}`: {error}")]
    Calibration { set: String, error: CalibrationError },
    /// The set was opened for another number of classes than the classifier has.
    #[error("set `{set}` was opened for a model of {expected} classes, but the classifier has {found}")]
    Classes { set: String, expected: usize, found: usize },
    /// The classifier does not belong to the model.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The results do not form a row.
    #[error(transparent)]
    Suite(#[from] SuiteError),
}

/// Ranked answers for one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Name of the image.
    pub name: String,
    /// Name of the right candidate.
    pub label: String,
    /// Best first: five candidates, or all if there are fewer.
    pub best: Vec<Scored>,
}

/// Candidate with its score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// The class, or ObjectNet's folder.
    pub class: String,
    /// Logit; a cosine, for a zero-shot classifier.
    pub score: f32,
}

/// Results of a model on one set.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct SetOutcome {
    pub evaluation: Evaluation,
    /// In the set's order.
    pub predictions: Vec<Prediction>,
    /// Unreadable images that were skipped.
    pub skipped: Vec<Skipped>,
}

/// Results of a model on a suite.
#[derive(Clone, Debug, PartialEq)]
pub struct SuiteOutcome {
    /// Accuracy on every set, and the average under shift.
    pub result: SuiteResult,
    /// By set name, in the suite's order.
    pub predictions: Vec<(String, Vec<Prediction>)>,
    /// By set name, only sets with skipped images.
    pub skipped: Vec<(String, Vec<Skipped>)>,
}

/// Evaluates a model with a classifier on one set. `progress` is called with the number of images done.
///
/// # Errors
/// [`EvaluateError`] for an image that cannot be read (under `on_error = fail`), a set without images, and a classifier of
/// other classes or another model.
pub fn evaluate(
    model: &dyn Encoder,
    head: &Head,
    set: &TestSet,
    options: &EmbedOptions,
    progress: &mut dyn FnMut(usize),
) -> Result<SetOutcome, EvaluateError> {
    let accuracy = |error| EvaluateError::Accuracy { set: set.name.clone(), error };
    let names = set.candidates.names();
    let mut tally = Tally::new(names.iter().cloned());
    let mut reliability = head.temperatures().map(Reliability::new);
    let mut predictions = Vec::with_capacity(set.samples.len());
    let skipped = for_each_score(model, head, set, options, progress, |sample, scores| {
        let predicted = tally.add(scores, sample.label).map_err(accuracy)?;
        if let Some(reliability) = &mut reliability {
            reliability.add(scores, predicted == sample.label);
        }
        let best = top_k(scores, BEST).map_err(accuracy)?;
        let scored = |class: usize| Scored { class: names[class].clone(), score: scores[class] };
        predictions.push(Prediction {
            name: sample.name.clone(),
            label: names[sample.label].clone(),
            best: best.into_iter().map(scored).collect(),
        });
        Ok(())
    })?;
    let confidence = reliability.map(Reliability::finish);
    Ok(SetOutcome { evaluation: Evaluation { confidence, ..tally.finish().map_err(accuracy)? }, predictions, skipped })
}

/// Computes the scores of a set's images, to calibrate a temperature on. `progress` is called with the number of images done.
///
/// # Errors
/// Those of [`evaluate`], and [`EvaluateError::Calibration`] for a score that is not finite.
pub fn labelled_logits(
    model: &dyn Encoder,
    head: &Head,
    set: &TestSet,
    options: &EmbedOptions,
    progress: &mut dyn FnMut(usize),
) -> Result<LabelledLogits, EvaluateError> {
    let mut logits = LabelledLogits::new(set.candidates.len());
    for_each_score(model, head, set, options, progress, |sample, scores| {
        let error = |error| EvaluateError::Calibration { set: set.name.clone(), error };
        logits.push(scores, sample.label).map_err(error)
    })?;
    Ok(logits)
}

/// Passes the candidates' scores of each image to `take`; returns the skipped images.
fn for_each_score(
    model: &dyn Encoder,
    head: &Head,
    set: &TestSet,
    options: &EmbedOptions,
    progress: &mut dyn FnMut(usize),
    mut take: impl FnMut(&Sample, &[f32]) -> Result<(), EvaluateError>,
) -> Result<Vec<Skipped>, EvaluateError> {
    let name = || set.name.clone();
    let (expected, found) = (set.candidates.classes(), head.classes().len());
    if expected != found {
        let set = name();
        return Err(EvaluateError::Classes { set, expected, found });
    }
    let images: Vec<Image> = set.samples.iter().map(Image::from).collect();
    let embedded = embed_images(model, &images, &EmbedOptions { trim: set.border, ..options.clone() }, progress)
        .map_err(|error| EvaluateError::Embed { set: name(), error })?;
    head.for_each_logits(&embedded.embeddings, &model.device(), |row, logits| {
        take(&set.samples[embedded.kept[row]], &set.candidates.scores(logits))
    })?;
    Ok(embedded.skipped)
}

/// Evaluates a model with a classifier on a suite. `progress` is called with the set's name and the number of its images done.
///
/// # Errors
/// Those of [`evaluate`], and [`SuiteError::NoShiftedSet`].
pub fn evaluate_suite(
    model: &dyn Encoder,
    head: &Head,
    suite: &Suite,
    options: &EmbedOptions,
    progress: &mut dyn FnMut(&str, usize),
) -> Result<SuiteOutcome, EvaluateError> {
    let mut predictions = Vec::new();
    let mut skipped = Vec::new();
    let mut evaluations = Vec::new();
    for set in suite.sets() {
        let mut report = |done: usize| progress(&set.name, done);
        let outcome = evaluate(model, head, set, options, &mut report)?;
        evaluations.push(NamedEvaluation { name: set.name.clone(), evaluation: outcome.evaluation });
        predictions.push((set.name.clone(), outcome.predictions));
        if !outcome.skipped.is_empty() {
            skipped.push((set.name.clone(), outcome.skipped));
        }
    }
    let ood = evaluations.split_off(1);
    let id = evaluations.pop().ok_or(SuiteError::NoShiftedSet)?;
    let left_out = suite.ood.iter().filter(|set| !set.in_second_average).map(|set| set.name.clone()).collect();
    Ok(SuiteOutcome { result: SuiteResult::new(id, ood)?.with_second_average(left_out), predictions, skipped })
}
