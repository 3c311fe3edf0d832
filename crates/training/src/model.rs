use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use burn::module::{Module, Param};
use burn::tensor::ExecutionError;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burn_optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn_optim::{GradientsParams, ModuleOptimizer};
use burn_train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};
use radapter_clip::model::{Clip, Context, Tower};
use radapter_losses::LossError;

use crate::cached::{self, Cut};
use crate::metrics::StepTimes;
use crate::objective::{Objective, Side};
use crate::optimizer::Optimizer;
use crate::parameters;
use crate::tuning::Tuned;
use crate::workers::Workers;

/// The samples of one step, on the host.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// Counted from 0.
    pub(crate) step: u64,
    /// `[batch, 3, size, size]`
    pub(crate) pixels: Vec<f32>,
    pub(crate) tokens: Vec<Vec<u32>>,
    pub(crate) labels: Vec<i64>,
}

/// What a step tells burn-train's metrics.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StepOutput {
    pub(crate) samples: usize,
    pub(crate) loss: f64,
    pub(crate) grad_norm: f64,
    pub(crate) lr: f64,
    pub(crate) samples_per_second: f64,
    pub(crate) seconds_left: f64,
    pub(crate) times: StepTimes,
}

impl ItemLazy for StepOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

/// The metric that chooses the best, as burn-train's validation output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ValidationOutput(pub(crate) f64);

impl ItemLazy for ValidationOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

/// Why a step did not change the parameters.
#[derive(Debug)]
pub(crate) enum Fault {
    Loss(LossError),
    NotFinite { what: &'static str, value: f64 },
}

/// What is not a parameter: the loss, the optimizer, and what a step leaves for the strategy. burn-train's learner clones
/// its model at every step, so that all clones have to share this.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) objective: Arc<dyn Objective>,
    pub(crate) seed: u64,
    pub(crate) micro_batch: Option<usize>,
    /// Whether of a tower's forward pass only the inputs of its blocks are kept.
    pub(crate) checkpointing: bool,
    /// What gradients are multiplied by on their way through the towers: more than 1 where small ones would be lost.
    pub(crate) gradient_scale: f64,
    pub(crate) device: Device,
    /// Whether a tower has trained parameters.
    pub(crate) trains_visual: bool,
    pub(crate) trains_text: bool,
    /// The [`Workers`] of the model's own kind where several devices share each batch. Its type is not named because burn's modules
    /// may not be generic over what they skip.
    pub(crate) workers: Option<Arc<dyn Any + Send + Sync>>,
    inside: Arc<Mutex<Inside>>,
}

