//! A run that starts from the weights of another.
//!
//! The weights are copied into the new run's folder: resuming it does not need the other run.

use std::fs;
use std::path::PathBuf;

use burn::module::Module;
use burn::tensor::Tensor;
use radapter_clip::model::Adapter;

use crate::config::TrainSettings;
use crate::error::TrainError;
use crate::model::TrainModel;
use crate::run::run_dir::RunDir;
use crate::run::tuned::RunFiles;
use crate::state::parameters::{self, HEAD};
use crate::state::saved;
use crate::state::tensor_file::{self, Flat, Named};
use crate::tuning::Tuning;

/// Refuses a run whose weights a run of these settings and this base model cannot start from.
pub(crate) fn check(from: &RunFiles, train: &TrainSettings, base_hash: &str) -> Result<(), TrainError> {
    let run = from.dir().path();
    let refused = |reason| Err(TrainError::StartFrom { run: run.to_owned(), reason });
    if let Some((done, steps)) = from.unfinished()? {
        let resume = format!("radapter train --resume --out {}", run.display());
        return refused(format!("it is not finished ({done} of {steps} steps); finish it with `{resume}`"));
    }
    let (theirs, own) = (&from.train().method, &train.method);
    if theirs != own {
        return refused(format!(
            "its method is {theirs}, and this run's is {own}; use method = {theirs}, or tune its merged model with `--model {}`",
            run.display()
        ));
    }
    let theirs = &from.record().base_hash;
    if theirs != base_hash {
        return refused(format!(
            "it tuned another model (hash {theirs}, found {base_hash}); give the model it was trained on"
        ));
    }
    if from.train().loss.objective().needs_text() != train.loss.objective().needs_text() {
        let reason = "one of the two runs trains a classifier and the other does not; use its loss.kind";
        return refused(reason.to_owned());
    }
    Ok(())
}

/// Source of the initial weights.
pub(crate) enum StartFiles<'a> {
    /// In the folder of another run.
    Other(&'a RunFiles),
    /// In the run's own folder.
    Own(&'a RunDir),
}

impl StartFiles<'_> {
    fn path(&self, stem: &str) -> PathBuf {
        match self {
            Self::Other(run) => run.evaluated(stem),
            Self::Own(run) => run.path().join(name(stem)),
        }
    }

    /// Reads the files to copy into the folder of the new run, as names and contents.
    pub(crate) fn copies(&self, stem: &str, has_head: bool) -> Result<Vec<(String, Vec<u8>)>, TrainError> {
        let stems = std::iter::once(stem).chain(has_head.then_some(HEAD));
        let copy = |stem| {
            let path = self.path(stem);
            Ok((name(stem), fs::read(&path).map_err(TrainError::io("read", path))?))
        };
        stems.map(copy).collect()
    }

    /// Returns the model with the weights of the files.
    ///
    /// # Errors
    /// [`TrainError`] for files that are unreadable or do not fit, and for weights that differ from the model's where the run does not
    /// train them: its saved states would not have them.
    pub(crate) fn load<A: Adapter>(
        &self,
        model: TrainModel<A>,
        settings: &TrainSettings,
        tuning: &dyn Tuning<A>,
        trains: impl Fn(&str) -> bool,
    ) -> Result<TrainModel<A>, TrainError> {
        let path = self.path(tuning.stem());
        if let Self::Other(from) = self
            && settings.method != ADAPTERS
            && !differing(from.train(), settings).is_empty()
        {
            // The factors of modules are not in their files.
            let reason = "its modules are of another form".to_owned();
            return Err(self.misfit(TrainError::Unreadable { path, reason }, settings));
        }
        let clip = tuning.read(model.clip.clone(), &path).map_err(|error| self.misfit(error, settings))?;
        let mut started = TrainModel { clip, head: model.head.clone() };
        if let Some(head) = &model.head {
            let path = self.path(HEAD);
            let found = tensor_file::read(&path)?;
            let [rows, dim] = head.dims();
            let values = head.val().reshape([rows * dim]);
            let expected = Named::from([(HEAD.to_owned(), Flat { shape: vec![rows, dim], values })]);
            if let Some(reason) = saved::mismatch(&expected, &found) {
                return Err(TrainError::Unreadable { path, reason });
            }
            started = parameters::load(started, &tensor_file::on_device(found, &model.device()));
        }
        // The run's own copies were checked when they were made.
        if matches!(self, Self::Own(_)) {
            return Ok(started);
        }
        let (before, after) = (frozen(&model, &trains), frozen(&started, &trains));
        // Compared on the device: all frozen weights would be a copy of the model on the host.
        let is_same = |a: &Flat, b: &Flat| a.shape == b.shape && all_equal(a.values.clone(), b.values.clone());
        match before.iter().find(|(key, flat)| after.get(*key).is_none_or(|found| !is_same(found, flat))) {
            None => Ok(started),
            Some((key, _)) => {
                let reason = format!(
                    "it changes `{key}`, which this run does not train; use the settings of the run it is from"
                );
                Err(TrainError::Unreadable { path, reason })
            }
        }
    }
}

/// The method whose settings are named `adapter`, and whose file knows its form.
const ADAPTERS: &str = "r-adapter";

/// Returns the settings of a method's modules in which two runs differ, with both values.
fn differing(theirs: &TrainSettings, own: &TrainSettings) -> Vec<(String, toml::Value, toml::Value)> {
    let group = if own.method == ADAPTERS { "adapter" } else { own.method.as_str() };
    let form = |train: &TrainSettings| match toml::Table::try_from(train).unwrap_or_default().remove(group) {
        Some(toml::Value::Table(form)) => form,
        _ => toml::Table::new(),
    };
    let (theirs, mut own) = (form(theirs), form(own));
    // How adapters are dropped does not change their form.
    let formed = theirs.into_iter().filter(|(key, _)| !key.starts_with("drop"));
    let both = formed.filter_map(|(key, theirs)| Some((own.remove(&key)?, key, theirs)));
    both.filter(|(own, _, theirs)| own != theirs)
        .map(|(own, key, theirs)| (format!("{group}.{key}"), theirs, own))
        .collect()
}

impl StartFiles<'_> {
    /// Names the run whose weights do not fit, and the settings in which it differs.
    fn misfit(&self, error: TrainError, settings: &TrainSettings) -> TrainError {
        let Self::Other(from) = self else { return error };
        let differ: String = differing(from.train(), settings)
            .into_iter()
            .map(|(key, theirs, own)| format!("; {key} is {theirs} in that run and {own} in this one"))
            .collect();
        if differ.is_empty() {
            return error;
        }
        let run = from.dir().path().to_owned();
        let reason = format!(
            "{error}{differ}; use that run's settings, as `--config {}` does",
            run.join(RunDir::CONFIG).display()
        );
        TrainError::StartFrom { run, reason }
    }
}

/// Name of the copy in the new run's folder.
fn name(stem: &str) -> String {
    format!("start-{stem}.safetensors")
}

fn all_equal(a: Tensor<1>, b: Tensor<1>) -> bool {
    a.equal(b).all().into_scalar::<bool>()
}

fn frozen<M: Module>(model: &M, trains: impl Fn(&str) -> bool) -> Named {
    let mut named = Named::new();
    parameters::each(model, |entry| {
        if !trains(&entry.key) {
            named.insert(entry.key, entry.flat);
        }
    });
    named
}
