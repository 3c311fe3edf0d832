//! How a method tunes a model: everything that the loop asks of it.

use std::fmt::Debug;
use std::io::{self, Write};

use burn::tensor::Tensor;
use radapter_adapter::{AdapterError, Alpha};
use radapter_clip::model::{Adapter, Clip, Encoder};

use crate::config::TrainSettings;
use crate::optimizer::averaging::Averaging;
use crate::optimizer::schedule::Schedule;

/// A method at work on a CLIP with the modules `A`. The modules themselves (behind or before a sublayer, inside a linear layer, on a
/// tower's tokens) are [`Adapter`]'s.
pub trait Tuning<A: Adapter>: Debug + Send + Sync {
    /// The stem of the names of the files that hold what was trained.
    fn stem(&self) -> &'static str;

    /// Whether a parameter is trained in a phase. Keys are those of the saved files: OpenCLIP's names for CLIP's own parameters,
    /// `head` for the classifier, `{tower}.{layer}.{site}.{path within the module}` for modules.
    fn trains(&self, key: &str, phase: usize) -> bool;

    /// The parts of a run of `steps` steps, one after the other; each trains at least what the one before did. One by default.
    fn phases(&self, settings: &TrainSettings, steps: u64) -> Vec<Phase> {
        vec![Phase { steps, schedule: settings.schedule(steps) }]
    }

    /// How the trained parameters are averaged, if they are: exponentially, as `ema` says.
    fn averaging(&self, settings: &TrainSettings, _steps: u64) -> Option<Averaging> {
        settings.ema.value().map(Averaging::exponential)
    }

    /// Whose embeddings of the same batch the penalty gets.
    fn teacher(&self) -> Option<Teacher> {
        None
    }

    /// More images for a step, appended to those of the batch: pixels as the batch has them. They are embedded with the batch, take no
    /// part in the objective, and are the penalty's [`views`](Embedded::views).
    fn views(&self, _images: &Images<'_>) -> Vec<f32> {
        Vec::new()
    }

    /// A term that is added to the objective, of shape `[1]`.
    fn penalty(&self, _step: &Embedded<'_, A>) -> Option<Tensor<1>> {
        None
    }

    /// The model that evaluation uses, with `alpha` of what was trained. The given one is in f32, without autodiff.
    ///
    /// # Errors
    /// [`AdapterError`] for an α that the modules cannot be merged at.
    fn encoder(&self, clip: Clip<A>, alpha: Alpha) -> Result<Box<dyn Encoder>, AdapterError>;

    /// Writes what was trained, the classifier apart, as a file.
    ///
    /// # Errors
    /// Those of the writer.
    fn write(&self, clip: &Clip<A>, base_hash: &str, out: &mut dyn Write) -> io::Result<()>;
}

/// A part of a run: the optimizer and its schedule start anew, the averages go on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// How many steps it has.
    pub steps: u64,
    /// The learning rate over its steps.
    pub schedule: Schedule,
}

/// A model that the trained one is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teacher {
    /// The model that is tuned, as it was, without the method's modules.
    Base,
    /// The moving average of the trained one; the trained one itself where nothing is averaged.
    Average,
}

/// The images of a step, for [`Tuning::views`].
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    /// `[batch, 3, size, size]`, row-major, normalised.
    pub pixels: &'a [f32],
    /// The side of an image.
    pub size: usize,
    /// The run's seed.
    pub seed: u64,
    /// The step, counted from 0.
    pub step: u64,
}

/// The embeddings of a step, for [`Tuning::penalty`].
#[derive(Debug)]
pub struct Embedded<'a, A: Adapter> {
    /// The model that is trained.
    pub clip: &'a Clip<A>,
    /// `[batch, embed_dim]`
    pub image: Tensor<2>,
    /// `[batch, embed_dim]`; none where images are compared with a classifier.
    pub text: Option<Tensor<2>>,
    /// Those of the [views](Tuning::views).
    pub views: Option<Tensor<2>>,
    /// The teacher's, without a gradient.
    pub teacher: Option<TeacherEmbeddings>,
}

/// A teacher's embeddings of a batch.
#[derive(Clone, Debug)]
pub struct TeacherEmbeddings {
    /// `[batch, embed_dim]`
    pub image: Tensor<2>,
    /// `[batch, embed_dim]`, where the batch has texts.
    pub text: Option<Tensor<2>>,
}
