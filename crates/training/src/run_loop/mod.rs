//! The training loop.

pub(crate) mod loader;
pub(crate) mod memory;
pub(crate) mod session;
pub(crate) mod validation;

use std::time::Instant;

use self::loader::Loader;
use self::session::{Session, StepResult};
use crate::error::TrainError;
use crate::gradients::loss::{Fault, StepGradients};
use crate::gradients::times::{StepTimes, Stopwatch};
use crate::gradients::{self, GradientSettings};
use crate::model::{TrainModel, Tuned};
use crate::objective::Objective;
use crate::optimizer::{Optimizer, Update};
use crate::progress::{ProgressEvent, ProgressListener};

/// Trains until the run is complete or interrupted, and publishes its results. What has been saved on the way stays when it fails.
pub(crate) fn run<A: Tuned>(
    mut model: TrainModel<A>,
    objective: &dyn Objective,
    settings: &mut GradientSettings<A>,
    optimizer: &mut Optimizer,
    mut loader: Loader,
    session: &mut Session,
    listener: &mut dyn ProgressListener,
) -> Result<(), TrainError> {
    listener.event(&ProgressEvent::Started {
        done: session.counters.step,
        steps: session.total,
        steps_per_epoch: session.batching.steps_per_epoch(),
    });
    while !session.is_complete() {
        let started = Instant::now();
        let mut times = StepTimes::default();
        let mut clock = Stopwatch::start();
        let batch = loader.next_batch()?;
        times.wait = clock.lap();

        let lr = session.schedule.lr_at(session.counters.step);
        let gradients = gradients::compute(&model, objective, &batch, settings, &mut times);
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
        model = optimizer.step(model, lr, update);
        times.optimizer = clock.lap();

        session.record(StepResult { samples: batch.len(), loss, lr, grad_norm, times }, started, listener)?;
        let best = session.validation_is_due() && session.validate(&model, optimizer.averages(), listener)?;
        session.counters.seconds += started.elapsed().as_secs_f64();

        let interrupted = session.is_interrupted();
        if session.save_is_due() || best || interrupted {
            session.save(&model, optimizer, listener)?;
        }
        // After the state that knows of it: a run resumed from before would find a best that it has not seen yet.
        if best {
            session.publish_best(&model, optimizer.averages())?;
        }
        if interrupted {
            break;
        }
    }
    session.publish(&model, optimizer.averages())
}

/// The value of the loss and what its gradients do to the parameters, if they are finite.
fn update_of<A: Tuned>(model: &TrainModel<A>, found: StepGradients) -> Result<(f64, Update), Fault> {
    let StepGradients { loss, gradients, scale } = found;
    let update = Update::new(model, gradients, scale);
    match update.norm.is_finite() {
        true => Ok((loss, update)),
        false => Err(Fault::NotFinite { what: "gradient norm", value: update.norm }),
    }
}
