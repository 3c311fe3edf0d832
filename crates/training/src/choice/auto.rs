//! The choice of α at the end of a run, with `alpha = "auto"`.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::tensor::{Device, Tensor};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::Encoder;
use radapter_files::Storage;

use super::{HeldOut, Judged, NONE, Row, Scene, choose, named};
use crate::error::TrainError;
use crate::finetuned::FineTunedRun;
use crate::method::Method;
use crate::run::options::RunOptions;
use crate::run::report::Outcome;
use crate::run_loop::validation::Validator;
use crate::setup::Setup;

/// What the choice needs of a run that is about to be trained.
pub(crate) struct Auto {
    rule: String,
    method: &'static dyn Method,
    base: Checkpoint,
    device: Device,
    run: PathBuf,
    interrupt: Arc<AtomicBool>,
    storage: Arc<dyn Storage>,
    held_out: Option<HeldOut>,
}

impl Auto {
    /// Prepares the choice for a run with this rule; `None` if it has none.
    pub(crate) fn new(
        rule: &str,
        method: &'static dyn Method,
        base: &Checkpoint,
        options: &RunOptions,
    ) -> Option<Self> {
        (rule != NONE).then(|| Self {
            rule: rule.to_owned(),
            method,
            base: base.clone(),
            device: options.device.clone(),
            run: options.run_dir.clone(),
            interrupt: Arc::clone(&options.interrupt),
            storage: Arc::clone(&options.storage),
            held_out: None,
        })
    }

    /// Shares the validation of the run, and keeps the classifier that it starts from.
    pub(crate) fn share(&mut self, setup: &mut Setup) {
        let start = setup.parts.head.clone().filter(|_| !setup.objective.needs_text());
        let missing = match setup.parts.validator.take() {
            Some(validator) if validator.judges() => {
                let shared = Shared(Arc::new(Mutex::new(validator)));
                setup.parts.validator = Some(Box::new(shared.clone()));
                let samples = setup.parts.held_out.clone();
                self.held_out = Some(HeldOut { validator: Some(Box::new(shared)), samples, start });
                return;
            }
            Some(validator) => {
                setup.parts.validator = Some(validator);
                "a validation that judges single samples, and this task's does not"
            }
            None => "validation data, and there are none",
        };
        tracing::warn!("alpha stays {}: the rule {} needs {missing}", setup.train.alpha, self.rule);
    }

    /// Chooses α of a finished run and records it, unless that was done before. An interrupted choice leaves α as it is.
    pub(crate) fn finish(self, outcome: Outcome) -> Result<Outcome, TrainError> {
        let (Outcome::Finished(_), Some(mut held_out)) = (&outcome, self.held_out) else {
            return Ok(outcome);
        };
        let run = FineTunedRun::open(&[self.method], &self.run)?;
        if run.files().chosen().is_some() {
            return Ok(outcome);
        }
        let rule = named(&self.rule).map_err(|reason| TrainError::Method { reason })?;
        let mut scene = Scene::new(&run, &self.base, &self.device, Scene::usual_grid())
            .with_held_out(&mut held_out)
            .with_interrupt(&self.interrupt);
        let choice = match catch_unwind(AssertUnwindSafe(|| choose(rule, &mut scene))) {
            Ok(Ok(choice)) => choice,
            // The run itself is finished, and its model is usable.
            failed => {
                let why = match failed {
                    Ok(Err(error)) => error.to_string(),
                    _ => "the device failed, perhaps for lack of memory; micro_batch makes the rule's steps smaller"
                        .to_owned(),
                };
                tracing::warn!(
                    "alpha stays {}: {why}; `radapter train --resume --out {run}` tries again, and `radapter sweep --run {run} --select {}` \
                     can be given more data",
                    run.default_alphas(),
                    self.rule,
                    run = self.run.display()
                );
                return Ok(outcome);
            }
        };
        let values: String = choice.validation.iter().map(|(name, value)| format!("; {name} {value:.3}")).collect();
        tracing::info!("alpha = {} by the rule {} ({}){values}", choice.alphas, choice.rule, choice.measure);
        choice.notes.iter().for_each(|note| tracing::warn!("{note}"));
        run.files().dir().write_choice(&*self.storage, &choice)?;
        Ok(outcome)
    }
}

/// A validation that the run and the choice after it use.
#[derive(Clone)]
struct Shared(Arc<Mutex<Box<dyn Validator>>>);

impl Shared {
    fn get(&self) -> MutexGuard<'_, Box<dyn Validator>> {
        // A validation that panicked stopped the run.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Validator for Shared {
    fn metrics(&self) -> &'static [&'static str] {
        self.get().metrics()
    }

    fn samples(&self, metric: &str) -> Option<u64> {
        self.get().samples(metric)
    }

    fn validate(
        &mut self,
        model: &dyn Encoder,
        head: Option<&Tensor<2>>,
    ) -> Result<Vec<(String, f64)>, Box<dyn Error + Send + Sync>> {
        self.get().validate(model, head)
    }

    fn judges(&self) -> bool {
        self.get().judges()
    }

    fn judges_unlabelled(&self) -> bool {
        self.get().judges_unlabelled()
    }

    fn judge(
        &mut self,
        model: &dyn Encoder,
        head: Option<&Tensor<2>>,
        sets: &[Judged<'_>],
        take: &mut dyn FnMut(usize, Row<'_>),
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.get().judge(model, head, sets, take)
    }
}
