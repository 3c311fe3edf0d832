//! One optimizer step on named parameters: clipping by global norm, AdamW, moving average.
//!
//! burn's `ModuleOptimizer` skips a parameter without gradient, keys its state by process-random identifiers, and clips each
//! parameter alone. Here the arithmetic is burn's [`AdamW`], and the bookkeeping is by name: a parameter without gradient,
//! as a dropped adapter's, has a zero gradient, so that its moments decay and its step count advances as in torch.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::Tensor;
use burn_optim::{AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, GradientsParams, Optimizer as _};

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
    decayed: AdamW,
    undecayed: AdamW,
    moments: BTreeMap<String, AdamWState<1>>,
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
        let adamw = |weight_decay: f64| {
            AdamWConfig::new()
                .with_beta_1(settings.betas[0] as f32)
                .with_beta_2(settings.betas[1] as f32)
                .with_epsilon(settings.eps as f32)
                .with_weight_decay(weight_decay as f32)
                .build()
        };
        let time = memory.time as usize;
        let mut second = memory.second;
        let moments = memory
            .first
            .into_iter()
            .filter_map(|(key, first)| {
                let second = second.remove(&key)?;
                let momentum = AdaptiveMomentumState::new(time, first.values, second.values);
                Some((key, AdamWState::new(momentum)))
            })
            .collect();
        Self {
            decayed: adamw(settings.weight_decay),
            undecayed: adamw(0.0),
            moments,
            averages: memory.averages,
            time: memory.time,
            settings,
        }
    }

    /// What has to be saved. `trained` gives the shapes.
    pub(crate) fn memory(&self, trained: &Named) -> Memory {
        let moments = |pick: fn(&AdamWState<1>) -> &Tensor<1>| {
            self.moments
                .iter()
                .map(|(key, state)| {
                    let shape = trained.get(key).map(|flat| flat.shape.clone()).unwrap_or_default();
                    (key.clone(), Flat { shape, values: pick(state).clone() })
                })
                .collect()
        };
        Memory {
            first: moments(|state| &state.momentum.moment_1),
            second: moments(|state| &state.momentum.moment_2),
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
    /// Rows are summed on the device in f32, the sums of the rows on the host in f64 and always in the same order: a sum
    /// over a whole tensor may be split among threads in any order.
    pub(crate) fn norm<M: Module>(
        &self,
        model: &M,
        mut gradients: GradientsParams,
    ) -> (f64, BTreeMap<String, Option<Tensor<1>>>) {
        let mut rows = Vec::new();
        let mut by_key = BTreeMap::new();
        parameters::each_with_gradient(model, &mut gradients, |entry| {
            if !entry.trained {
                return;
            }
            if let Some(gradient) = &entry.gradient {
                let last = entry.flat.shape.last().copied().unwrap_or(1).max(1);
                let count = entry.flat.shape.iter().product::<usize>() / last;
                let squares = gradient.clone().square().reshape([count, last]).sum_dim(1);
                rows.push(squares.reshape([count]));
            }
            by_key.insert(entry.key, entry.gradient);
        });
        let squares: f64 = match rows.is_empty() {
            true => 0.0,
            // One read of the device for all parameters.
            false => Tensor::cat(rows, 0).into_data().iter::<f64>().sum(),
        };
        (squares.sqrt(), by_key)
    }

    /// Updates all trained parameters. Gradients that are missing are zero.
    pub(crate) fn step<M: Module>(
        &mut self,
        model: M,
        lr: f64,
        norm: f64,
        mut gradients: BTreeMap<String, Option<Tensor<1>>>,
    ) -> M {
        let clip = match self.settings.clip_norm {
            Some(limit) => (limit / (norm + CLIP_EPSILON)).min(1.0),
            None => 1.0,
        };
        self.time += 1;
        let current = parameters::trained(&model);
        parameters::replace(model, |key, trained| {
            let (true, Some(flat)) = (trained, current.get(key)) else {
                return Change::Keep;
            };
            let gradient = match gradients.remove(key).flatten() {
                Some(gradient) if clip < 1.0 => gradient.mul_scalar(clip),
                Some(gradient) => gradient,
                None => flat.values.zeros_like(),
            };
            // Biases, norms and scales have one axis; shrinking them regularises nothing.
            let adamw = match flat.shape.len() > 1 {
                true => &self.decayed,
                false => &self.undecayed,
            };
            let moments = self.moments.remove(key);
            let (updated, moments) = adamw.step(lr, flat.values.clone(), gradient, moments);
            if let Some(moments) = moments {
                self.moments.insert(key.to_owned(), moments);
            }
            if let (Some(m), Some(average)) = (self.settings.ema, self.averages.get_mut(key)) {
                average.values = average.values.clone().mul_scalar(m) + updated.clone().mul_scalar(1.0 - m);
            }
            Change::To(updated)
        })
    }
}

#[cfg(test)]
mod tests;
