//! Several devices in one process: each has a replica of the model and a share of every batch; the loss is of the whole batch.
//!
//! A step copies the trained parameters to the replicas, embeds the shares on all devices at once, computes the loss and the
//! gradients of the embeddings on the first device, carries each share's to the parameters on its own device, and sums
//! what comes back, in the order of the devices. One optimizer and one moving average, those of the model itself, take the step.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn_optim::{GradientsAccumulator, GradientsParams};
use radapter_clip::model::{Context, Tower};

use crate::cached::{self, Cut, Rows, Share, Texts, Worker};
use crate::model::{Batch, Fault, TrainModel};
use crate::parameters;
use crate::tensor_file::{Flat, Named};
use crate::tuning::{Tuned, to_training};

/// The replicas. Each is taken out while its parameters are replaced.
pub(crate) struct Workers<A: Tuned> {
    replicas: Vec<Mutex<Option<TrainModel<A>>>>,
}

impl<A: Tuned> std::fmt::Debug for Workers<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workers").field("replicas", &self.replicas.len()).finish()
    }
}

/// `count` images or texts for `workers` devices, as equal as can be, in order. Fewer of them than devices leave some idle.
fn slices(count: usize, workers: usize) -> Vec<Range<usize>> {
    (0..workers).map(|index| index * count / workers..(index + 1) * count / workers).collect()
}

impl<A: Tuned> Workers<A> {
    /// A replica of the model on each device. Graphs are of their own: threads that share parameters can block each other in
    /// their backward passes.
    pub(crate) fn new(model: &TrainModel<A>, devices: &[Device]) -> Self {
        let trained = parameters::trained(model);
        let replica = |device: &Device| {
            let autodiff = device.clone().autodiff();
            let mut replica = model.valid().fork(device);
            replica.shared.device = autodiff.clone();
            Mutex::new(Some(to_training(replica, &autodiff, |key| trained.contains_key(key))))
        };
        Self { replicas: devices.iter().map(replica).collect() }
    }

    /// Loss, and `scale` times its gradients, of a batch, on the model's device.
    pub(crate) fn step(
        &self,
        model: &TrainModel<A>,
        batch: &Batch,
        cut: Cut,
        context: &Context,
        scale: f64,
    ) -> Result<(f64, GradientsParams), Fault> {
        let home = model.shared.device.clone().without_autodiff();
        let current = parameters::trained(model);
        let mut taken: Vec<MutexGuard<'_, Option<TrainModel<A>>>> =
            self.replicas.iter().map(|replica| replica.lock().unwrap_or_else(PoisonError::into_inner)).collect();
        let texts = Texts::of(model, batch, context);
        let slices: BTreeMap<Tower, Vec<Range<usize>>> =
            [(Tower::Visual, batch.labels.len()), (Tower::Text, texts.distinct.len())]
                .map(|(tower, count)| (tower, slices(count, taken.len())))
                .into();
        let mut replicas: Vec<TrainModel<A>> = taken.iter_mut().filter_map(|replica| replica.take()).collect();
        replicas = on_all(replicas, |replica| {
            let device = replica.shared.device.clone().without_autodiff();
            parameters::load(replica, &copied(&current, &device))
        });
        let worker = |(index, replica): (usize, _)| {
            let [images, own] = [Tower::Visual, Tower::Text].map(|tower| slices[&tower][index].clone());
            Worker::new(replica, batch, context, cut, Share { images, texts: &texts.distinct[own] })
        };
        let mut workers: Vec<Worker<'_, A>> = replicas.iter().enumerate().map(worker).collect();

        let embedded = on_all(workers.iter_mut().collect(), |worker| moved(&worker.embed(), &home));
        let result = cached::loss(model, batch, &texts, joined(&embedded), scale).map(|(value, upstream, own)| {
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
            (value, sum.grads())
        });
        drop(workers);
        for (place, replica) in taken.iter_mut().zip(replicas) {
            **place = Some(replica);
        }
        result
    }
}

/// The same work on all items at once, each on a thread of its own; results in the order of the items.
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

/// The shares' rows below one another.
fn joined(shares: &[Rows]) -> Rows {
    let towers: BTreeSet<Tower> = shares.iter().flat_map(|rows| rows.keys().copied()).collect();
    let rows = |tower| Tensor::cat(shares.iter().filter_map(|rows| rows.get(&tower).cloned()).collect(), 0);
    towers.into_iter().map(|tower| (tower, rows(tower))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_as_equal_as_can_be() {
        assert_eq!(slices(8, 2), [0..4, 4..8]);
        assert_eq!(slices(7, 3), [0..2, 2..4, 4..7]);
        assert_eq!(slices(1, 2), [0..0, 0..1], "fewer samples than devices");
    }
}
