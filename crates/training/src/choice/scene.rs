//! What the rules see: the run's models at each α, judged on samples.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::{Device, Tensor, TensorData};
use radapter_adapter::{Alpha, Alphas};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::{Encoder, Precision};
use radapter_datasets::Shift;
use radapter_embedding::{Embeddings, Image};

use super::{ChoiceError, HeldOut, Rule};
use crate::config::TrainSettings;
use crate::data::TrainData;
use crate::finetuned::FineTunedRun;
use crate::run_loop::validation::Validator;

/// Judgements of changed samples that are made at each α: a small set undergoes every change, a large one a part of them.
const CHANGED: usize = 2000;

/// Error of a validation.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What to do about missing held-out samples.
const NO_VALIDATION: &str = "train with validation data, or give alpha as a number";

/// Samples to judge a model on.
#[derive(Clone, Copy, Debug)]
pub enum Judged<'a> {
    /// The held-out samples.
    HeldOut,
    /// The held-out samples, changed by a round of [`Shift::of`].
    Shifted(usize),
    /// Images without labels.
    Unlabelled(&'a [Image]),
}

/// A model's scores of the candidates for one question.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The sample that the question is about; several questions may be about one.
    pub sample: usize,
    /// Score of each candidate, before the division by the temperature.
    pub scores: &'a [f32],
    /// The right candidates; none if the sample has no label.
    pub right: &'a [usize],
}

/// Judgements of the samples of a set, in their order. A sample of several questions has the means.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Negative log-likelihood of a right answer, at the temperature of the run's loss.
    pub losses: Vec<f64>,
    /// 1 where the best candidate is right, else 0.
    pub right: Vec<f64>,
    /// The best candidate of the sample's first question.
    pub answers: Vec<usize>,
}

/// A run, and the data by which its α can be chosen.
pub struct Scene<'a> {
    run: &'a FineTunedRun,
    base: &'a Checkpoint,
    device: &'a Device,
    precision: Precision,
    grid: Vec<Alpha>,
    held_out: Option<&'a mut HeldOut>,
    unlabelled: Vec<Image>,
    others: Vec<FineTunedRun>,
    interrupt: Option<&'a AtomicBool>,
    /// For each α of the grid the judgements of the held-out samples, and of their changed copies once they are asked for.
    measured: Vec<Vec<Summary>>,
}

impl<'a> Scene<'a> {
    /// Creates the scene of a run over a grid of α in ascending order, without data.
    pub fn new(run: &'a FineTunedRun, base: &'a Checkpoint, device: &'a Device, mut grid: Vec<Alpha>) -> Self {
        grid.sort_by(|a, b| a.get().total_cmp(&b.get()));
        grid.dedup();
        let measured = vec![Vec::new(); grid.len()];
        Self {
            run,
            base,
            device,
            precision: Precision::F32,
            grid,
            held_out: None,
            unlabelled: Vec::new(),
            others: Vec::new(),
            interrupt: None,
            measured,
        }
    }

    /// Returns the usual grid: 0, 0.1, …, 1.
    pub fn usual_grid() -> Vec<Alpha> {
        (0..=10).filter_map(|tenth| Alpha::new(f64::from(tenth) / 10.0).ok()).collect()
    }

    /// Judges the models in a precision other than f32. What a rule learns is of f32.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Adds held-out samples.
    #[must_use]
    pub fn with_held_out(mut self, held_out: &'a mut HeldOut) -> Self {
        self.held_out = Some(held_out);
        self
    }

    /// Adds images without labels.
    #[must_use]
    pub fn with_unlabelled(mut self, images: Vec<Image>) -> Self {
        self.unlabelled = images;
        self
    }

    /// Adds runs of other seeds.
    #[must_use]
    pub fn with_others(mut self, others: Vec<FineTunedRun>) -> Self {
        self.others = others;
        self
    }

