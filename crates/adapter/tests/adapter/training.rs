//! Training changes the adapters and nothing else, with the gradients of the definition.

use std::collections::BTreeSet;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};
use radapter_adapter::{
    AdapterConfig, AdapterError, AdapterSet, DropMode, Map, RAdapter, Rank, Scale, adapters, attach, parameters,
};
use radapter_clip::model::{Adapter, At, Clip, Context, Rows};

use crate::support::{batch, config, distance, numbers, random_set, rows, state};

fn low(rank: usize) -> AdapterConfig {
    AdapterConfig { rank: Rank::Low(rank), ..AdapterConfig::default() }
}

/// A model on an autodiff device, with adapters of random values.
fn model(adapter: &AdapterConfig) -> Clip<RAdapter> {
    let clip = Clip::from_state(&config(), &state(0), &Device::flex().autodiff()).unwrap();
    random_set(adapter, 4, 0.3).apply_to(attach(clip, adapter, 0).unwrap()).unwrap()
}

/// Which parameters require a gradient, and which have one.
#[derive(Default)]
struct Gradients {
    required: BTreeSet<ParamId>,
    all: usize,
}

impl ModuleVisitor for Gradients {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        self.all += 1;
        if parameter.is_require_grad() {
            self.required.insert(parameter.id);
        }
    }
}

#[test]
fn the_adapters_are_trained_and_nothing_else() {
    for adapter in [AdapterConfig::default(), low(2), AdapterConfig { scale: Scale::Fixed(2.0), ..low(2) }] {
        let model = model(&adapter);
        let mut found = Gradients::default();
        model.visit(&mut found);
        let listed = parameters(&model);
        assert_eq!(found.required, listed.iter().map(|parameter| parameter.id).collect());
        assert!(found.all > 2 * listed.len());
        let keys: BTreeSet<_> = listed.iter().map(|parameter| parameter.key.clone()).collect();
        let learnable = matches!(adapter.scale, Scale::Learnable(_));
        let stored = AdapterSet::from_model(&model).to_tensors();
        let names = stored.iter().map(|(key, _)| key.to_owned()).filter(|key| learnable || !key.ends_with("scale"));
        assert_eq!(keys, names.collect());
    }
}

#[test]
fn parameters_are_listed_in_one_order() {
    let keys: Vec<String> = parameters(&model(&low(2))).into_iter().map(|parameter| parameter.key).collect();
    assert_eq!(
        keys[..7],
        [
            "visual.0.attn.down",
            "visual.0.attn.up",
            "visual.0.attn.scale",
            "visual.0.mlp.down",
            "visual.0.mlp.up",
            "visual.0.mlp.scale",
            "visual.1.attn.down"
        ]
    );
    assert_eq!(keys.last().unwrap(), "text.1.mlp.scale");
    assert_eq!(parameters(&model(&AdapterConfig::default()))[0].key, "visual.0.attn.weight");
}

/// `∂/∂W` and `∂/∂s` of `⟨g, y + c·s·y Wᵀ⟩` are `c·s·gᵀ y` and `c·⟨g, y Wᵀ⟩`.
#[test]
fn gradients_are_those_of_the_definition() {
    let (drop, layout) = (0.25, Rows { batch: 2, tokens: 3 });
    let model = model(&AdapterConfig { drop, ..AdapterConfig::default() });
    let device = Device::flex();
    let (y, g) = (rows(6, 16, 1, &device), rows(6, 16, 2, &device));
    let (place, adapter) = adapters(&model).next().unwrap();
    let residual = adapter.residual.as_ref().unwrap();
    let (Map::Full(weight), Some(scale)) = (&residual.map, &residual.scale) else { panic!("full rank and learnable") };
    let (mut kept, mut dropped) = (0, 0);
    for step in 0..40 {
        let output = adapter.after(&y, y.clone(), At { place, rows: layout, context: &Context::training(0, step) });
        let loss = (output * g.clone()).sum();
        if !loss.is_tracked() {
            dropped += 1;
            continue;
        }
        kept += 1;
        let gradients = loss.backward();
        let (plain, s) = (weight.val().without_autodiff(), numbers(scale.val())[0]);
        let c = 1.0 / (1.0 - drop);
        let expected = g.clone().transpose().matmul(y.clone()).mul_scalar(c * f64::from(s));
        let found = numbers(weight.grad(&gradients).unwrap());
        assert!(distance(&found, &numbers(expected)) < 1e-5);
        let expected = (g.clone() * y.clone().matmul(plain.transpose())).sum().mul_scalar(c);
        assert!(distance(&numbers(scale.grad(&gradients).unwrap()), &numbers(expected)) < 1e-4);
    }
    assert!(kept > 0 && dropped > 0);
}

