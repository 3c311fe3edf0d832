//! OpenCLIP's config form.

use radapter_clip::config::{Activation, ClipConfig, ConfigError};
use radapter_images::{Interpolation, ResizeMode};
use serde_json::{Value, json};

use crate::support::{open_clip_configs, set};

/// `ViT-B-32` in OpenCLIP's form with one more key below `path`.
fn open_clip_with(path: &str, value: Value) -> String {
    let mut config = json!({ "model_cfg": open_clip_configs()["ViT-B-32"], "preprocess_cfg": {} });
    set(&mut config, path, value);
    config.to_string()
}

#[test]
fn open_clip_keys_that_change_the_network_are_named() {
    for (path, value) in [
        ("model_cfg.custom_text", json!(true)),
        ("model_cfg.multimodal_cfg", json!({})),
        ("model_cfg.init_logit_bias", json!(-10)),
        ("model_cfg.nonscalar_logit_scale", json!(true)),
        ("model_cfg.vision_cfg.timm_model_name", json!("convnext_base")),
        ("model_cfg.vision_cfg.layers", json!([3, 4, 6, 3])),
        ("model_cfg.vision_cfg.image_size", json!([224, 336])),
        ("model_cfg.vision_cfg.attentional_pool", json!(true)),
        ("model_cfg.vision_cfg.attentional_pool", json!("parallel")),
        ("model_cfg.vision_cfg.no_ln_pre", json!(true)),
        ("model_cfg.vision_cfg.pos_embed_type", json!("sin_cos_2d")),
        ("model_cfg.vision_cfg.final_ln_after_pool", json!(true)),
        ("model_cfg.vision_cfg.pool_type", json!("avg")),
        ("model_cfg.vision_cfg.ls_init_value", json!(1e-5)),
        ("model_cfg.vision_cfg.output_tokens", json!(true)),
        ("model_cfg.vision_cfg.act_kwargs", json!({ "approximate": "tanh" })),
        ("model_cfg.vision_cfg.block_type", json!("custom")),
        ("model_cfg.vision_cfg.qk_norm", json!(true)),
        ("model_cfg.text_cfg.scale_attn", json!(true)),
        ("model_cfg.text_cfg.hf_model_name", json!("roberta-base")),
        ("model_cfg.text_cfg.hf_tokenizer_name", json!("xlm-roberta-base")),
        ("model_cfg.text_cfg.tokenizer_mode", json!("clips")),
        ("model_cfg.text_cfg.tokenizer_kwargs", json!({ "clean": "canonicalize" })),
        ("model_cfg.text_cfg.embed_cls", json!(true)),
        ("model_cfg.text_cfg.no_causal_mask", json!(true)),
        ("model_cfg.text_cfg.pool_type", json!("last")),
        ("model_cfg.text_cfg.proj_bias", json!(true)),
        ("model_cfg.text_cfg.proj_type", json!("none")),
        ("preprocess_cfg.mode", json!("L")),
        ("preprocess_cfg.interpolation", json!("nearest")),
        ("preprocess_cfg.resize_mode", json!("tallest")),
    ] {
        let error = ClipConfig::from_open_clip_json(&open_clip_with(path, value)).unwrap_err();
        assert!(matches!(error, ConfigError::Unsupported { .. }), "{path}: {error}");
        assert!(error.to_string().contains(path), "{path}: {error}");
    }
}

#[test]
fn open_clip_keys_that_nothing_knows_are_named() {
    for path in [
        "extra",
        "model_cfg.extra",
        "model_cfg.vision_cfg.extra",
        "model_cfg.text_cfg.extra",
        "model_cfg.vision_cfg.norm_kwargs.extra",
        "preprocess_cfg.extra",
    ] {
        let error = ClipConfig::from_open_clip_json(&open_clip_with(path, json!(1))).unwrap_err();
        assert!(matches!(&error, ConfigError::UnknownKey { key, .. } if key == path), "{path}: {error}");
    }
}

