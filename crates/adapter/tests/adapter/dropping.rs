//! Dropping: a function of seed, step and place, right on average, and of the right grain.

use burn::tensor::{Device, Tensor};
use radapter_adapter::{AdapterConfig, DropMode, RAdapter, adapters, attach, attach_trained};
use radapter_clip::model::{Adapter, At, Clip, Context, Place, Rows};

use crate::support::{bits, clip, distance, embed, numbers, random_set, rows};

const ROWS: Rows = Rows { batch: 3, tokens: 5 };
const WIDTH: usize = 16;
const MODES: [DropMode; 4] = [DropMode::Adapter, DropMode::Sample, DropMode::Token, DropMode::Element];

fn model(drop: f64, drop_mode: DropMode) -> Clip<RAdapter> {
    let config = AdapterConfig { drop, drop_mode, ..AdapterConfig::default() };
    random_set(&config, 3, 0.3).apply_to(attach(clip(0), &config, 0).unwrap()).unwrap()
}

fn first(model: &Clip<RAdapter>) -> (Place, &RAdapter) {
    adapters(model).next().unwrap()
}

fn activations() -> Tensor<2> {
    rows(ROWS.batch * ROWS.tokens, WIDTH, 11, &Device::flex())
}

/// What the first adapter adds to the activations.
fn added(model: &Clip<RAdapter>, context: &Context, rows: Rows) -> Vec<Vec<f32>> {
    let (place, adapter) = first(model);
    let y = activations().slice([0..rows.batch * rows.tokens, 0..WIDTH]);
    let output = adapter.after(&y, y.clone(), At { place, rows, context });
    numbers(output - y).chunks(WIDTH).map(<[f32]>::to_vec).collect()
}

fn is_dropped(row: &[f32]) -> bool {
    row.iter().all(|value| *value == 0.0)
}

/// Which rows are dropped in a step.
fn dropped(model: &Clip<RAdapter>, step: u64, rows: Rows) -> Vec<bool> {
    added(model, &Context::training(1, step), rows).iter().map(|row| is_dropped(row)).collect()
}

#[test]
fn without_dropping_training_is_inference() {
    let model = model(0.0, DropMode::Adapter);
    // Equal but for rounding: different maps are folded into the weights.
    assert!(distance(&embed(&model, &Context::training(5, 6)), &embed(&model, &Context::inference())) < 1e-6);
}

#[test]
fn a_dropped_adapter_returns_its_input_and_a_kept_one_is_scaled_up() {
    let model = model(0.5, DropMode::Adapter);
    let whole = added(&model, &Context::inference(), ROWS);
    let mut seen = [false, false];
    for step in 0..20 {
        let context = Context::training(1, step);
        let rows = added(&model, &context, ROWS);
        let all_dropped = rows.iter().all(|row| is_dropped(row));
        seen[usize::from(all_dropped)] = true;
        if all_dropped {
            let (place, adapter) = first(&model);
            let output = adapter.after(&activations(), activations(), At { place, rows: ROWS, context: &context });
            assert_eq!(bits(&numbers(output)), bits(&numbers(activations())));
        } else {
            let doubled: Vec<f32> = whole.concat().iter().map(|value| 2.0 * value).collect();
            assert!(distance(&rows.concat(), &doubled) < 1e-5);
        }
    }
    assert_eq!(seen, [true, true]);
}

