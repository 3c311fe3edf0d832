//! The α of each block and sublayer, learned on held-out samples.

use std::collections::BTreeMap;

use burn::module::Param;
use burn::tensor::{DType, Device, Tensor};
use burn_optim::GradientsParams;
use radapter_adapter::{Alpha, place_of};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::{Clip, Context, NoAdapter, Place};

use super::{Choice, ChoiceError, Rule, Scene, each_alpha, few};
use crate::gradients::autodiff::{to_training, tracked};
use crate::gradients::batch::Batch;
use crate::model::TrainModel;
use crate::objective::{Objective, Side};
use crate::run_loop::loader::{Batching, Form, Loader, Source};
use crate::state::parameters::{self, Change, HEAD};

/// Steps of the optimizer.
const STEPS: u64 = 30;
/// Learning rate of α: with [`STEPS`] each can move by about 0.6 from its start.
const RATE: f64 = 0.02;
/// α before the first step.
const START: f64 = 0.5;
/// Maximum of samples in a step.
const BATCH: usize = 64;

/// Trainable projected gradients (Tian et al., arXiv 2303.10720): the change Δ of each block and sublayer is projected to a radius γ,
/// `Δ·min(1, γ/‖Δ‖)`, and Adam learns γ on held-out samples by the run's own loss, with the tuned weights fixed. In units of
/// ‖Δ‖, γ is α, clamped to `[0, 1]`.
///
/// The optimum on held-out samples is that of their own distribution; what stays close to the base is that the steps are few.
#[derive(Debug)]
pub(super) struct Tpgm;

impl Rule for Tpgm {
    fn name(&self) -> &'static str {
        "tpgm"
    }

    fn about(&self) -> &'static str {
        "an alpha for each block, learned on held-out samples"
    }

    fn needs(&self) -> &'static str {
        "held-out samples of the run (val or val_fraction)"
    }

    fn choose(&self, scene: &mut Scene<'_>) -> Result<Choice, ChoiceError> {
        let samples = scene.samples(self)?;
        let (base, tuned) = (scene.base(), scene.tuned_model()?);
        let heads = scene.heads()?;
        let train = scene.settings();
        let objective = train.loss.objective();
        let mut learner = Learner::new(base, &tuned, heads, scene.device())?;
        // A step takes the memory of one of full fine-tuning; who splits batches has little.
        let most = train.micro_batch.value().unwrap_or(BATCH).min(train.batch_size).min(BATCH);
        let batching = Batching { samples: samples.len(), batch_size: most.min(samples.len()) };
        let form = Form::of(&learner.model, &*objective);
        let (count, seed) = (samples.len(), train.seed);
        let source = Source { data: samples, batching, form, seed };
        let mut loader = Loader::start(source, train.workers, 0..STEPS);
        let mut adam = Adam::new(learner.groups.len());
        for step in 0..STEPS {
            scene.check_interrupt()?;
            let batch = loader.next_batch().map_err(|error| scene.failed(error))?;
            let (loss, slopes) = learner.slopes(&*objective, &batch).map_err(|error| scene.failed(error))?;
            tracing::info!("choosing alpha: step {} of {STEPS}, loss {loss:.4}", step + 1);
            adam.step(&mut learner.alphas, &slopes);
        }
        // What the run did not change has nothing to scale.
        let of = |place| {
            let found = learner.groups.iter().position(|group| *group == place);
            found.and_then(|group| Alpha::new(learner.alphas[group]).ok()).unwrap_or(Alpha::ZERO)
        };
        Ok(Choice {
            rule: self.name().to_owned(),
            alphas: each_alpha(&base.config, of),
            measure: format!("{STEPS} steps of Adam with learning rate {RATE} on {count} held-out samples"),
            curve: Vec::new(),
            validation: BTreeMap::new(),
            notes: few(count).into_iter().collect(),
        })
    }
}

/// A model between base and tuned, with an α for each block and sublayer.
struct Learner {
    model: TrainModel<NoAdapter>,
    changes: BTreeMap<String, Moved>,
    /// What each α belongs to; `None` for what is in no block.
    groups: Vec<Option<Place>>,
    alphas: Vec<f64>,
}

/// A parameter that the run changed, flat and without autodiff.
struct Moved {
    base: Tensor<1>,
    delta: Tensor<1>,
    group: usize,
}