pub(crate) struct Inside {
    pub(crate) optimizer: Optimizer,
    pub(crate) fault: Option<Fault>,
    pub(crate) grad_norm: f64,
    /// What the gradients of the step at hand are multiplied by.
    scale: f64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("objective", &self.objective).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(
        objective: Arc<dyn Objective>,
        seed: u64,
        micro_batch: Option<usize>,
        checkpointing: bool,
        gradient_scale: f64,
        device: Device,
        optimizer: Optimizer,
    ) -> Self {
        Self {
            objective,
            seed,
            micro_batch,
            checkpointing,
            gradient_scale,
            device,
            trains_visual: true,
            trains_text: true,
            workers: None,
            inside: Arc::new(Mutex::new(Inside { optimizer, fault: None, grad_norm: 0.0, scale: 1.0 })),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inside> {
        // A poisoned lock means a panic that is already on its way up; the data is as it was.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn trains(&self, tower: Tower) -> bool {
        match tower {
            Tower::Visual => self.trains_visual,
            Tower::Text => self.trains_text,
        }
    }
}

/// What is trained: a CLIP with or without adapters, and perhaps a classifier.
#[derive(Module, Debug)]
pub(crate) struct TrainModel<A: Tuned> {
    pub(crate) clip: Clip<A>,
    /// `[classes, embed_dim]`
    pub(crate) head: Option<Param<Tensor<2>>>,
    #[module(skip)]
    pub(crate) shared: Shared,
}

impl<A: Tuned> TrainModel<A> {
    /// The images of a part of a batch, on the training device.
    pub(crate) fn pixels(&self, batch: &Batch, part: std::ops::Range<usize>, device: &Device) -> Tensor<4> {
        let size = self.clip.config.vision.image_size;
        let stride = 3 * size * size;
        let values = batch.pixels[part.start * stride..part.end * stride].to_vec();
        Tensor::from_data(TensorData::new(values, [part.len(), 3, size, size]), device)
    }

    /// What the objective compares with images, but for texts.
    fn side(&self, batch: &Batch, context: &Context) -> Result<Side, LossError> {
        match (self.shared.objective.needs_text(), &self.head) {
            (true, _) => Ok(Side::Text(self.clip.encode_text(&batch.tokens, context))),
            (false, Some(head)) => Ok(Side::Head(head.val())),
            // `train` has refused this.
            (false, None) => Err(LossError::EmptyBatch),
        }
    }

    /// The loss of a step and `scale` times its gradients, in the way that the settings ask for.
    fn gradients(&self, batch: &Batch, scale: f64, times: &mut StepTimes) -> Result<(f64, GradientsParams), Fault> {
        let context = Context::training(self.shared.seed, batch.step);
        let samples = batch.labels.len();
        let size = self.shared.micro_batch.unwrap_or(samples).max(1);
        let cut = Cut { size, checkpointing: self.shared.checkpointing };
        let workers = self.shared.workers.as_ref().and_then(|workers| workers.downcast_ref::<Workers<A>>());
        if workers.is_none() && !cut.checkpointing && size >= samples {
            return self.whole_batch(batch, &context, scale, times);
        }
        let mut clock = Clock::start();
        let result = match workers {
            Some(workers) => workers.step(self, batch, cut, &context, scale),
            None => cached::step(self, batch, cut, &context, scale),
        };
        times.backward = clock.lap();
        result
    }

    /// The loss and `scale` times its gradients for the whole batch at once.
    fn whole_batch(
        &self,
        batch: &Batch,
        context: &Context,
        scale: f64,
        times: &mut StepTimes,
    ) -> Result<(f64, GradientsParams), Fault> {
        let mut clock = Clock::start();
        let pixels = self.pixels(batch, 0..batch.labels.len(), &self.shared.device);
        let image = self.clip.encode_image(pixels, context);
        times.images = clock.lap();
        let side = self.side(batch, context).map_err(Fault::Loss)?;
        times.texts = clock.lap();
        let loss = self.shared.objective.loss(image, side, &batch.labels).map_err(Fault::Loss)?;
        let value = read(&loss)?;
        times.loss = clock.lap();
        let gradients = tracked(loss, &self.shared.device).mul_scalar(scale).backward();
        times.backward = clock.lap();
        Ok((value, GradientsParams::from_grads(gradients, self)))
    }
}

/// Seconds since the last look.
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn lap(&mut self) -> f64 {
        let before = std::mem::replace(&mut self.0, Instant::now());
        (self.0 - before).as_secs_f64()
    }
}

/// The value of a one-element tensor, if it is a number.
pub(crate) fn read(loss: &Tensor<1>) -> Result<f64, Fault> {
    let value = loss.clone().without_autodiff().into_scalar::<f64>();
    if value.is_finite() { Ok(value) } else { Err(Fault::NotFinite { what: "loss", value }) }
}

/// The same loss in f32, tracked even if no trained parameter took part (all adapters dropped): burn refuses `backward` on a
/// tensor that is not.
pub(crate) fn tracked(loss: Tensor<1>, device: &Device) -> Tensor<1> {
    loss.cast(DType::F32) + Tensor::<1>::zeros([1], device).require_grad()
}

impl<A: Tuned> TrainStep for TrainModel<A> {
    type Input = Batch;
    type Output = StepOutput;

    fn step(&self, batch: Batch) -> TrainOutput<StepOutput> {
        let samples = batch.labels.len();
        let mut times = StepTimes::default();
        let mut scale = self.shared.gradient_scale;
        let result = loop {
            let found = self.gradients(&batch, scale, &mut times);
            match &found {
                // Of gradients that were too large for f16, a smaller multiple is not.
                Ok((_, gradients)) if scale > 1.0 && !parameters::are_finite(self, gradients) => {
                    scale = (scale / 16.0).max(1.0);
                }
                _ => break found,
            }
        };
        self.shared.lock().scale = scale;
        let (loss, grads) = result.unwrap_or_else(|fault| {
            let loss = match fault {
                Fault::NotFinite { value, .. } => value,
                Fault::Loss(_) => f64::NAN,
            };
            self.shared.lock().fault = Some(fault);
            (loss, GradientsParams::new())
        });
        TrainOutput { grads, item: StepOutput { samples, loss, times, ..StepOutput::default() } }
    }

    /// Clips, updates and averages; does nothing if the step had a fault.
    fn optimize(self, _optim: &mut ModuleOptimizer, lr: ModuleLearningRate, gradients: GradientsParams) -> Self {
        let shared = self.shared.clone();
        let mut inside = shared.lock();
        if inside.fault.is_some() {
            return self;
        }
        let (norm, gradients) = inside.optimizer.norm(&self, gradients);
        let scale = inside.scale;
        let norm = norm / scale;
        inside.grad_norm = norm;
        if !norm.is_finite() {
            inside.fault = Some(Fault::NotFinite { what: "gradient norm", value: norm });
            return self;
        }
        inside.optimizer.step(self, lr.base(), norm, scale, gradients)
    }
}

impl<A: Tuned> InferenceStep for TrainModel<A> {
    type Input = Batch;
    type Output = ValidationOutput;

    /// The objective's loss, as evaluation computes it. The strategy validates by the task's measure instead.
    fn step(&self, batch: Batch) -> ValidationOutput {
        let device = self.shared.device.clone().without_autodiff();
        let context = Context::inference();
        let image = self.clip.encode_image(self.pixels(&batch, 0..batch.labels.len(), &device), &context);
        let loss = self.side(&batch, &context).and_then(|side| self.shared.objective.loss(image, side, &batch.labels));
        ValidationOutput(loss.map_or(f64::NAN, |loss| loss.into_scalar::<f64>()))
    }
}
