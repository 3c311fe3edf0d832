//! Initial values, and the number of trained values.

use radapter_adapter::{AdapterConfig, AdapterSet, DropMode, MapWeights, Rank, Scale, adapters, attach, parameters};
use radapter_clip::config::ClipConfig;
use radapter_clip::model::{Context, Tower};

use crate::support::{clip, config, distance, embed};

fn low(rank: usize) -> AdapterConfig {
    AdapterConfig { rank: Rank::Low(rank), ..AdapterConfig::default() }
}

#[test]
fn new_adapters_change_nothing() {
    let expected = embed(&clip(1), &Context::inference());
    for adapter in [AdapterConfig::default(), low(3)] {
        for drop_mode in [DropMode::Adapter, DropMode::Sample, DropMode::Token] {
            let adapter = AdapterConfig { drop_mode, ..adapter.clone() };
            let model = attach(clip(1), &adapter, 0).unwrap();
            assert_eq!(embed(&model, &Context::inference()), expected);
            let found = embed(&model, &Context::training(3, 4));
            // Draws by position need all positions of the last block, which are summed in another order.
            match drop_mode {
                DropMode::Token => assert!(distance(&found, &expected) < 1e-6),
                _ => assert_eq!(found, expected),
            }
        }
    }
}

#[test]
fn full_starts_at_zero_and_low_rank_at_xavier_uniform() {
    let set = AdapterSet::initial(&config(), &AdapterConfig::default(), 5).unwrap();
    for (place, weights) in set.iter() {
        let MapWeights::Full(weight) = &weights.map else { panic!("{place}") };
        let width = if place.tower == Tower::Visual { 16 } else { 8 };
        assert_eq!(weight.shape(), [width, width], "{place}");
        assert!(weight.to_f32().iter().all(|value| *value == 0.0), "{place}");
        assert_eq!(weights.scale, Some(0.1));
    }

    let set = AdapterSet::initial(&config(), &low(4), 5).unwrap();
    let mut largest: f64 = 0.0;
    for (place, weights) in set.iter() {
        let MapWeights::Low { down, up } = &weights.map else { panic!("{place}") };
        let width = if place.tower == Tower::Visual { 16 } else { 8 };
        assert_eq!((down.shape(), up.shape()), (&[4, width][..], &[width, 4][..]), "{place}");
        assert!(up.to_f32().iter().all(|value| *value == 0.0), "{place}");
        let bound = (6.0 / (4.0 + width as f64)).sqrt();
        let values = down.to_f32();
        assert!(values.iter().all(|value| f64::from(value.abs()) <= bound), "{place}");
        let mean_square = values.iter().map(|v| f64::from(v * v)).sum::<f64>() / values.len() as f64;
        assert!((mean_square / (bound * bound / 3.0) - 1.0).abs() < 0.5, "{place}: not uniform");
        largest = largest.max(values.iter().map(|v| f64::from(v.abs()) / bound).fold(0.0, f64::max));
    }
    assert!(largest > 0.97, "the bound is not Xavier's: largest value at {largest} of it");
}

#[test]
fn initial_values_follow_seed_and_place() {
    let set = |seed| AdapterSet::initial(&config(), &low(2), seed).unwrap();
    assert_eq!(set(1), set(1));
    assert_ne!(set(1), set(2));
    let maps: Vec<_> = set(1).iter().map(|(_, weights)| weights.map.clone()).collect();
    for (index, map) in maps.iter().enumerate() {
        assert!(!maps[..index].contains(map), "two places start alike");
    }
    // A place's values do not depend on which other places there are.
    let only_text = AdapterConfig { towers: radapter_adapter::Towers::Text, ..low(2) };
    let text = AdapterSet::initial(&config(), &only_text, 1).unwrap();
    assert!(text.iter().all(|(place, weights)| set(1).get(place) == Some(weights)));
}

#[test]
fn a_model_holds_what_the_set_says() {
    for adapter in [AdapterConfig::default(), low(2), AdapterConfig { scale: Scale::Fixed(0.5), ..low(2) }] {
        let set = AdapterSet::initial(&config(), &adapter, 9).unwrap();
        let model = attach(clip(0), &adapter, 9).unwrap();
        assert_eq!(AdapterSet::from_model(&model), set);
        assert_eq!(adapters(&model).count(), 10);
        let trained: usize = parameters(&model).iter().map(|p| p.shape.iter().product::<usize>()).sum();
        assert_eq!(trained, adapter.parameters(&config()).unwrap());
    }
}

/// The published counts, and one scale for each adapter.
#[test]
fn published_parameter_counts() {
    let count = |preset: &str, rank| {
        let adapter = AdapterConfig { rank, scale: Scale::Fixed(1.0), ..AdapterConfig::default() };
        adapter.parameters(&ClipConfig::preset(preset).unwrap()).unwrap()
    };
    assert_eq!(count("ViT-B-32", Rank::Full), 20_447_232);
    assert_eq!(count("ViT-B-16", Rank::Full), 20_447_232);
    assert_eq!(count("ViT-L-14", Rank::Full), 64_487_424);
    assert_eq!(count("ViT-B-16", Rank::Low(1)), 61_440);
    assert_eq!(count("ViT-B-16", Rank::Low(4)), 245_760);
    assert_eq!(count("ViT-B-16", Rank::Low(16)), 983_040);
    assert_eq!(count("ViT-B-16", Rank::Low(64)), 3_932_160);
    let learnable = AdapterConfig::default().parameters(&ClipConfig::preset("ViT-B-32").unwrap()).unwrap();
    assert_eq!(learnable, 20_447_232 + 48);
}
