//! Validation during training.

use std::error::Error;

use burn::module::Module;
use burn::tensor::Tensor;
use radapter_adapter::{AdapterError, Alpha};
use radapter_clip::model::{Adapter, Encoder, Precision};

use crate::choice::{Judged, Row};
use crate::model::TrainModel;
use crate::state::parameters;
use crate::state::tensor_file::Named;
use crate::tuning::Tuning;

/// Validation of a task.
pub trait Validator: Send {
    /// Returns the names of its metrics, so that an unknown `best` is refused before the run starts. Empty if
    /// they are not known beforehand.
    fn metrics(&self) -> &'static [&'static str] {
        &[]
    }

    /// Returns the number of independent samples that a metric is a mean over, for its sampling error. `None` if it is no such mean,
    /// or the number is not known.
    fn samples(&self, _metric: &str) -> Option<u64> {
        None
    }

    /// Measures the model as evaluation uses it: averaged if the run averages, merged if the method allows; and the classifier
    /// `[classes, embed_dim]` if one is trained.
    ///
    /// # Errors
    /// Why the model could not be measured. The run stops.
    fn validate(
        &mut self,
        model: &dyn Encoder,
        head: Option<&Tensor<2>>,
    ) -> Result<Vec<(String, f64)>, Box<dyn Error + Send + Sync>>;

    /// Whether it can [`judge`](Self::judge); a run whose validation cannot keeps its usual α.
    fn judges(&self) -> bool {
        false
    }

    /// Whether [`judge`](Self::judge) takes images without labels.
    fn judges_unlabelled(&self) -> bool {
        self.judges()
    }

    /// Judges single samples, for the choice of α: passes each set's number and the scores of its samples to `take`.
    ///
    /// # Errors
    /// Why the model could not be measured; by default that the task has no such judgement.
    fn judge(
        &mut self,
        _model: &dyn Encoder,
        _head: Option<&Tensor<2>>,
        _sets: &[Judged<'_>],
        _take: &mut dyn FnMut(usize, Row<'_>),
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        Err("this task cannot judge single samples".into())
    }
}

/// Returns the model that evaluation uses: averaged if the run averages, without autodiff. It computes in the run's precision.
pub(crate) fn evaluated<A: Adapter>(
    model: &TrainModel<A>,
    averages: Option<&Named>,
    tuning: &dyn Tuning<A>,
    alpha: Alpha,
) -> Result<(Box<dyn Encoder>, Option<Tensor<2>>), AdapterError> {
    let model = model.valid();
    let model = match averages {
        Some(averages) => parameters::load(model, averages),
        None => model,
    };
    let precision = model.clip.precision;
    // Adapters are merged in f32, on weights that 16 bits have rounded.
    let encoder = tuning.encoder(model.clip.in_precision(Precision::F32), alpha)?;
    let encoder = match precision {
        Precision::F32 => encoder,
        _ => encoder.with_precision(precision),
    };
    Ok((encoder, model.head.map(|head| head.val())))
}
