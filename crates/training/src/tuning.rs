//! The interface between methods and the loop.

use std::fmt::Debug;
use std::io::{self, Write};
use std::path::Path;

use burn::tensor::Tensor;
use radapter_adapter::{AdapterError, Alpha};
use radapter_clip::model::{Adapter, Clip, Encoder};

use crate::config::TrainSettings;
use crate::error::TrainError;
use crate::optimizer::averaging::Averaging;
use crate::optimizer::schedule::Schedule;

/// Method applied to a CLIP with the modules `A`. [`Adapter`] covers the modules themselves (before or after a sublayer, inside a
/// linear layer, on a tower's tokens).
pub trait Tuning<A: Adapter>: Debug + Send + Sync {
    /// Returns the stem of the file names of the trained parameters.
    fn stem(&self) -> &'static str;

    /// Whether a parameter is trained in a phase. Keys are those of the saved files: OpenCLIP's names for CLIP's own parameters,
    /// `head` for the classifier, `{tower}.{layer}.{site}.{path within the module}` for modules.
    fn trains(&self, key: &str, phase: usize) -> bool;

    /// Returns the consecutive phases of a run of `steps` steps; each trains at least what the one before did. One by default.
    fn phases(&self, settings: &TrainSettings, steps: u64) -> Vec<Phase> {
        vec![Phase { steps, schedule: settings.schedule(steps) }]
    }

    /// Returns how the trained parameters are averaged, if they are; by default exponentially, with the decay `ema`.
    fn averaging(&self, settings: &TrainSettings, _steps: u64) -> Option<Averaging> {
        settings.ema.value().map(Averaging::exponential)
    }

    /// Returns the teacher whose embeddings of the same batch the penalty gets.
    fn teacher(&self) -> Option<Teacher> {
        None
    }

    /// Returns more images for a step, appended to those of the batch, in the layout of its pixels. They are embedded with the
    /// batch, are not part of the objective, and reach the penalty as [`views`](Embedded::views).
    fn views(&self, _images: &Images<'_>) -> Vec<f32> {
        Vec::new()
    }

    /// Returns a term to add to the objective, of shape `[1]`.
    fn penalty(&self, _step: &Embedded<'_, A>) -> Option<Tensor<1>> {
        None
    }

    /// Returns the model that evaluation uses, with mixing coefficient `alpha`. `clip` is in f32, without autodiff.
    ///
    /// # Errors
    /// [`AdapterError`] for an α at which the modules cannot be merged.
    fn encoder(&self, clip: Clip<A>, alpha: Alpha) -> Result<Box<dyn Encoder>, AdapterError>;

    /// Writes the trained parameters, except the classifier, as a file.
    ///
    /// # Errors
    /// I/O errors of `out`.
    fn write(&self, clip: &Clip<A>, base_hash: &str, out: &mut dyn Write) -> io::Result<()>;

    /// Returns the model with the values of a file that [`write`](Self::write) wrote, for a run that starts from another's weights.
    ///
    /// # Errors
    /// [`TrainError`] for a file that is unreadable or does not fit the model.
    fn read(&self, clip: Clip<A>, path: &Path) -> Result<Clip<A>, TrainError>;
}

/// Phase of a run: optimizer and schedule are reset, the averages continue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// Number of steps.
    pub steps: u64,
    /// Learning rate over the phase's steps.
    pub schedule: Schedule,
}

/// Model that a penalty compares with the trained one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teacher {
    /// The base model, without the method's modules.
    Base,
    /// The moving average of the trained model; the trained model itself if it is not averaged.
    Average,
}

/// Images of a step, for [`Tuning::views`].
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    /// `[batch, 3, size, size]`, row-major, normalised.
    pub pixels: &'a [f32],
    /// Side of an image in pixels.
    pub size: usize,
    /// Side of a patch of the image tower in pixels.
    pub patch: usize,
    /// The run's seed.
    pub seed: u64,
    /// Counted from 0.
    pub step: u64,
}

/// Embeddings of a step, for [`Tuning::penalty`].
#[derive(Debug)]
pub struct Embedded<'a, A: Adapter> {
    /// The model in training.
    pub clip: &'a Clip<A>,
    /// `[batch, embed_dim]`
    pub image: Tensor<2>,
    /// `[batch, embed_dim]`; `None` if images are compared with a classifier.
    pub text: Option<Tensor<2>>,
    /// Embeddings of the [views](Tuning::views).
    pub views: Option<Tensor<2>>,
    /// Embeddings of the teacher, without a gradient.
    pub teacher: Option<TeacherEmbeddings>,
}

/// Embeddings of a batch by a teacher.
#[derive(Clone, Debug)]
pub struct TeacherEmbeddings {
    /// `[batch, embed_dim]`
    pub image: Tensor<2>,
    /// `[batch, embed_dim]`; `None` if the batch has no texts.
    pub text: Option<Tensor<2>>,
    /// `[views, embed_dim]`; `None` if the step has no views.
    pub views: Option<Tensor<2>>,
    /// `[texts, embed_dim]`, of the [probes](crate::regularizer::Regularizer::probes); `None` without any.
    pub probes: Option<Tensor<2>>,
}
