//! Properties that hold for all adapters and every α.

use burn::tensor::Device;
use proptest::prelude::*;
use radapter_adapter::{
    AdapterConfig, AdapterFile, AdapterSet, Alpha, Layers, Rank, Scale, Sites, Towers, attach_trained, merge,
    merge_checked, merge_state, with_alpha,
};
use radapter_clip::model::{Clip, Context};
use radapter_clip::state_dict::{RawTensor, StateDict};

use crate::support::{bits, clip, config, distance, embed, random_set, state};

fn settings() -> impl Strategy<Value = AdapterConfig> {
    (
        prop_oneof![Just(Rank::Full), (1..6_usize).prop_map(Rank::Low)],
        prop_oneof![Just(Scale::default()), Just(Scale::Fixed(1.0)), Just(Scale::Fixed(0.5))],
        prop_oneof![Just(Towers::Both), Just(Towers::Visual), Just(Towers::Text)],
        prop_oneof![Just(Sites::Both), Just(Sites::Attn), Just(Sites::Mlp)],
        prop_oneof![Just(Layers::All), Just(Layers::Last(1)), Just(Layers::List(vec![1]))],
    )
        .prop_map(|(rank, scale, towers, sites, layers)| AdapterConfig {
            rank,
            scale,
            towers,
            sites,
            layers,
            ..AdapterConfig::default()
        })
}

/// The full matrices that low-rank adapters multiply out to, computed in double precision.
fn multiplied_out(set: &AdapterSet) -> AdapterSet {
    let tensors = set.to_tensors();
    let mut full = StateDict::new();
    for (key, tensor) in tensors.iter() {
        let Some((place, part)) = key.rsplit_once('.') else { panic!("{key}") };
        match part {
            "up" => {
                let down = tensors.get(&format!("{place}.down")).unwrap();
                let (width, rank) = (tensor.shape()[0], tensor.shape()[1]);
                let (up, down) = (tensor.to_f32(), down.to_f32());
                let product = (0..width * width).map(|at| {
                    let (row, column) = (at / width, at % width);
                    let terms = (0..rank).map(|k| f64::from(up[row * rank + k]) * f64::from(down[k * width + column]));
                    terms.sum::<f64>() as f32
                });
                full.insert(format!("{place}.weight"), RawTensor::from_f32([width, width], product.collect()));
            }
            "down" => {}
            _ => drop(full.insert(key, tensor.clone())),
        }
    }
    AdapterSet::from_tensors(&full).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn alpha_zero_is_the_base_bit_for_bit(config in settings(), seed in any::<u32>()) {
        let seed = u64::from(seed);
        let set = random_set(&config, seed, 0.5);
        let model = attach_trained(clip(seed), &set).unwrap();
        prop_assert_eq!(merge(&model, Alpha::ZERO).unwrap().to_state(), state(seed));
        prop_assert_eq!(merge_state(&state(seed), &set, Alpha::ZERO, &Device::flex()).unwrap(), state(seed));

        let context = Context::inference();
        let scaled = embed(&with_alpha(model, Alpha::ZERO), &context);
        prop_assert_eq!(bits(&scaled), bits(&embed(&clip(seed), &context)));
    }

    #[test]
    fn merged_is_unmerged_for_any_alpha(
        settings in settings(),
        alpha in 0.0..=1.5_f64,
        seed in any::<u32>(),
    ) {
        let (seed, alpha) = (u64::from(seed), Alpha::new(alpha).unwrap());
        let set = random_set(&settings, seed, 0.5);
        let model = attach_trained(clip(seed), &set).unwrap();
        let context = Context::inference();
        let adapted = embed(&with_alpha(model.clone(), alpha), &context);
        let merged = merge_checked(&model, alpha).unwrap();
        prop_assert!(distance(&adapted, &embed(&merged.clip, &context)) < 5e-6);
        if alpha.get() > 0.1 {
            // How much they do depends on the places drawn: one adapter in the last layer may do little.
            prop_assert_ne!(bits(&adapted), bits(&embed(&clip(seed), &context)), "the adapters do nothing");
        }

        // Merging a checkpoint's tensors gives the same.
        let state = merge_state(&state(seed), &set, alpha, &Device::flex()).unwrap();
        prop_assert_eq!(&state, &merged.clip.to_state());
        let loaded = Clip::from_state(&config(), &state, &Device::flex()).unwrap();
        prop_assert_eq!(bits(&embed(&loaded, &context)), bits(&embed(&merged.clip, &context)));
    }

    #[test]
    fn low_rank_is_the_full_matrix_it_multiplies_out_to(rank in 1..=8_usize, seed in any::<u32>()) {
        let seed = u64::from(seed);
        let low = random_set(&AdapterConfig { rank: Rank::Low(rank), ..AdapterConfig::default() }, seed, 0.4);
        let full = multiplied_out(&low);
        let context = Context::inference();
        let with = |set| attach_trained(clip(seed), set).unwrap();
        prop_assert!(distance(&embed(&with(&low), &context), &embed(&with(&full), &context)) < 5e-6);
        let merged = |set| merge(&with(set), Alpha::new(0.7).unwrap()).unwrap();
        prop_assert!(distance(&embed(&merged(&low), &context), &embed(&merged(&full), &context)) < 5e-6);
    }

    #[test]
    fn a_file_gives_back_what_was_written(
        settings in settings(),
        seed in any::<u32>(),
        named in any::<bool>(),
    ) {
        let file = AdapterFile {
            adapters: random_set(&settings, u64::from(seed), 3.0),
            base: named.then(|| state(0).hash()),
            config: named.then_some(settings),
        };
        let mut bytes = Vec::new();
        file.write_to(&mut bytes).unwrap();
        let mut again = Vec::new();
        file.write_to(&mut again).unwrap();
        prop_assert_eq!(&again, &bytes, "the same content gives the same bytes");
        prop_assert_eq!(AdapterFile::from_bytes(bytes, "memory").unwrap(), file);
    }

    /// Linear in α: the merged weights of α are the mixture of the base's and those of α = 1.
    #[test]
    fn merged_weights_are_the_weight_space_ensemble(settings in settings(), alpha in 0.0..=1.0_f64) {
        let set = random_set(&settings, 5, 0.5);
        let merged = |alpha| merge_state(&state(5), &set, Alpha::new(alpha).unwrap(), &Device::flex()).unwrap();
        let (mixed, whole, base) = (merged(alpha), merged(1.0), state(5));
        for (name, tensor) in mixed.iter() {
            let whole = whole.get(name).unwrap().to_f32();
            let base = base.get(name).unwrap().to_f32();
            for ((mixed, whole), base) in tensor.to_f32().iter().zip(&whole).zip(&base) {
                let expected = alpha * f64::from(*whole) + (1.0 - alpha) * f64::from(*base);
                prop_assert!((f64::from(*mixed) - expected).abs() < 1e-5, "{name}: {mixed} {expected}");
            }
        }
    }
}