/// Asymmetric on purpose: a square matrix that is transposed somewhere goes wrong without an error.
#[test]
fn matrices_are_out_by_in() {
    use radapter_clip::state_dict::RawTensor;
    let mut weight = vec![0.0; 16 * 16];
    weight[2 * 16 + 5] = 3.0; // output 2 takes input 5
    let mut down = vec![0.0; 16];
    down[5] = 3.0;
    let mut up = vec![0.0; 16];
    up[2] = 0.5;
    let full = [("visual.0.attn.weight", RawTensor::from_f32([16, 16], weight))];
    let low = [
        ("visual.0.attn.down", RawTensor::from_f32([1, 16], down)),
        ("visual.0.attn.up", RawTensor::from_f32([16, 1], up)),
        ("visual.0.attn.scale", RawTensor::from_f32([1], vec![2.0])),
    ];
    for tensors in [full.to_vec(), low.to_vec()] {
        let tensors = tensors.into_iter().map(|(key, tensor)| (key.to_owned(), tensor)).collect();
        let set = AdapterSet::from_tensors(&tensors).unwrap();
        let model = radapter_adapter::attach_trained(crate::support::clip(0), &set).unwrap();
        let (place, adapter) = adapters(&model).next().unwrap();
        let y = rows(4, 16, 3, &Device::flex());
        let at = At { place, rows: Rows { batch: 4, tokens: 1 }, context: &Context::inference() };
        let output = adapter.after(&y, y.clone(), at);
        let added: Vec<f32> = numbers(output - y.clone());
        for (added, y) in added.chunks(16).zip(numbers(y).chunks(16)) {
            let mut expected = [0.0; 16];
            expected[2] = 3.0 * y[5];
            assert!(distance(added, &expected) < 1e-6, "{added:?}");
        }
    }
}

/// A dropped adapter takes no part in the graph: [`parameters`] lists those whose missing gradients an optimizer needs
/// as zeros.
#[test]
fn kept_adapters_have_gradients_and_dropped_ones_none() {
    let model = model(&AdapterConfig { drop: 0.5, ..low(2) });
    let (pixels, texts) = batch(&Device::flex());
    let (mut some, mut none) = (0, 0);
    for step in 0..4 {
        let context = Context::training(1, step);
        let loss = (model.encode_image(pixels.clone(), &context) * model.encode_text(&texts, &context)).sum();
        let gradients = loss.backward();
        for (place, adapter) in adapters(&model) {
            let residual = adapter.residual.as_ref().unwrap();
            let Map::Low(map) = &residual.map else { panic!("low rank") };
            let scale = residual.scale.as_ref().unwrap();
            let found = [
                map.down.grad(&gradients).is_some(),
                map.up.grad(&gradients).is_some(),
                scale.grad(&gradients).is_some(),
            ];
            let y = rows(3, if place.tower.to_string() == "visual" { 16 } else { 8 }, 0, &Device::flex());
            let at = At { place, rows: Rows { batch: 3, tokens: 1 }, context: &context };
            let output = adapter.after(&y, y.clone(), at);
            let kept = numbers(output) != numbers(y);
            assert_eq!(found, [kept; 3], "{place} in step {step}");
            *(if kept { &mut some } else { &mut none }) += 1;
        }
    }
    assert!(some > 0 && none > 0);
}

/// With every adapter of a pass dropped for some rows only, all of them still have a gradient.
#[test]
fn sample_and_token_dropping_keep_the_gradient() {
    for drop_mode in [DropMode::Sample, DropMode::Token] {
        let model = model(&AdapterConfig { drop: 0.3, drop_mode, ..low(2) });
        let (pixels, _) = batch(&Device::flex());
        let loss = model.encode_image(pixels, &Context::training(0, 0)).sum();
        let gradients = loss.backward();
        let (_, adapter) = adapters(&model).next().unwrap();
        let Map::Low(map) = &adapter.residual.as_ref().unwrap().map else { panic!("low rank") };
        let gradient = numbers(map.up.grad(&gradients).unwrap());
        assert!(gradient.iter().any(|value| *value != 0.0) && gradient.iter().all(|value| value.is_finite()));
    }
}

#[test]
fn values_are_replaced_and_parameters_stay() {
    for adapter in [AdapterConfig::default(), low(3), AdapterConfig { scale: Scale::Fixed(0.5), ..low(3) }] {
        let model = model(&adapter);
        let set = random_set(&adapter, 99, 0.1);
        let replaced = set.apply_to(model.clone()).unwrap();
        assert_eq!(parameters(&replaced), parameters(&model));
        assert_eq!(AdapterSet::from_model(&replaced), set);
        assert_ne!(AdapterSet::from_model(&model), set);
        let mut found = Gradients::default();
        replaced.visit(&mut found);
        assert_eq!(found.required.len(), parameters(&model).len());
    }
}

#[test]
fn values_of_another_form_are_refused() {
    let model = model(&low(3));
    let message = |set: AdapterSet| match set.apply_to(model.clone()) {
        Err(error @ AdapterError::Mismatch { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let other_rank = message(random_set(&low(2), 0, 0.1));
    assert_eq!(
        other_rank,
        "adapter `visual.0.attn`: expected a map of rank 3 and width 16, found a map of rank 2 and width 16"
    );
    let full = message(random_set(&AdapterConfig::default(), 0, 0.1));
    assert!(full.ends_with("found a full matrix [16, 16]"), "{full}");
    let fewer = AdapterConfig { towers: radapter_adapter::Towers::Visual, ..low(3) };
    let fewer = message(random_set(&fewer, 0, 0.1));
    assert_eq!(fewer, "adapter `text.0.attn`: expected a map of rank 3 and width 8, found no adapter");
}

/// Going through evaluation and back does not unfreeze the base.
#[test]
fn training_after_evaluation_trains_the_same_parameters() {
    let model = model(&AdapterConfig::default());
    let back = model.valid().train();
    let mut found = Gradients::default();
    back.visit(&mut found);
    assert_eq!(found.required, parameters(&model).iter().map(|parameter| parameter.id).collect());
}
