//! The exponential moving average.

use burn::module::Module;
use burn::tensor::Device;
use proptest::prelude::*;
use radapter_adapter::{AdapterConfig, AdapterError, AdapterSet, Ema, Rank, Scale, attach, parameters};
use radapter_clip::model::{Clip, Context};

use crate::support::{clip, config, embed, random_set, state};

fn flat(set: &AdapterSet) -> Vec<f32> {
    set.to_tensors().iter().flat_map(|(_, tensor)| tensor.to_f32()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// `W̃_n = mⁿ·W_0 + (1−m)·Σ m^(n−t)·W_t`
    #[test]
    fn closed_form(decay in 0.0..=1.0_f64, steps in 0..8_u64, low in any::<bool>(), seed in any::<u32>()) {
        let rank = if low { Rank::Low(2) } else { Rank::Full };
        let config = AdapterConfig { rank, ..AdapterConfig::default() };
        let seed = u64::from(seed);
        let set = |step| random_set(&config, seed + step, 1.0);
        let mut model = set(0).apply_to(attach(clip(0), &config, 0).unwrap()).unwrap();
        let mut ema = Ema::new(decay, &model).unwrap();
        prop_assert_eq!(ema.to_set(), set(0));

        let weight = |power: u64| decay.powi(i32::try_from(power).unwrap());
        let mut expected: Vec<f64> = flat(&set(0)).iter().map(|v| weight(steps) * f64::from(*v)).collect();
        for step in 1..=steps {
            model = set(step).apply_to(model).unwrap();
            ema.update(&model);
            for (sum, value) in expected.iter_mut().zip(flat(&set(step))) {
                *sum += (1.0 - decay) * weight(steps - step) * f64::from(value);
            }
        }
        for (found, expected) in flat(&ema.to_set()).iter().zip(&expected) {
            prop_assert!((f64::from(*found) - expected).abs() < 2e-6, "{found} {expected}");
        }
    }
}

/// Resuming from the saved average goes on as if there had been no break.
#[test]
fn a_saved_average_continues_bit_for_bit() {
    let config = AdapterConfig::default();
    let set = |seed| random_set(&config, seed, 1.0);
    let model = |seed| set(seed).apply_to(attach(clip(0), &config, 0).unwrap()).unwrap();
    let mut whole = Ema::new(0.9, &model(0)).unwrap();
    whole.update(&model(1));
    let saved = whole.to_set();
    whole.update(&model(2));

    let mut resumed = Ema::new(0.9, &saved.apply_to(model(7)).unwrap()).unwrap();
    resumed.update(&model(2));
    assert_eq!(resumed.to_set(), whole.to_set());
}

#[test]
fn the_averaged_model_is_for_evaluation_and_keeps_ids() {
    let adapter = AdapterConfig::default();
    let clip = Clip::from_state(&config(), &state(0), &Device::flex().autodiff()).unwrap();
    let model = random_set(&adapter, 1, 0.5).apply_to(attach(clip, &adapter, 0).unwrap()).unwrap();
    let mut ema = Ema::new(0.5, &model).unwrap();
    let trained = random_set(&adapter, 2, 0.5).apply_to(model).unwrap();
    ema.update(&trained);

    let averaged = ema.apply_to(&trained);
    assert_eq!(AdapterSet::from_model(&averaged), ema.to_set());
    assert_eq!(parameters(&averaged), parameters(&trained));
    assert!(!averaged.devices()[0].is_autodiff());
    let (before, after) = (embed(&trained, &Context::inference()), embed(&averaged, &Context::inference()));
    assert_ne!(before, after);
    // The trained model is still the trained one.
    assert_eq!(AdapterSet::from_model(&trained), random_set(&adapter, 2, 0.5));
}

#[test]
fn a_fixed_scale_is_not_averaged_away() {
    let adapter = AdapterConfig { scale: Scale::Fixed(0.25), ..AdapterConfig::default() };
    let model = attach(clip(0), &adapter, 0).unwrap();
    let mut ema = Ema::new(0.9, &model).unwrap();
    ema.update(&model);
    assert!(ema.to_set().iter().all(|(_, weights)| weights.scale == Some(0.25)));
}

#[test]
fn a_decay_outside_zero_to_one_is_refused() {
    let model = attach(clip(0), &AdapterConfig::default(), 0).unwrap();
    for decay in [-0.1, 1.1, f64::NAN] {
        assert!(matches!(Ema::new(decay, &model), Err(AdapterError::Setting { key: "ema", .. })));
    }
}