    /// Stops between two values of α once this is true.
    #[must_use]
    pub fn with_interrupt(mut self, interrupt: &'a AtomicBool) -> Self {
        self.interrupt = Some(interrupt);
        self
    }

    /// Returns the values of α to choose from, in ascending order.
    pub fn grid(&self) -> &[Alpha] {
        &self.grid
    }

    /// Returns the base model.
    pub fn base(&self) -> &'a Checkpoint {
        self.base
    }

    /// Returns the device of the computation.
    pub fn device(&self) -> &'a Device {
        self.device
    }

    /// Returns the images without labels.
    pub fn unlabelled(&self) -> &[Image] {
        &self.unlabelled
    }

    /// Returns the settings of the run's training.
    pub fn settings(&self) -> &'a TrainSettings {
        self.run.files().train()
    }

    /// Returns the softmax temperature of the run's loss.
    pub fn temperature(&self) -> f64 {
        self.run.files().temperature()
    }

    /// Returns the held-out samples in the form of training samples.
    ///
    /// # Errors
    /// [`ChoiceError::Lacks`] without held-out samples.
    pub fn samples(&self, rule: &dyn Rule) -> Result<Arc<dyn TrainData>, ChoiceError> {
        let make = self.held_out.as_ref().and_then(|held_out| held_out.samples.as_ref());
        make.map(|make| make()).ok_or_else(|| self.lacks(rule, NO_VALIDATION))
    }

    /// Returns the run's model at α = 1.
    ///
    /// # Errors
    /// Files that are missing or damaged, and models that are no plain CLIP.
    pub fn tuned_model(&self) -> Result<Checkpoint, ChoiceError> {
        self.at_one(self.run)
    }

    /// Returns the classifiers `[classes, embed_dim]` that the run started from and that it trained, if it trained one.
    ///
    /// # Errors
    /// Files that are missing or damaged.
    pub fn heads(&self) -> Result<Option<[Tensor<2>; 2]>, ChoiceError> {
        let heads = [self.head(&Alpha::ZERO.into())?, self.head(&Alpha::ONE.into())?];
        Ok(match heads {
            [Some(start), Some(tuned)] => Some([start, tuned]),
            _ => None,
        })
    }

    /// Returns the judgements of the held-out samples at each α.
    ///
    /// # Errors
    /// [`ChoiceError::Lacks`] without held-out samples.
    pub fn held_out(&mut self, rule: &dyn Rule) -> Result<Vec<Summary>, ChoiceError> {
        for index in 0..self.grid.len() {
            if self.measured[index].is_empty() {
                self.measured[index] = self.measure(rule, self.grid[index], &[Judged::HeldOut])?;
                self.tell(index, "held-out samples");
            }
        }
        Ok(self.measured.iter().map(|views| views[0].clone()).collect())
    }

    /// Returns for each α the judgements of the held-out samples, followed by those of their changed copies.
    ///
    /// # Errors
    /// As [`held_out`](Self::held_out).
    pub fn shifted(&mut self, rule: &dyn Rule) -> Result<Vec<Vec<Summary>>, ChoiceError> {
        for index in 0..self.grid.len() {
            if self.measured[index].is_empty() && index == 0 {
                self.measured[0] = self.measure(rule, self.grid[0], &[Judged::HeldOut])?;
            }
            let rounds = rounds(&self.measured[0][0]);
            let clean = self.measured[index].is_empty().then_some(Judged::HeldOut);
            if self.measured[index].len() < 1 + rounds {
                let sets: Vec<Judged<'_>> = clean.into_iter().chain((0..rounds).map(Judged::Shifted)).collect();
                let found = self.measure(rule, self.grid[index], &sets)?;
                self.measured[index].extend(found);
                self.tell(index, "held-out samples and changed copies");
            }
        }
        Ok(self.measured.clone())
    }

    /// Returns the answers for unlabelled images of the base model, and of the run at each α. Without such images, and for tasks that
    /// cannot judge them, those for the changed copies of the held-out samples.
    ///
    /// # Errors
    /// As [`held_out`](Self::held_out).
    pub fn answers(&mut self, rule: &dyn Rule) -> Result<(Vec<usize>, Vec<Vec<usize>>), ChoiceError> {
        let joined = |views: &[Summary]| views.iter().flat_map(|summary| summary.answers.clone()).collect::<Vec<_>>();
        if self.unlabelled.is_empty() || !self.judges_unlabelled() {
            let views = self.shifted(rule)?;
            let rounds: Vec<Judged<'_>> = (0..views[0].len() - 1).map(Judged::Shifted).collect();
            let base = match self.grid.first() {
                Some(&Alpha::ZERO) => joined(&views[0][1..]),
                _ => joined(&self.measure(rule, Alpha::ZERO, &rounds)?),
            };
            return Ok((base, views.iter().map(|views| joined(&views[1..])).collect()));
        }
        let (images, grid) = (self.unlabelled.clone(), self.grid.clone());
        let mut answers = |alpha| {
            let judged = self.measure(rule, alpha, &[Judged::Unlabelled(&images)])?;
            Ok::<_, ChoiceError>(joined(&judged))
        };
        let base = answers(Alpha::ZERO)?;
        let each: Result<Vec<_>, ChoiceError> = grid.into_iter().map(answers).collect();
        Ok((base, each?))
    }

    /// Returns the models of the run and of those of other seeds at α = 1.
    ///
    /// # Errors
    /// [`ChoiceError::Lacks`] without other runs, and runs of another base.
    pub fn tuned(&self, rule: &dyn Rule) -> Result<Vec<Checkpoint>, ChoiceError> {
        if self.others.is_empty() {
            return Err(self.lacks(rule, "give them with --other"));
        }
        let (method, seed) = (self.run.method().name(), self.settings().seed);
        let mut seeds = vec![seed];
        for other in &self.others {
            let (path, theirs) = (other.files().dir().path().display(), other.files().train().seed);
            if other.method().name() != method {
                let hint = format!("{path} is of the method {}, and this run of {method}", other.method().name());
                return Err(self.lacks(rule, &hint));
            }
            if seeds.contains(&theirs) {
                return Err(self.lacks(rule, &format!("{path} has the seed {theirs} of another run given")));
            }
            seeds.push(theirs);
        }
        let runs = std::iter::once(self.run).chain(&self.others);
        runs.map(|run| self.at_one(run)).collect()
    }

    /// Returns the values of the classifier that the run started from, of its own, and of those of the other runs; none if it
    /// trained none.
    ///
    /// # Errors
    /// Files that are missing or damaged.
    pub fn tuned_heads(&self) -> Result<Vec<Vec<f32>>, ChoiceError> {
        let Some((start, shape)) = self.start() else { return Ok(Vec::new()) };
        let runs = std::iter::once(self.run).chain(&self.others);
        let tuned = runs.map(|run| Ok(run.classifier(start.values(), shape, &Alpha::ONE.into())?));
        let tuned: Option<Vec<_>> = tuned.collect::<Result<_, ChoiceError>>()?;
        Ok(tuned.map_or_else(Vec::new, |tuned| std::iter::once(start.values().to_vec()).chain(tuned).collect()))
    }

    fn at_one(&self, run: &FineTunedRun) -> Result<Checkpoint, ChoiceError> {
        Ok(run.model(self.base, Some(Alpha::ONE.into()), self.device)?.model.checkpoint()?)
    }

    /// Stops here if an interruption was asked for.
    ///
    /// # Errors
    /// [`ChoiceError::Interrupted`].
    pub fn check_interrupt(&self) -> Result<(), ChoiceError> {
        match self.interrupt.is_some_and(|interrupt| interrupt.load(Ordering::Relaxed)) {
            true => Err(ChoiceError::Interrupted),
            false => Ok(()),
        }
    }

    /// The error of a rule whose data are not given, with what to do.
    pub(super) fn lacks(&self, rule: &dyn Rule, hint: &str) -> ChoiceError {
        ChoiceError::Lacks { rule: rule.name(), needs: rule.needs(), hint: hint.to_owned() }
    }

    fn tell(&self, index: usize, on: &str) {
        tracing::info!("choosing alpha: {} ({} of {}) judged on {on}", self.grid[index], index + 1, self.grid.len());
    }

    pub(super) fn failed(&self, error: impl Into<BoxError>) -> ChoiceError {
        ChoiceError::Learn { run: self.path(), error: error.into() }
    }

    pub(super) fn no_samples(&self) -> ChoiceError {
        ChoiceError::NoSamples { run: self.path() }
    }

    fn path(&self) -> PathBuf {
        self.run.files().dir().path().to_owned()
    }

    /// Passes the scores of the run's model at α on sets of samples to `take`, with the number of their set.
    ///
    /// # Errors
    /// [`ChoiceError::Lacks`] without held-out samples, which also tell what the candidates are.
    pub fn judge(
        &mut self,
        rule: &dyn Rule,
        alpha: Alpha,
        sets: &[Judged<'_>],
        take: &mut dyn FnMut(usize, Row<'_>),
    ) -> Result<(), ChoiceError> {
        self.check_interrupt()?;
        if sets.iter().any(|set| matches!(set, Judged::Unlabelled(_))) && !self.judges_unlabelled() {
            return Err(self.lacks(rule, "the task judges parts of images, which unlabelled images do not have"));
        }
        let judged =
            self.with_validator(&alpha.into(), |validator, encoder, head| validator.judge(encoder, head, sets, take))?;
        judged.ok_or_else(|| self.lacks(rule, NO_VALIDATION))
    }

    /// Whether the task can judge images without labels; `true` without held-out samples, whose lack is an error of its own.
    fn judges_unlabelled(&self) -> bool {
        let validator = self.held_out.as_ref().and_then(|held_out| held_out.validator.as_ref());
        validator.is_none_or(|validator| validator.judges_unlabelled())
    }

    /// Validates the run's model at these α as during training; no metrics without held-out samples.
    pub(super) fn validate(&mut self, alphas: &Alphas) -> Result<BTreeMap<String, f64>, ChoiceError> {
        let values = self.with_validator(alphas, |validator, encoder, head| validator.validate(encoder, head))?;
        Ok(values.unwrap_or_default().into_iter().collect())
    }

    /// Lets the validation work on the run's model at these α and its classifier; `None` without held-out samples.
    fn with_validator<R>(
        &mut self,
        alphas: &Alphas,
        work: impl FnOnce(&mut dyn Validator, &dyn Encoder, Option<&Tensor<2>>) -> Result<R, BoxError>,
    ) -> Result<Option<R>, ChoiceError> {
        let (run, head, device) = (self.run, self.head(alphas)?, self.device);
        let held_out = self.held_out.as_deref_mut();
        let Some(validator) = held_out.and_then(|held_out| held_out.validator.as_deref_mut()) else { return Ok(None) };
        let model = run.model(self.base, Some(alphas.clone()), device)?.model;
        let done = model.with_encoder(device, self.precision, |encoder| work(validator, encoder, head.as_ref()))?;
        let failed = |error| ChoiceError::Judge { run: self.path(), alpha: alphas.clone(), error };
        done.map(Some).map_err(failed)
    }

    /// Judges the run's model at α on sets of samples.
    fn measure(&mut self, rule: &dyn Rule, alpha: Alpha, sets: &[Judged<'_>]) -> Result<Vec<Summary>, ChoiceError> {
        let temperature = self.temperature();
        let mut tallies = vec![BTreeMap::new(); sets.len()];
        self.judge(rule, alpha, sets, &mut |set, row| add(&mut tallies[set], &row, temperature))?;
        let summaries: Vec<Summary> = tallies.into_iter().map(summary).collect();
        match summaries.iter().any(|summary| summary.answers.is_empty()) {
            true => Err(self.no_samples()),
            false => Ok(summaries),
        }
    }

    /// The classifier that a run with one of its own started from, and its shape.
    fn start(&self) -> Option<(Embeddings, [usize; 2])> {
        let start = self.held_out.as_ref()?.start.as_ref()?;
        let rows = Embeddings::from_tensor(start.clone());
        let shape = [rows.len(), rows.dim()];
        Some((rows, shape))
    }

    /// The classifier of a run with one of its own, at α.
    fn head(&self, alphas: &Alphas) -> Result<Option<Tensor<2>>, ChoiceError> {
        let Some((rows, shape)) = self.start() else { return Ok(None) };
        let mixed = self.run.classifier(rows.values(), shape, alphas)?;
        Ok(mixed.map(|values| Tensor::from_data(TensorData::new(values, shape), self.device)))
    }
}

/// The rounds of changes that the samples undergo.
fn rounds(clean: &Summary) -> usize {
    (CHANGED / clean.answers.len().max(1)).clamp(1, Shift::ALL.len())
}

/// Sums over the questions about one sample.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    loss: f64,
    right: f64,
    questions: f64,
    answer: usize,
}

fn add(tallies: &mut BTreeMap<usize, Tally>, row: &Row<'_>, temperature: f64) {
    let mut best = 0;
    for (index, score) in row.scores.iter().enumerate() {
        if *score > row.scores[best] {
            best = index;
        }
    }
    let peak = row.scores.get(best).map_or(0.0, |score| f64::from(*score));
    let part = |score: f32| ((f64::from(score) - peak) / temperature).exp();
    let all: f64 = row.scores.iter().copied().map(part).sum();
    let right: f64 = row.right.iter().filter_map(|index| row.scores.get(*index)).copied().map(part).sum();
    let tally = tallies.entry(row.sample).or_insert(Tally { answer: best, ..Tally::default() });
    // A likelihood that underflows is bounded, so that one sample does not decide alone.
    tally.loss += all.ln() - right.max(f64::MIN_POSITIVE).ln();
    tally.right += f64::from(u8::from(row.right.contains(&best)));
    tally.questions += 1.0;
}

fn summary(tallies: BTreeMap<usize, Tally>) -> Summary {
    let mut summary = Summary::default();
    for tally in tallies.into_values() {
        summary.losses.push(tally.loss / tally.questions);
        summary.right.push(tally.right / tally.questions);
        summary.answers.push(tally.answer);
    }
    summary
}

impl std::fmt::Debug for Scene<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene").field("run", &self.run).field("grid", &self.grid).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_the_means_of_its_questions() {
        let mut tallies = BTreeMap::new();
        let half = 0.5_f64.ln().abs() as f32;
        // Probabilities 2/3, 1/3 and, in the second question, 1/3, 2/3; temperature 1.
        add(&mut tallies, &Row { sample: 7, scores: &[2.0_f32.ln(), 0.0], right: &[0] }, 1.0);
        add(&mut tallies, &Row { sample: 7, scores: &[0.0, half], right: &[0] }, 1.0);
        add(&mut tallies, &Row { sample: 9, scores: &[0.0, 0.0, 1.0], right: &[0, 1, 2] }, 0.01);
        let summary = summary(tallies);
        let expected = -((2.0_f64 / 3.0).ln() + (1.0_f64 / 3.0).ln()) / 2.0;
        assert!((summary.losses[0] - expected).abs() < 1e-6, "{summary:?}");
        assert!(summary.losses[1].abs() < 1e-9, "any of several right answers will do: {summary:?}");
        assert_eq!((summary.right, summary.answers), (vec![0.5, 1.0], vec![0, 2]));
    }

    #[test]
    fn small_sets_undergo_every_change() {
        let of = |samples: usize| rounds(&Summary { answers: vec![0; samples], ..Summary::default() });
        assert_eq!([0, 60, 250, 251, 1000, 50_000].map(of), [8, 8, 8, 7, 2, 1]);
    }
}
