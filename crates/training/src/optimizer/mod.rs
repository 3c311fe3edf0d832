//! One optimizer step on named parameters: clipping by global norm, AdamW, moving average.
//!
//! burn's `ModuleOptimizer` skips a parameter without gradient, keys its state by process-random identifiers, and clips each
//! parameter alone. Here the bookkeeping is by name, and a parameter without gradient, as a dropped adapter's, has a zero gradient,
//! so that its moments decay and its step count advances as in torch. The arithmetic is [`AdamW`]'s.

pub(crate) mod averaging;
pub(crate) mod schedule;

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::Tensor;
use burn_optim::GradientsParams;
use radapter_kernels::{AdamW, Tracked, square_sums};

use self::averaging::Averaging;
use crate::state::parameters::{self, Change};
use crate::state::saved::Memory;
use crate::state::tensor_file::{Flat, Named};

/// torch's `clip_grad_norm_` adds this to the norm before dividing by it.
const CLIP_EPSILON: f64 = 1e-6;

/// Settings of the optimizer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OptimizerSettings {
    pub(crate) betas: [f64; 2],
    pub(crate) eps: f64,
    pub(crate) weight_decay: f64,
    pub(crate) clip_norm: Option<f64>,
    pub(crate) averaging: Option<Averaging>,
}

/// The optimizer with its moments and averages.
pub(crate) struct Optimizer {
    settings: OptimizerSettings,
    memory: Memory,
}

/// What a step does to the parameters: their gradients, and the norm that clips them.
pub(crate) struct Update {
    /// Global norm of the gradients.
    pub(crate) norm: f64,
    /// `scale` times the gradients of all trained parameters; missing ones are zero.
    gradients: BTreeMap<String, Option<Tensor<1>>>,
    scale: f64,
}

impl Update {
    /// Takes `scale` times the gradients of a model.
    ///
    /// Parts are summed on the device, their sums on the host in f64 and always in the same order: a sum over a whole tensor may
    /// be divided among threads in any order.
    pub(crate) fn new<M: Module>(model: &M, mut gradients: GradientsParams, scale: f64) -> Self {
        let mut sums = Vec::new();
        let mut by_key = BTreeMap::new();
        parameters::each_with_gradient(model, &mut gradients, |entry| {
            if !entry.trained {
                return;
            }
            if let Some(gradient) = &entry.gradient {
                sums.push(square_sums(gradient.clone()));
            }
            by_key.insert(entry.key, entry.gradient);
        });
        let squares: f64 = match sums.is_empty() {
            true => 0.0,
            // One read of the device for all parameters.
            false => Tensor::cat(sums, 0).into_data().iter::<f64>().sum(),
        };
        Self { norm: squares.sqrt() / scale, gradients: by_key, scale }
    }
}

impl Optimizer {
    /// An optimizer with what it remembered when [`memory`](Self::memory) was taken.
    pub(crate) fn new(settings: OptimizerSettings, memory: Memory) -> Self {
        Self { settings, memory }
    }

    /// What has to be saved.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The averages, if the run has them.
    pub(crate) fn averages(&self) -> Option<&Named> {
        self.settings.averaging.map(|_| &self.memory.averages)
    }

    /// Updates all trained parameters and their averages.
    pub(crate) fn step<M: Module>(&mut self, model: M, lr: f64, update: Update) -> M {
        let Update { norm, mut gradients, scale } = update;
        let clip = match self.settings.clip_norm {
            Some(limit) => (limit / (norm + CLIP_EPSILON)).min(1.0),
            None => 1.0,
        };
        let clip = clip / scale;
        let OptimizerSettings { betas, eps, weight_decay, averaging, .. } = self.settings;
        let Memory { first, second, averages, time } = &mut self.memory;
        *time += 1;
        let average_decay = averaging.map(|averaging| averaging.decay_at(*time));
        let current = parameters::trained(&model);
        parameters::replace(model, |key, trained| {
            let (true, Some(Flat { shape, values })) = (trained, current.get(key)) else {
                return Change::Keep;
            };
            let taken = |named: &mut Named| named.remove(key).map(|flat| flat.values);
            let gradient = gradients.remove(key).flatten().unwrap_or_else(|| values.zeros_like());
            let tracked = Tracked {
                parameter: values.clone(),
                first: taken(first).unwrap_or_else(|| values.zeros_like()),
                second: taken(second).unwrap_or_else(|| values.zeros_like()),
                average: average_decay.and_then(|_| taken(averages)),
            };
            // Biases, norms and scales have one axis; shrinking them regularises nothing.
            let decay = if shape.len() > 1 { weight_decay } else { 0.0 };
            let adamw = AdamW::new(lr, betas, eps, decay, *time, clip);
            let updated = adamw.step(tracked, gradient, average_decay.unwrap_or(0.0));
            let keep = |named: &mut Named, values: Tensor<1>| {
                named.insert(key.to_owned(), Flat { shape: shape.clone(), values });
            };
            keep(first, updated.first);
            keep(second, updated.second);
            if let Some(average) = updated.average {
                keep(averages, average);
            }
            Change::To(updated.parameter)
        })
    }
}

#[cfg(test)]
mod tests;