#[test]
fn open_clip_keys_that_change_nothing_are_taken() {
    for (path, value) in [
        ("model_cfg.custom_text", json!(false)),
        ("model_cfg.quick_gelu", json!(false)),
        ("model_cfg.multimodal_cfg", Value::Null),
        ("model_cfg.init_logit_scale", json!(2.3)),
        ("model_cfg.vision_cfg.patch_dropout", json!(0.5)),
        ("model_cfg.vision_cfg.image_size", json!([224, 224])),
        ("model_cfg.vision_cfg.mlp_ratio", json!(4)),
        ("model_cfg.vision_cfg.attentional_pool", json!(false)),
        ("model_cfg.vision_cfg.attn_pooler_heads", json!(16)),
        ("model_cfg.vision_cfg.timm_pool", json!("avg")),
        ("model_cfg.vision_cfg.act_kwargs", json!({})),
        ("model_cfg.vision_cfg.block_type", json!("default")),
        ("model_cfg.vision_cfg.norm_kwargs", json!({ "eps": 1e-5 })),
        ("model_cfg.text_cfg.pool_type", json!("argmax")),
        ("model_cfg.text_cfg.pad_id", json!(1)),
        ("model_cfg.text_cfg.hf_tokenizer_name", json!("openai/clip-vit-large-patch14")),
        ("model_cfg.text_cfg.tokenizer_kwargs", json!({ "clean": "lower" })),
        ("preprocess_cfg.size", json!([224, 224])),
        ("preprocess_cfg.mode", json!("RGB")),
        ("preprocess_cfg.interpolation", json!("random")),
    ] {
        let config = ClipConfig::from_open_clip_json(&open_clip_with(path, value));
        assert_eq!(config.unwrap(), ClipConfig::preset("ViT-B-32").unwrap(), "{path}");
    }
}

#[test]
fn open_clip_settings_are_read() {
    let read = |path: &str, value: Value| ClipConfig::from_open_clip_json(&open_clip_with(path, value)).unwrap();
    assert_eq!(read("model_cfg.quick_gelu", json!(true)).activation, Activation::QuickGelu);
    assert_eq!(read("model_cfg.vision_cfg.norm_kwargs", json!({ "eps": 1e-6 })).vision.layer_norm_eps, 1e-6);
    assert_eq!(read("model_cfg.text_cfg.norm_kwargs", json!({ "eps": 1e-6 })).text.layer_norm_eps, 1e-6);
    assert_eq!(read("model_cfg.text_cfg.mlp_ratio", json!(2.5)).text.mlp_width, 1280);
    assert_eq!(
        read("preprocess_cfg.interpolation", json!("bilinear")).preprocess.interpolation,
        Interpolation::Bilinear
    );
    assert_eq!(read("preprocess_cfg.resize_mode", json!("squash")).preprocess.resize_mode, ResizeMode::Squash);
    assert_eq!(read("preprocess_cfg.mean", json!([0.5, 0.5, 0.25])).preprocess.mean, [0.5, 0.5, 0.25]);
}

#[test]
fn senseless_values_are_named() {
    for (path, value, key) in [
        ("model_cfg.embed_dim", json!(0), "embed_dim"),
        ("model_cfg.embed_dim", json!(-1), "embed_dim"),
        ("model_cfg.embed_dim", json!("512"), "embed_dim"),
        ("model_cfg.quick_gelu", json!("yes"), "quick_gelu"),
        ("model_cfg.vision_cfg", json!([]), "vision_cfg"),
        ("model_cfg.vision_cfg.head_width", json!(0), "head_width"),
        ("model_cfg.vision_cfg.head_width", json!(100_000), "head_width"),
        ("model_cfg.vision_cfg.patch_size", json!(30), "vision.patch_size"),
        ("model_cfg.vision_cfg.width", json!(u64::MAX), "vision.width"),
        ("model_cfg.vision_cfg.layers", json!(1_000_000), "vision.layers"),
        ("model_cfg.vision_cfg.mlp_ratio", json!(-4), "mlp_ratio"),
        ("model_cfg.vision_cfg.mlp_ratio", json!(1e300), "vision.mlp_width"),
        ("model_cfg.vision_cfg.norm_kwargs", json!({ "eps": 0 }), "vision.layer_norm_eps"),
        ("model_cfg.text_cfg.heads", json!(7), "text.heads"),
        ("model_cfg.text_cfg.context_length", json!(2), "text.context_length"),
        ("model_cfg.text_cfg.vocab_size", json!(1000), "text.vocab_size"),
        ("preprocess_cfg.std", json!([0.2, 0.0, 0.2]), "preprocess.std"),
        ("preprocess_cfg.std", json!([0.2]), "preprocess_cfg.std"),
        ("preprocess_cfg.fill_color", json!(256), "preprocess_cfg.fill_color"),
    ] {
        let error = ClipConfig::from_open_clip_json(&open_clip_with(path, value)).unwrap_err();
        assert!(matches!(error, ConfigError::Invalid { .. }), "{path}: {error}");
        assert!(error.to_string().contains(key), "{path}: {error}");
    }
    let missing = ClipConfig::from_open_clip_json(r#"{"model_cfg": {"embed_dim": 4}}"#).unwrap_err();
    assert!(matches!(&missing, ConfigError::MissingKey { key, .. } if key == "model_cfg.vision_cfg"), "{missing}");
    for text in ["", "[]", "{", "null", "{\"a\": 1} x"] {
        let error = ClipConfig::from_open_clip_json(text).unwrap_err();
        assert!(matches!(error, ConfigError::NotJson { .. }), "{text:?}: {error}");
    }
}