impl Learner {
    fn new(
        base: &Checkpoint,
        tuned: &Checkpoint,
        heads: Option<[Tensor<2>; 2]>,
        device: &Device,
    ) -> Result<Self, ChoiceError> {
        let [start, end] = heads.map_or([None, None], |heads| heads.map(|head| Some(Param::from_tensor(head))));
        let model = |checkpoint: &Checkpoint, head| -> Result<_, ChoiceError> {
            Ok(TrainModel { clip: Clip::from_state(&checkpoint.config, &checkpoint.state, device)?, head })
        };
        let (base, tuned) = (model(base, start)?, model(tuned, end)?);
        let mut ends = BTreeMap::new();
        parameters::each(&tuned, |entry| drop(ends.insert(entry.key, entry.flat.values)));
        let (mut changes, mut groups) = (BTreeMap::new(), Vec::new());
        parameters::each(&base, |entry| {
            let base = entry.flat.values;
            let Some(delta) = ends.remove(&entry.key).map(|end| end - base.clone()) else { return };
            if delta.clone().abs().max().into_scalar::<f64>() == 0.0 {
                return;
            }
            let place = if entry.key == HEAD { None } else { place_of(&entry.key) };
            let group = groups.iter().position(|group| *group == place).unwrap_or_else(|| {
                groups.push(place);
                groups.len() - 1
            });
            changes.insert(entry.key, Moved { base, delta, group });
        });
        let device = device.clone().autodiff();
        let model = to_training(base, &device, |key| changes.contains_key(key));
        let alphas = vec![START; groups.len()];
        Ok(Self { model, changes, groups, alphas })
    }

    /// The loss of a batch at the present α, and its derivative with respect to each.
    fn slopes(
        &mut self,
        objective: &dyn Objective,
        batch: &Batch,
    ) -> Result<(f64, Vec<f64>), Box<dyn std::error::Error + Send + Sync>> {
        let (changes, alphas) = (&self.changes, &self.alphas);
        let model = parameters::replace(self.model.clone(), |key, _| match changes.get(key) {
            Some(change) => Change::To(change.base.clone() + change.delta.clone().mul_scalar(alphas[change.group])),
            None => Change::Keep,
        });
        let (clip, device) = (&model.clip, model.device());
        let context = Context::training(0, batch.step);
        let pixels = batch.images(0..batch.image_count(), clip.config.vision.image_size, &device);
        let image = clip.encode_image(pixels, &context);
        let side = match &model.head {
            Some(head) => Side::Head(head.val()),
            None => Side::Text(clip.encode_text(&batch.tokens, &context)),
        };
        let loss = objective.loss(image, side, &batch.labels)?;
        let value = loss.clone().without_autodiff().into_scalar::<f64>();
        let mut gradients = GradientsParams::from_grads(tracked(loss, &device).backward(), &model);
        let (mut products, mut of) = (Vec::new(), Vec::new());
        parameters::each_with_gradient(&model, &mut gradients, |entry| {
            if let (Some(gradient), Some(change)) = (entry.gradient, changes.get(&entry.key)) {
                products.push((gradient.cast(DType::F32) * change.delta.clone()).sum());
                of.push(change.group);
            }
        });
        let mut slopes = vec![0.0; alphas.len()];
        if !products.is_empty() {
            let products: Vec<f32> = Tensor::cat(products, 0).into_data().convert::<f32>().try_into_vec()?;
            products.iter().zip(of).for_each(|(product, group)| slopes[group] += f64::from(*product));
        }
        Ok((value, slopes))
    }
}

/// Adam (Kingma and Ba, arXiv 1412.6980) with its usual constants, on values that are clamped to `[0, 1]`.
struct Adam {
    step: i32,
    means: Vec<f64>,
    squares: Vec<f64>,
}

impl Adam {
    fn new(count: usize) -> Self {
        Self { step: 0, means: vec![0.0; count], squares: vec![0.0; count] }
    }

