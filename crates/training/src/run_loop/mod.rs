//! The training loop.

pub(crate) mod loader;
pub(crate) mod memory;
pub(crate) mod session;
pub(crate) mod teacher;
pub(crate) mod validation;

use std::time::Instant;

use burn::module::Module;
use radapter_clip::model::Adapter;

use self::loader::Loader;
use self::session::{Session, StepResult};
use crate::error::TrainError;
use crate::gradients::autodiff::to_training;
use crate::gradients::batch::Batch;
use crate::gradients::loss::{Fault, StepGradients};
use crate::gradients::times::{StepTimes, Stopwatch};
use crate::gradients::{self, GradientSettings};
use crate::model::TrainModel;
use crate::objective::Objective;
use crate::optimizer::{Optimizer, Update};
use crate::progress::{ProgressEvent, ProgressListener};
use crate::state::parameters;
use crate::tuning::{Images, Tuning};

/// Trains until the run is complete or interrupted, and publishes its results. If it fails, states saved before remain.
pub(crate) fn run<A: Adapter + Sync>(
    mut model: TrainModel<A>,
    objective: &dyn Objective,
    settings: &mut GradientSettings<A>,
    optimizer: &mut Optimizer,
    mut loader: Loader,
    session: &mut Session<A>,
    listener: &mut dyn ProgressListener,
) -> Result<(), TrainError> {
    listener.event(&ProgressEvent::Started {
        done: session.counters.step,
        steps: session.total,
        steps_per_epoch: session.batching.steps_per_epoch(),
    });
    session.measure_first(&model, listener)?;
    while !session.is_complete() {
        let started = Instant::now();
        let mut times = StepTimes::default();
        let mut clock = Stopwatch::start();
        let batch = with_views(loader.next_batch()?, &model, settings, &*session.tuning)?;
        times.wait = clock.lap();

        let lr = session.lr();
        let teacher = session.teacher.as_ref();
        let taught = teacher.map(|teacher| teacher.embed(&model, optimizer.averages(), &batch, settings, objective));
        let tuning = &*session.tuning;
        let gradients = gradients::compute(&model, objective, tuning, &batch, taught.as_ref(), settings, &mut times);
        clock.lap();
        let (loss, update) = match gradients.and_then(|gradients| update_of(&model, gradients)) {
            Ok(found) => found,
            Err(fault) => {
                // The parameters are those before the step.
                session.save_once(&model, optimizer, listener)?;
                return Err(session.failed(fault, lr));
            }
        };
        let grad_norm = update.norm;
        model = optimizer.step(model, session.counters.step + 1, lr, update);
        times.optimizer = clock.lap();

        session.record(StepResult { samples: batch.len(), loss, lr, grad_norm, times }, started, listener)?;
        let best = session.validation_is_due() && session.validate(&model, optimizer.evaluated(), listener)?;
        session.counters.seconds += started.elapsed().as_secs_f64();
        model = next_phase(model, optimizer, settings, session);

        let interrupted = session.is_interrupted();
        if session.save_is_due() || best || interrupted {
            session.save(&model, optimizer, listener)?;
        }
        // After the state that records it: a run resumed from an earlier state would find a best that it has not reached yet.
        if best {
            session.publish_best(&model, optimizer.evaluated())?;
        }
        if interrupted {
            break;
        }
    }
    session.publish(&model, optimizer.evaluated())
}

/// Adds the views of its images that the method or the regularizer asks for to a batch.
fn with_views<A: Adapter>(
    mut batch: Batch,
    model: &TrainModel<A>,
    settings: &GradientSettings<A>,
    tuning: &dyn Tuning<A>,
) -> Result<Batch, TrainError> {
    let (size, patch) = (model.clip.config.vision.image_size, model.clip.config.vision.patch_size);
    let images = Images { pixels: &batch.pixels, size, patch, seed: settings.seed, step: batch.step };
    let mut views = tuning.views(&images);
    let more = settings.regularizer.as_ref().map(|term| term.views(&images)).unwrap_or_default();
    if !views.is_empty() && !more.is_empty() {
        let reason = "the method and the regularizer both add images to a step".to_owned();
        return Err(TrainError::Method { reason });
    }
    views.extend(more);
    if views.len() % (3 * size * size) != 0 {
        let reason = format!("{} values of views are not whole images of 3 × {size} × {size}", views.len());
        return Err(TrainError::Method { reason });
    }
    batch.add_views(&views, size);
    Ok(batch)
}

/// Returns the model as the next phase trains it, if one starts here.
fn next_phase<A: Adapter + Sync>(
    model: TrainModel<A>,
    optimizer: &mut Optimizer,
    settings: &mut GradientSettings<A>,
    session: &Session<A>,
) -> TrainModel<A> {
    let (phase, done) = session.phase();
    // Also where a run stops early: its last state is that of the phase which a resumed run would be in.
    if done > 0 || session.counters.step >= session.total {
        return model;
    }
    let device = model.device();
    let model = to_training(model.valid(), &device, |key| session.tuning.trains(key, phase));
    optimizer.restart(&parameters::trained(&model));
    if let Some(replicas) = &mut settings.replicas {
        replicas.renew(&model);
    }
    model
}

/// Returns the loss and the update, if they are finite.
fn update_of<A: Adapter>(model: &TrainModel<A>, found: StepGradients) -> Result<(f64, Update), Fault> {
    let StepGradients { loss, gradients, scale } = found;
    let update = Update::new(model, gradients, scale);
    match update.norm.is_finite() {
        true => Ok((loss, update)),
        false => Err(Fault::NotFinite { what: "gradient norm", value: update.norm }),
    }
}
