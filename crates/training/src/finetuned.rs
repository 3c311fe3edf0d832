//! Models of runs: the base, what was trained, and the mixing coefficient α.

use std::path::PathBuf;

use burn::tensor::Device;
use radapter_adapter::{Alpha, Alphas};
use radapter_clip::checkpoint::{Checkpoint, read_safetensors};
use radapter_ensemble::mix;
use radapter_settings::Origin;

use crate::error::TrainError;
use crate::method::{self, Method};
use crate::run::run_dir::RunDir;
pub use crate::run::tuned::{FineTunedError, RunFiles, TunedModel, misfit};
use crate::state::parameters::HEAD;

/// Run folder of any task and method, opened for its model.
#[derive(Clone, Debug)]
pub struct FineTunedRun {
    files: RunFiles,
    method: &'static dyn Method,
}

/// Model of a run.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct FineTuned {
    pub model: TunedModel,
    /// Mixing coefficients of `model`.
    pub alphas: Alphas,
}

impl FineTunedRun {
    /// Opens a run's folder. The run need not be finished: the results published last are used.
    ///
    /// # Errors
    /// [`TrainError`] naming the file that is missing or unreadable, or a method that is not among `methods`.
    pub fn open(methods: &[&'static dyn Method], path: impl Into<PathBuf>) -> Result<Self, TrainError> {
        let files = RunFiles::open(path)?;
        let config = files.dir().path().join(RunDir::CONFIG);
        let origin = || Origin::Named(config.display().to_string());
        let method = method::named(methods, &files.train().method, true, origin)?;
        Ok(Self { files, method })
    }

    /// Returns the folder and its record.
    pub fn files(&self) -> &RunFiles {
        &self.files
    }

    /// Returns the fine-tuning method.
    pub fn method(&self) -> &'static dyn Method {
        self.method
    }

    /// Returns the α of a model for which none is given: the one that was chosen for the run if one was, else its setting for scaled
    /// adapters, and 1 for other methods.
    pub fn default_alphas(&self) -> Alphas {
        match self.files.chosen() {
            Some(choice) => choice.alphas.clone(),
            None if self.method.is_scaled() => self.files.train().alpha.into(),
            None => Alpha::ONE.into(),
        }
    }

    /// Returns the paths of all files that evaluation reads.
    pub fn evaluated_files(&self) -> Vec<PathBuf> {
        let head = self.trains_head().then(|| self.files.evaluated(HEAD));
        std::iter::once(self.files.evaluated(self.method.stem())).chain(head).collect()
    }

    /// Whether the run trains a classifier of its own.
    pub fn trains_head(&self) -> bool {
        !self.files.train().loss.objective().needs_text()
    }

    /// Checks that the run has a model, which one that is stopped before its first save has not.
    ///
    /// # Errors
    /// [`FineTunedError::Unfinished`].
    pub fn check_has_model(&self) -> Result<(), FineTunedError> {
        if !self.files.evaluated(self.method.stem()).exists() && self.files.dir().report()?.is_none() {
            return Err(FineTunedError::Unfinished { run: self.files.dir().path().to_owned() });
        }
        Ok(())
    }

    /// Returns the run's model, at its own α unless one is given.
    ///
    /// # Errors
    /// [`FineTunedError::OtherBase`] if `base` is not the model that was tuned, and for files that are missing, damaged or do
    /// not fit.
    pub fn model(
        &self,
        base: &Checkpoint,
        alphas: Option<Alphas>,
        device: &Device,
    ) -> Result<FineTuned, FineTunedError> {
        let found = base.state.hash();
        if found != self.files.record().base_hash {
            return Err(FineTunedError::OtherBase {
                run: self.files.dir().path().to_owned(),
                expected: self.files.record().base_hash.clone(),
                found,
            });
        }
        self.check_has_model()?;
        let alphas = alphas.unwrap_or_else(|| self.default_alphas());
        let evaluated = self.files.evaluated(self.method.stem());
        tracing::debug!("opening {} at alpha = {alphas} by the method {}", evaluated.display(), self.method.name());
        Ok(FineTuned { model: self.method.open(&self.files, base, &alphas, device)?, alphas })
    }

    /// Returns the classifier that the run trained, mixed as `(1 − α)·start + α·trained`; `None` if the run trains none.
    ///
    /// # Shapes
    /// `start` and the result: `[classes, embed_dim]`, which is `shape`
    ///
    /// # Errors
    /// [`FineTunedError`] for a file that is missing, damaged or of another shape.
    pub fn classifier(
        &self,
        start: &[f32],
        shape: [usize; 2],
        alphas: &Alphas,
    ) -> Result<Option<Vec<f32>>, FineTunedError> {
        if !self.trains_head() {
            return Ok(None);
        }
        let path = self.files.evaluated(HEAD);
        let file = read_safetensors(&path)?;
        let tensor = file.tensors.get(HEAD);
        let Some(tuned) = tensor.filter(|tensor| tensor.shape() == shape) else {
            return Err(misfit(&path, HEAD, format!("{shape:?}"), tensor));
        };
        Ok(Some(mix(start, &tuned.to_f32(), alphas.outside_blocks().get())))
    }
}