#[test]
fn the_mean_over_many_steps_is_the_undropped_output() {
    const STEPS: u64 = 4000;
    for drop_mode in MODES {
        let model = model(0.2, drop_mode);
        let whole = added(&model, &Context::inference(), ROWS).concat();
        let mut sum = vec![0.0_f64; whole.len()];
        for step in 0..STEPS {
            let rows = added(&model, &Context::training(8, step), ROWS).concat();
            sum.iter_mut().zip(&rows).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        // γ/(1−p) has a standard deviation of √(p/(1−p)) = ½, its mean of 4000 of 0.008. A dropped element is one of the terms of
        // an output, which may cancel each other.
        let largest = whole.iter().fold(0.0_f64, |largest, value| largest.max(f64::from(value.abs())));
        for (sum, whole) in sum.iter().zip(&whole) {
            let (mean, whole) = (sum / STEPS as f64, f64::from(*whole));
            let size = if drop_mode == DropMode::Element { largest } else { whole.abs() };
            assert!((mean - whole).abs() < 0.04 * size + 1e-6, "{drop_mode:?}: {mean} {whole}");
        }
    }
}

#[test]
fn every_pass_of_a_step_draws_the_same_and_steps_and_seeds_differ() {
    for drop_mode in MODES {
        let model = model(0.5, drop_mode);
        let context = Context::training(2, 9);
        assert_eq!(bits(&embed(&model, &context)), bits(&embed(&model.clone(), &context)));
        assert_ne!(embed(&model, &context), embed(&model, &Context::training(2, 10)));
        assert_ne!(embed(&model, &context), embed(&model, &Context::training(3, 9)));
    }
}

#[test]
fn places_draw_independently() {
    let model = model(0.5, DropMode::Adapter);
    let pattern = |step| -> Vec<bool> {
        adapters(&model)
            .map(|(place, adapter)| {
                let width = if place.tower == radapter_clip::model::Tower::Visual { 16 } else { 8 };
                let y = rows(15, width, 2, &Device::flex());
                let at = At { place, rows: ROWS, context: &Context::training(0, step) };
                let output = adapter.after(&y, y.clone(), at);
                numbers(output) == numbers(y)
            })
            .collect()
    };
    let patterns: Vec<_> = (0..40).map(pattern).collect();
    let places = patterns[0].len();
    for a in 0..places {
        for b in 0..a {
            let agree = patterns.iter().filter(|pattern| pattern[a] == pattern[b]).count();
            assert!((5..36).contains(&agree), "places {a} and {b} agree in {agree} of 40 steps");
        }
    }
}

#[test]
fn a_sample_is_dropped_as_a_whole_and_samples_differ() {
    let model = model(0.5, DropMode::Sample);
    let mut mixed = false;
    for step in 0..20 {
        let dropped = dropped(&model, step, ROWS);
        for sample in dropped.chunks(ROWS.tokens) {
            assert!(sample.iter().all(|row| *row == sample[0]), "{dropped:?}");
        }
        mixed |= dropped.iter().any(|row| *row != dropped[0]);
    }
    assert!(mixed);
}

#[test]
fn a_token_position_is_dropped_in_all_samples_and_positions_differ() {
    let model = model(0.5, DropMode::Token);
    let mut mixed = false;
    for step in 0..20 {
        let dropped = dropped(&model, step, ROWS);
        let (one, others) = dropped.split_at(ROWS.tokens);
        assert!(others.chunks(ROWS.tokens).all(|sample| sample == one), "{dropped:?}");
        mixed |= one.iter().any(|row| *row != one[0]);
    }
    assert!(mixed);
}

/// A text's draw may not depend on the longest text of its batch, nor a sample's on how many follow it.
#[test]
fn the_first_draws_do_not_depend_on_how_many_there_are() {
    for step in 0..10 {
        let tokens = model(0.5, DropMode::Token);
        let whole = dropped(&tokens, step, ROWS);
        let shorter = dropped(&tokens, step, Rows { batch: 1, tokens: 3 });
        assert_eq!(shorter, whole[..3]);

        let samples = model(0.5, DropMode::Sample);
        let whole = dropped(&samples, step, ROWS);
        let fewer = dropped(&samples, step, Rows { batch: 2, tokens: 5 });
        assert_eq!(fewer, whole[..10]);
    }
}

/// The text tower may encode equal texts once, unless each sample draws for itself.
#[test]
fn equal_texts_are_encoded_once_where_that_is_exact() {
    let training = Context::training(0, 0);
    for (drop_mode, drop, alike) in [
        (DropMode::Adapter, 0.5, true),
        (DropMode::Token, 0.5, true),
        (DropMode::Sample, 0.5, false),
        (DropMode::Element, 0.5, false),
        (DropMode::Sample, 0.0, true),
    ] {
        let model = model(drop, drop_mode);
        let (_, adapter) = first(&model);
        assert_eq!(adapter.treats_samples_alike(&training), alike, "{drop_mode:?} {drop}");
        assert!(adapter.treats_samples_alike(&Context::inference()));

        let text = vec![49_406, 4, 49_407];
        let one = numbers(model.encode_text(std::slice::from_ref(&text), &training));
        let two = numbers(model.encode_text(&[text.clone(), text], &training));
        assert!(distance(&two[..one.len()], &one) < 1e-6);
        assert!(!alike || two[..one.len()] == two[one.len()..]);
    }
}

#[test]
fn adapters_for_evaluation_are_never_dropped() {
    let set = random_set(&AdapterConfig::default(), 3, 0.3);
    let model = attach_trained(clip(0), &set).unwrap();
    assert!(distance(&embed(&model, &Context::training(0, 0)), &embed(&model, &Context::inference())) < 1e-6);
}

#[test]
fn elements_of_the_input_are_dropped_one_by_one() {
    let model = model(0.5, DropMode::Element);
    let (place, adapter) = first(&model);
    let context = Context::training(1, 0);
    // The output for one input element at a time is that element's part, doubled or gone.
    let at = At { place, rows: Rows { batch: 1, tokens: WIDTH }, context: &context };
    let identity = Tensor::<2>::eye(WIDTH, &Device::flex());
    let parts = numbers(adapter.after(&identity, identity.clone(), at) - identity.clone());
    let inference = Context::inference();
    let whole = adapter.after(&identity, identity.clone(), At { context: &inference, ..at });
    let whole = numbers(whole - identity);
    let mut dropped = 0;
    for (part, whole) in parts.chunks(WIDTH).zip(whole.chunks(WIDTH)) {
        match is_dropped(part) {
            true => dropped += 1,
            false => assert!(part.iter().zip(whole).all(|(part, whole)| (part - 2.0 * whole).abs() < 1e-5)),
        }
    }
    assert!((3..14).contains(&dropped), "{dropped} of {WIDTH}");
}

#[test]
fn a_dropped_path_leaves_out_the_sublayer_of_a_sample() {
    let config = AdapterConfig { drop: 0.0, drop_path: 0.5, ..AdapterConfig::default() };
    let model = random_set(&config, 3, 0.3).apply_to(attach(clip(0), &config, 0).unwrap()).unwrap();
    let (place, adapter) = first(&model);
    let output = |context: &Context| {
        let at = At { place, rows: ROWS, context };
        numbers(adapter.after(&activations(), activations(), at)).chunks(WIDTH).map(<[f32]>::to_vec).collect::<Vec<_>>()
    };
    let whole = output(&Context::inference());
    let mut seen = [false, false];
    for step in 0..20 {
        let context = Context::training(1, step);
        for (sample, whole) in output(&context).chunks(ROWS.tokens).zip(whole.chunks(ROWS.tokens)) {
            let is_gone = sample.iter().all(|row| is_dropped(row));
            seen[usize::from(is_gone)] = true;
            let doubled: Vec<f32> = whole.concat().iter().map(|value| 2.0 * value).collect();
            assert!(is_gone || distance(&sample.concat(), &doubled) < 1e-5);
        }
        assert!(!adapter.treats_samples_alike(&context));
        // Folding would leave the draw out.
        assert_eq!(bits(&embed(&model, &context)), bits(&embed(&model.clone(), &context)));
    }
    assert_eq!(seen, [true, true]);
    assert!(adapter.treats_samples_alike(&Context::inference()));
}