    fn step(&mut self, values: &mut [f64], gradients: &[f64]) {
        const BETAS: [f64; 2] = [0.9, 0.999];
        self.step += 1;
        for (index, gradient) in gradients.iter().enumerate() {
            let (mean, square) = (&mut self.means[index], &mut self.squares[index]);
            *mean = BETAS[0] * *mean + (1.0 - BETAS[0]) * gradient;
            *square = BETAS[1] * *square + (1.0 - BETAS[1]) * gradient * gradient;
            let [mean, square] =
                [(*mean, BETAS[0]), (*square, BETAS[1])].map(|(moment, beta)| moment / (1.0 - beta.powi(self.step)));
            values[index] = (values[index] - RATE * mean / (square.sqrt() + 1e-8)).clamp(0.0, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use radapter_clip::checkpoint::Format;
    use radapter_clip::state_dict::{RawTensor, StateDict};
    use radapter_test_support::{noise, numbers, random_rows, uneven_batch, uneven_config, uneven_state};

    use super::*;
    use crate::objective::{Contrastive, CrossEntropy};

    fn learner(heads: Option<[Tensor<2>; 2]>) -> Learner {
        let change = noise(3, 0.2);
        let base = uneven_state(1);
        let moved: StateDict = base
            .iter()
            .map(|(name, tensor)| {
                let values = tensor.to_f32().into_iter().zip(change(tensor).to_f32()).map(|(a, b)| a + b).collect();
                let is_kept = name == "logit_scale";
                let moved = RawTensor::from_f32(tensor.shape(), values);
                (name.to_owned(), if is_kept { tensor.clone() } else { moved })
            })
            .collect();
        let [base, tuned] =
            [base, moved].map(|state| Checkpoint::new(uneven_config(), state, Format::OpenClip, "test").unwrap());
        Learner::new(&base, &tuned, heads, &Device::flex()).unwrap()
    }

    fn batch() -> Batch {
        let (pixels, tokens) = uneven_batch(&Device::flex());
        Batch { step: 0, pixels: numbers(pixels), views: 0, tokens, labels: vec![0, 1, 0] }
    }

    /// The derivatives are those of differences of the loss.
    fn check(mut learner: Learner, objective: &dyn Objective) {
        const STEP: f64 = 0.01;
        learner.alphas.iter_mut().enumerate().for_each(|(index, alpha)| *alpha = 0.3 + 0.03 * index as f64);
        let (_, slopes) = learner.slopes(objective, &batch()).unwrap();
        for (group, found) in slopes.iter().enumerate() {
            let alpha = learner.alphas[group];
            let [above, below] = [STEP, -STEP].map(|step| {
                learner.alphas[group] = alpha + step;
                learner.slopes(objective, &batch()).unwrap().0
            });
            learner.alphas[group] = alpha;
            let expected = (above - below) / (2.0 * STEP);
            let close = (found - expected).abs() <= 0.02 * expected.abs() + 2e-4;
            assert!(close, "{:?}: {found}, expected {expected}", learner.groups[group]);
        }
        assert!(slopes.iter().filter(|slope| slope.abs() > 1e-3).count() > slopes.len() / 3, "{slopes:?}");
    }

    #[test]
    fn slopes_are_those_of_the_loss_by_texts() {
        let learner = learner(None);
        // Three blocks of images and two of texts with two sublayers each, and the rest.
        assert_eq!(learner.groups.len(), 2 * (3 + 2) + 1);
        assert!(!learner.changes.contains_key("logit_scale"), "it did not change");
        check(learner, &Contrastive::InfoNce { temperature: 0.3 });
    }

    #[test]
    fn slopes_are_those_of_the_loss_by_a_classifier() {
        let rows = |seed| random_rows(2, uneven_config().embed_dim, seed, &Device::flex());
        check(learner(Some([rows(1), rows(2)])), &CrossEntropy { margin: 0.0, smoothing: 0.1, temperature: 0.3 });
    }

    #[test]
    fn adam_goes_down_at_its_rate_and_stays_in_range() {
        let (mut adam, mut values) = (Adam::new(3), vec![0.5, 0.5, 0.99]);
        adam.step(&mut values, &[3.0, -1e-3, -1.0]);
        for (value, expected) in values.iter().zip([0.48, 0.52, 1.0]) {
            assert!((value - expected).abs() < 1e-6, "{values:?}");
        }
        // f(x) = (x − 0.2)²
        let (mut adam, mut values) = (Adam::new(1), vec![0.5]);
        for _ in 0..200 {
            let slope = 2.0 * (values[0] - 0.2);
            adam.step(&mut values, &[slope]);
        }
        assert!((values[0] - 0.2).abs() < 0.01, "{values:?}");
    }
}
