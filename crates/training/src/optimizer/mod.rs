//! Optimizer step on named parameters: clipping by global norm, AdamW, moving average.
//!
//! burn's `ModuleOptimizer` skips a parameter without gradient, keys its state by process-random identifiers, and clips each
//! parameter alone. Here state is keyed by name, and a parameter without gradient (a dropped adapter's) has a zero gradient,
//! so that its moments decay and its step count advances as in PyTorch. The arithmetic is [`AdamW`]'s.

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

/// PyTorch's `clip_grad_norm_` adds this to the norm before dividing by it.
const CLIP_EPSILON: f64 = 1e-6;

#[derive(Clone, Debug)]
pub(crate) struct OptimizerSettings {
    pub(crate) betas: [f64; 2],
    pub(crate) eps: f64,
    pub(crate) weight_decay: f64,
    /// λ of [`Anchor`]; 0 for none.
    pub(crate) spd: f64,
    pub(crate) clip_norm: Option<f64>,
    pub(crate) averaging: Option<Averaging>,
}

/// Optimizer with its moments and averages.
pub(crate) struct Optimizer {
    settings: OptimizerSettings,
    memory: Memory,
    /// What the parameters started from, for selective projection decay.
    start: Named,
}

/// Gradients of a step, and their norm.
pub(crate) struct Update {
    /// Global norm, before clipping.
    pub(crate) norm: f64,
    /// `scale` times the gradients of all trained parameters; missing ones are zero.
    gradients: BTreeMap<String, Option<Tensor<1>>>,
    scale: f64,
}

impl Update {
    /// Takes `scale` times the gradients of a model.
    ///
    /// Parts are summed on the device, their sums on the host in f64 and always in the same order: a device may divide a sum over
    /// a whole tensor among its threads in any order.
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
    /// Creates an optimizer in the state that [`memory`](Self::memory) returned.
    pub(crate) fn new(settings: OptimizerSettings, memory: Memory) -> Self {
        Self { settings, memory, start: Named::new() }
    }

    /// Sets what the parameters started from, where the run did.
    pub(crate) fn started_from(mut self, start: Named) -> Self {
        if self.settings.spd > 0.0 {
            self.start = start;
        }
        self
    }

    /// Returns the state to save.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Returns the averages, if the run averages.
    pub(crate) fn averages(&self) -> Option<&Named> {
        self.settings.averaging.as_ref().map(|_| &self.memory.averages)
    }

    /// Returns the averages that are evaluated instead of the parameters.
    pub(crate) fn evaluated(&self) -> Option<&Named> {
        let is_evaluated = self.settings.averaging.as_ref().is_some_and(Averaging::is_evaluated);
        self.averages().filter(|_| is_evaluated)
    }

    /// Starts a phase that trains `trained`: moments are reset, and averages continue; those of new parameters start at their
    /// values.
    pub(crate) fn restart(&mut self, trained: &Named) {
        let mut averages = std::mem::take(&mut self.memory.averages);
        if self.settings.averaging.is_some() {
            for (key, flat) in trained {
                averages.entry(key.clone()).or_insert_with(|| flat.clone());
            }
        }
        let zeros = |flat: &Flat| Flat { shape: flat.shape.clone(), values: flat.values.zeros_like() };
        let moments: Named = trained.iter().map(|(key, flat)| (key.clone(), zeros(flat))).collect();
        self.memory = Memory { first: moments.clone(), second: moments, averages, time: 0 };
    }

