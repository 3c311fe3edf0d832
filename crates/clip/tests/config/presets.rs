//! Presets against open_clip's own files, and our own form.

use radapter_clip::config::{Activation, ClipConfig, ConfigError, PRESETS};
use serde_json::json;

use crate::support::open_clip_configs;

#[test]
fn presets_are_open_clips_model_configs() {
    let configs = open_clip_configs();
    assert_eq!(configs.len(), PRESETS.len());
    for name in PRESETS {
        let expected = ClipConfig::from_open_clip_json(&configs[name].to_string()).unwrap();
        assert_eq!(ClipConfig::preset(name).unwrap(), expected, "{name}");
    }
}

/// Counted in the models that open_clip builds of these names.
#[test]
fn presets_have_the_published_numbers_of_parameters() {
    for (name, parameters) in [
        ("ViT-B-32", 151_277_313),
        ("ViT-B-16", 149_620_737),
        ("ViT-L-14", 427_616_513),
        ("ViT-L-14-336", 427_944_193),
        ("ViT-H-14", 986_109_441),
        ("ViT-bigG-14", 2_539_567_105),
    ] {
        assert_eq!(ClipConfig::preset(name).unwrap().parameters(), parameters, "{name}");
    }
}

#[test]
fn the_activation_of_a_preset_is_in_its_name() {
    for name in PRESETS {
        let expected = if name.ends_with("-quickgelu") { Activation::QuickGelu } else { Activation::Gelu };
        assert_eq!(ClipConfig::preset(name).unwrap().activation, expected, "{name}");
    }
}

#[test]
fn common_spellings_of_presets() {
    for (spelling, name) in [
        ("ViT-B/32", "ViT-B-32"),
        ("vit-b-32", "ViT-B-32"),
        ("ViT_B_16", "ViT-B-16"),
        ("ViT-L/14@336px", "ViT-L-14-336"),
        ("ViT-L-14@336", "ViT-L-14-336"),
        ("vit-bigg-14", "ViT-bigG-14"),
        ("ViT-B/32-quickgelu", "ViT-B-32-quickgelu"),
        ("ViT-B-32-openai", "ViT-B-32-quickgelu"),
    ] {
        assert_eq!(ClipConfig::preset(spelling).unwrap(), ClipConfig::preset(name).unwrap(), "{spelling}");
    }
    for unknown in ["", "RN50", "ViT-B-33", "-quickgelu", "ViT-B-32-quickgelu-quickgelu"] {
        let error = ClipConfig::preset(unknown).unwrap_err();
        assert!(matches!(error, ConfigError::UnknownPreset { .. }), "{unknown}: {error}");
        assert!(error.to_string().contains("ViT-L-14-336-quickgelu"), "the error lists the presets: {error}");
    }
}

/// Each size alone is valid; together they are too large.
#[test]
fn sizes_that_no_memory_holds_are_refused() {
    let mut config = ClipConfig::preset("ViT-B-32").unwrap();
    config.vision.width = 1 << 16;
    config.vision.layers = 1 << 16;
    config.vision.mlp_width = 1 << 16;
    config.vision.heads = 1 << 8;
    let error = config.validate().unwrap_err();
    assert!(error.to_string().contains("parameters"), "{error}");
}

#[test]
fn unknown_key_of_our_own_form_is_refused() {
    let mut config = serde_json::to_value(ClipConfig::preset("ViT-B-32").unwrap()).unwrap();
    config["vision"]["widht"] = json!(3);
    let error = serde_json::from_value::<ClipConfig>(config).unwrap_err();
    assert!(error.to_string().contains("widht"), "{error}");
}
