//! Data parallelism in one process: each device has a replica of the model and a share of every batch; the loss is of the whole
//! batch.
//!
//! A step copies the trained parameters to the replicas, embeds the shares on all devices at once, computes the loss and the
//! gradients of the embeddings on the first device, propagates each share's to the parameters on its own device, and sums
//! the results in the order of the devices. One optimizer and one moving average, those of the model itself, take the step.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn_optim::GradientsAccumulator;
use radapter_clip::model::{Adapter, Tower};

use super::autodiff::to_training;
use super::cached::{self, Parts, Rows, Share, Worker};
use super::loss::{Fault, Step, StepGradients};
use crate::model::TrainModel;
use crate::state::parameters;
use crate::state::tensor_file::{Flat, Named};

/// Replicas of a model, one per device.
pub(crate) struct Replicas<A: Adapter>(Vec<TrainModel<A>>);

/// Splits `count` images or texts among `workers` devices, as evenly as possible, in order. With fewer than devices, some stay
/// idle.
fn slices(count: usize, workers: usize) -> Vec<Range<usize>> {
    (0..workers).map(|index| index * count / workers..(index + 1) * count / workers).collect()
}

impl<A: Adapter + Sync> Replicas<A> {
    /// Creates a replica of the model on each device. Each has its own graph: threads that share parameters can block each other in
    /// their backward passes.
    pub(crate) fn new(model: &TrainModel<A>, devices: &[Device]) -> Self {
        let trained = parameters::trained(model);
        let replica = |device: &Device| {
            let replica = model.valid().fork(device);
            to_training(replica, &device.clone().autodiff(), |key| trained.contains_key(key))
        };
        Self(devices.iter().map(replica).collect())
    }

    /// Recreates the replicas, on the same devices, for a model that trains other parameters than before.
    pub(crate) fn renew(&mut self, model: &TrainModel<A>) {
        let devices: Vec<Device> = self.0.iter().map(|replica| replica.device().without_autodiff()).collect();
        *self = Self::new(model, &devices);
    }

    /// Computes the gradients of a batch, on the model's device.
    pub(crate) fn gradients(&mut self, step: &Step<'_, A>, parts: Parts) -> Result<StepGradients, Fault> {
        let Step { model, batch, .. } = *step;
        let home = model.device().without_autodiff();
        let texts = cached::texts(step);
        let slices: BTreeMap<Tower, Vec<Range<usize>>> =
            [(Tower::Visual, batch.image_count()), (Tower::Text, texts.distinct.len())]
                .map(|(tower, count)| (tower, slices(count, self.0.len())))
                .into();
        self.update(&parameters::trained(model));
        let worker = |(index, replica): (usize, _)| {
            let [images, own] = [Tower::Visual, Tower::Text].map(|tower| slices[&tower][index].clone());
            Worker::new(replica, step, parts, Share { images, texts: &texts.distinct[own] })
        };
        let mut workers: Vec<Worker<'_, A>> = self.0.iter().enumerate().map(worker).collect();

        let embedded = on_all(workers.iter_mut().collect(), |worker| moved(&worker.embed(), &home));
        let (loss, upstream, own) = cached::loss(step, &texts, joined(&embedded))?;
        let shares = workers.iter_mut().enumerate().map(|(index, worker)| {
            let rows = upstream.iter().filter_map(|(tower, gradient)| {
                let slice = slices[tower][index].clone();
                (!slice.is_empty()).then(|| (*tower, gradient.clone().narrow(0, slice.start, slice.len())))
            });
            (worker, rows.collect::<Rows>())
        });
        let found = on_all(shares.collect(), |(worker, upstream)| {
            let device = worker.device();
            let mut sum = GradientsAccumulator::new();
            worker.carry(&moved(&upstream, &device), &mut sum);
            sum.grads()
        });
        let mut sum = GradientsAccumulator::new();
        sum.accumulate(model, own);
        for gradients in found {
            sum.accumulate(model, gradients.to_device(&home, model));
        }
        Ok(StepGradients { loss, gradients: sum.grads(), scale: step.scale })
    }

    /// Copies the trained parameters to all replicas.
    fn update(&mut self, current: &Named) {
        self.0 = on_all(std::mem::take(&mut self.0), |replica| {
            let device = replica.device().without_autodiff();
            parameters::load(replica, &copied(current, &device))
        });
    }
}

/// Runs the same work on all items at once, each on its own thread; results are in the order of the items.
fn on_all<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = items.into_iter().map(|item| scope.spawn(move || work(item))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, R>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    })
}

fn copied(named: &Named, device: &Device) -> Named {
    let copy = |flat: &Flat| Flat { shape: flat.shape.clone(), values: flat.values.clone().to_device(device) };
    named.iter().map(|(key, flat)| (key.clone(), copy(flat))).collect()
}

fn moved(rows: &Rows, device: &Device) -> Rows {
    rows.iter().map(|(tower, rows)| (*tower, rows.clone().to_device(device))).collect()
}

/// Concatenates the rows of the shares.
fn joined(shares: &[Rows]) -> Rows {
    let towers: BTreeSet<Tower> = shares.iter().flat_map(|rows| rows.keys().copied()).collect();
    let rows = |tower| Tensor::cat(shares.iter().filter_map(|rows| rows.get(&tower).cloned()).collect(), 0);
    towers.into_iter().map(|tower| (tower, rows(tower))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_as_even_as_possible() {
        assert_eq!(slices(8, 2), [0..4, 4..8]);
        assert_eq!(slices(7, 3), [0..2, 2..4, 4..7]);
        assert_eq!(slices(1, 2), [0..0, 0..1], "fewer samples than devices");
    }
}