    /// Updates all trained parameters and their averages.
    ///
    /// `step` is that of the run, counted from 1.
    pub(crate) fn step<M: Module>(&mut self, model: M, step: u64, lr: f64, update: Update) -> M {
        let Update { norm, mut gradients, scale } = update;
        let clip = match self.settings.clip_norm {
            Some(limit) => (limit / (norm + CLIP_EPSILON)).min(1.0),
            None => 1.0,
        };
        let clip = clip / scale;
        let OptimizerSettings { betas, eps, weight_decay, spd, ref averaging, .. } = self.settings;
        let Memory { first, second, averages, time } = &mut self.memory;
        *time += 1;
        let average_decay = averaging.as_ref().map(|averaging| averaging.decay_at(step));
        let current = parameters::trained(&model);
        parameters::replace(model, |key, trained| {
            let (true, Some(Flat { shape, values })) = (trained, current.get(key)) else {
                return Change::Keep;
            };
            let taken = |named: &mut Named| named.remove(key).map(|flat| flat.values);
            let gradient = gradients.remove(key).flatten().unwrap_or_else(|| values.zeros_like());
            let anchor = self.start.get(key).map(|start| Anchor { start: &start.values, before: values, weight: spd });
            let average = average_decay.and_then(|_| taken(averages));
            // The average is of what the projection leaves.
            let (average, later) = if anchor.is_some() { (None, average) } else { (average, None) };
            let pulled = anchor.as_ref().map(|anchor| anchor.pulled(&gradient));
            let tracked = Tracked {
                parameter: values.clone(),
                first: taken(first).unwrap_or_else(|| values.zeros_like()),
                second: taken(second).unwrap_or_else(|| values.zeros_like()),
                average,
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
            let parameter = match anchor.zip(pulled) {
                Some((anchor, pulled)) => anchor.project(updated.parameter, pulled),
                None => updated.parameter,
            };
            let later = later
                .zip(average_decay)
                .map(|(average, decay)| average.mul_scalar(decay) + parameter.clone().mul_scalar(1.0 - decay));
            if let Some(average) = updated.average.or(later) {
                keep(averages, average);
            }
            Change::To(parameter)
        })
    }
}

/// Selective projection decay of a parameter (Tian et al., NeurIPS 2024, arXiv 2411.01713): where the gradient before the step points away
/// from the start, `⟨g, θ − θ₀⟩ > 0`, the step's result θ' becomes `θ' − λ·r·(θ' − θ₀)` with
/// `r = clip((‖θ' − θ₀‖ − ‖θ − θ₀‖) / ‖θ' − θ₀‖, 0, 1)`.
struct Anchor<'a> {
    /// θ₀
    start: &'a Tensor<1>,
    /// θ
    before: &'a Tensor<1>,
    /// λ
    weight: f64,
}

impl Anchor<'_> {
    /// Returns 1 where the step is pulled back, else 0, of shape `[1]`.
    fn pulled(&self, gradient: &Tensor<1>) -> Tensor<1> {
        let product = total(gradient.clone() * (self.before.clone() - self.start.clone()));
        product.greater_scalar(0.0).float()
    }

    fn project(&self, after: Tensor<1>, pulled: Tensor<1>) -> Tensor<1> {
        let norm = |moved: Tensor<1>| square_sums(moved).sum().sqrt();
        let moved = after.clone() - self.start.clone();
        let (now, then) = (norm(moved.clone()), norm(self.before.clone() - self.start.clone()));
        // At the start itself both norms are 0, and so is the ratio.
        let ratio = ((now.clone() - then) / now.clamp_min(f64::from(f32::MIN_POSITIVE))).clamp(0.0, 1.0);
        after - moved * (ratio * pulled).mul_scalar(self.weight)
    }
}

/// The sum of a tensor by rows of a fixed length: a sum over a large tensor may be split among threads in any order.
fn total(values: Tensor<1>) -> Tensor<1> {
    const ROW: usize = 1024;
    let [count] = values.dims();
    let whole = count - count % ROW;
    let rest = values.clone().narrow(0, whole, count - whole).sum();
    if whole == 0 {
        return rest;
    }
    let rows = values.narrow(0, 0, whole).reshape([whole / ROW, ROW]);
    rows.sum_dim(1).reshape([whole / ROW]).sum() + rest
}

#[cfg(test)]
mod tests;
