//! One optimizer step on named parameters: clipping by global norm, AdamW, moving average.
//!
//! burn's `ModuleOptimizer` skips a parameter without gradient, keys its state by process-random identifiers, and clips each
//! parameter alone. Here the bookkeeping is by name, and a parameter without gradient, as a dropped adapter's, has a zero gradient,
//! so that its moments decay and its step count advances as in torch. The arithmetic is [`AdamW`]'s.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::Tensor;
use burn_optim::GradientsParams;
use radapter_kernels::{AdamW, Tracked, square_sums};

use crate::parameters::{self, Change};
use crate::tensor_file::{Flat, Named};

/// torch's `clip_grad_norm_` adds this to the norm before dividing by it.
const CLIP_EPSILON: f64 = 1e-6;

/// The settings of a step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) betas: [f64; 2],
    pub(crate) eps: f64,
    pub(crate) weight_decay: f64,
    pub(crate) clip_norm: Option<f64>,
    /// m of `W̃ ← m·W̃ + (1−m)·W`.
    pub(crate) ema: Option<f64>,
}

/// The optimizer and what it remembers.
pub(crate) struct Optimizer {
    settings: Settings,
    /// Moving averages of the gradients.
    first: Named,
    /// Moving averages of their squares.
    second: Named,
    /// The averages W̃; empty without averaging.
    averages: Named,
    /// Steps done.
    time: u64,
}

/// Moments and averages in the form of the state files.
pub(crate) struct Memory {
    pub(crate) first: Named,
    pub(crate) second: Named,
    pub(crate) averages: Named,
    pub(crate) time: u64,
}

impl Optimizer {
    /// Before the first step: no moments, and averages that start as the parameters (no bias correction).
    pub(crate) fn new(settings: Settings, trained: &Named) -> Self {
        let averages = match settings.ema {
            Some(_) => trained.clone(),
            None => Named::new(),
        };
        let memory = Memory { first: Named::new(), second: Named::new(), averages, time: 0 };
        Self::restore(settings, memory)
    }

    /// As it was when [`memory`](Self::memory) was taken.
    pub(crate) fn restore(settings: Settings, memory: Memory) -> Self {
        let Memory { first, second, averages, time } = memory;
        Self { settings, first, second, averages, time }
    }

    /// What has to be saved.
    pub(crate) fn memory(&self) -> Memory {
        Memory {
            first: self.first.clone(),
            second: self.second.clone(),
            averages: self.averages.clone(),
            time: self.time,
        }
    }

    /// The averages, or nothing if the run has none.
    pub(crate) fn averages(&self) -> Option<&Named> {
        self.settings.ema.map(|_| &self.averages)
    }

    /// The global norm of the gradients, and the gradients of all trained parameters in the model's order.
    ///
    /// Parts are summed on the device, their sums on the host in f64 and always in the same order: a sum over a whole tensor may
    /// be split among threads in any order.
    pub(crate) fn norm<M: Module>(
        &self,
        model: &M,
        mut gradients: GradientsParams,
    ) -> (f64, BTreeMap<String, Option<Tensor<1>>>) {
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
        (squares.sqrt(), by_key)
    }

    /// Updates all trained parameters, given `scale` times their gradients, and the norm of the gradients themselves. Gradients that
    /// are missing are zero.
    pub(crate) fn step<M: Module>(
        &mut self,
        model: M,
        lr: f64,
        norm: f64,
        scale: f64,
        mut gradients: BTreeMap<String, Option<Tensor<1>>>,
    ) -> M {
        let clip = match self.settings.clip_norm {
            Some(limit) => (limit / (norm + CLIP_EPSILON)).min(1.0),
            None => 1.0,
        };
        let clip = clip / scale;
        self.time += 1;
        let current = parameters::trained(&model);
        let Settings { betas, eps, weight_decay, ema, .. } = self.settings;
        parameters::replace(model, |key, trained| {
            let (true, Some(Flat { shape, values })) = (trained, current.get(key)) else {
                return Change::Keep;
            };
            let taken = |named: &mut Named| named.remove(key).map(|flat| flat.values);
            let gradient = gradients.remove(key).flatten().unwrap_or_else(|| values.zeros_like());
            let tracked = Tracked {
                parameter: values.clone(),
                first: taken(&mut self.first).unwrap_or_else(|| values.zeros_like()),
                second: taken(&mut self.second).unwrap_or_else(|| values.zeros_like()),
                average: ema.and_then(|_| taken(&mut self.averages)),
            };
            // Biases, norms and scales have one axis; shrinking them regularises nothing.
            let decay = if shape.len() > 1 { weight_decay } else { 0.0 };
            let adamw = AdamW::new(lr, betas, eps, decay, self.time, clip);
            let updated = adamw.step(tracked, gradient, ema.unwrap_or(0.0));
            let keep = |named: &mut Named, values: Tensor<1>| {
                named.insert(key.to_owned(), Flat { shape: shape.clone(), values });
            };
            keep(&mut self.first, updated.first);
            keep(&mut self.second, updated.second);
            if let Some(average) = updated.average {
                keep(&mut self.averages, average);
            }
            Change::To(updated.parameter)
        })
    }
}

#[cfg(test)]
mod tests;
