//! Configs: presets against open_clip's own files, both JSON forms, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use radapter_clip::config::{
    Activation, ClipConfig, ConfigError, Interpolation, PRESETS, PreprocessConfig, ResizeMode, TextConfig, VisionConfig,
};
use radapter_clip::state_dict::StoredDtype;
use serde_json::{Value, json};

const OPEN_CLIP_CONFIGS: &str = include_str!("fixtures/checkpoint/open_clip_model_configs.json");

fn open_clip_configs() -> BTreeMap<String, Value> {
    serde_json::from_str(OPEN_CLIP_CONFIGS).unwrap()
}

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
        assert!(error.to_string().contains("ViT-L-14-336-quickgelu"), "the error tells what there is: {error}");
    }
}

/// `ViT-B-32` in OpenCLIP's form with one more key below `path`.
fn open_clip_with(path: &str, value: Value) -> String {
    let mut config = json!({ "model_cfg": open_clip_configs()["ViT-B-32"], "preprocess_cfg": {} });
    set(&mut config, path, value);
    config.to_string()
}

fn set(config: &mut Value, path: &str, value: Value) {
    let (parents, key) = path.rsplit_once('.').unwrap_or(("", path));
    let parent = parents.split('.').filter(|part| !part.is_empty()).fold(config, |at, part| &mut at[part]);
    parent[key] = value;
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

/// Each size alone is possible, together they are not.
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

/// What the OpenAI models on the hub say, older keys included.
const HUGGING_FACE_LARGE: &str = r#"{
    "_name_or_path": "clip-vit-large-patch14/", "architectures": ["CLIPModel"], "initializer_factor": 1.0,
    "logit_scale_init_value": 2.6592, "model_type": "clip", "projection_dim": 768,
    "text_config": {
        "_name_or_path": "", "add_cross_attention": false, "architectures": null, "attention_dropout": 0.0,
        "bad_words_ids": null, "bos_token_id": 0, "chunk_size_feed_forward": 0, "cross_attention_hidden_size": null,
        "dropout": 0.0, "eos_token_id": 2, "hidden_act": "quick_gelu", "hidden_size": 768, "id2label": {"0": "LABEL_0"},
        "intermediate_size": 3072, "is_decoder": false, "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
        "model_type": "clip_text_model", "num_attention_heads": 12, "num_hidden_layers": 12, "pruned_heads": {},
        "projection_dim": 768, "torch_dtype": null, "use_bfloat16": false, "vocab_size": 49408
    },
    "text_config_dict": {
        "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12,
        "projection_dim": 768
    },
    "torch_dtype": "float32", "transformers_version": null,
    "vision_config": {
        "dropout": 0.0, "hidden_act": "quick_gelu", "hidden_size": 1024, "image_size": 224, "intermediate_size": 4096,
        "layer_norm_eps": 1e-05, "model_type": "clip_vision_model", "num_attention_heads": 16, "num_hidden_layers": 24,
        "patch_size": 14, "projection_dim": 768
    },
    "vision_config_dict": {
        "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24,
        "patch_size": 14, "projection_dim": 768
    }
}"#;

/// Its preprocessor file.
const HUGGING_FACE_PREPROCESSOR: &str = r#"{
    "crop_size": 224, "do_center_crop": true, "do_normalize": true, "do_resize": true,
    "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3, "size": 224
}"#;

#[test]
fn hugging_face_config_of_a_published_model() {
    let config = ClipConfig::from_hugging_face_json(HUGGING_FACE_LARGE, Some(HUGGING_FACE_PREPROCESSOR)).unwrap();
    assert_eq!(config, ClipConfig::preset("ViT-L-14-quickgelu").unwrap());
}

#[test]
fn hugging_face_defaults_are_those_of_base_patch32() {
    let config = ClipConfig::from_hugging_face_json(r#"{"text_config": {}, "vision_config": {}}"#, None).unwrap();
    assert_eq!(config, ClipConfig::preset("ViT-B-32-quickgelu").unwrap());
}

fn hugging_face_with(path: &str, value: Value) -> Result<ClipConfig, ConfigError> {
    let mut config: Value = serde_json::from_str(HUGGING_FACE_LARGE).unwrap();
    let config_map = config.as_object_mut().unwrap();
    config_map.remove("text_config_dict");
    config_map.remove("vision_config_dict");
    set(&mut config, path, value);
    ClipConfig::from_hugging_face_json(&config.to_string(), None)
}

#[test]
fn hugging_face_keys_that_change_the_network_are_named() {
    for (path, value) in [
        ("model_type", json!("siglip")),
        ("vision_config.num_channels", json!(1)),
        ("vision_config.hidden_act", json!("gelu_new")),
        ("vision_config.image_size", json!([224, 336])),
        ("text_config.eos_token_id", json!(1)),
        ("text_config.pruned_heads", json!({ "1": [0] })),
        ("text_config.is_decoder", json!(true)),
    ] {
        let error = hugging_face_with(path, value).unwrap_err();
        assert!(matches!(error, ConfigError::Unsupported { .. }), "{path}: {error}");
        assert!(error.to_string().contains(path), "{path}: {error}");
    }
    for path in ["extra", "text_config.extra", "vision_config.extra", "quantization_config"] {
        let error = hugging_face_with(path, json!({})).unwrap_err();
        assert!(matches!(&error, ConfigError::UnknownKey { key, .. } if key == path), "{path}: {error}");
    }
}

#[test]
fn hugging_face_activations_have_to_agree() {
    let error = hugging_face_with("vision_config.hidden_act", json!("gelu")).unwrap_err();
    assert!(matches!(error, ConfigError::ActivationsDiffer { .. }), "{error}");
    for part in ["vision_config.hidden_act", "text_config.hidden_act", "is gelu", "is quick_gelu"] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn hugging_face_preprocessing_that_differs_is_read_or_named() {
    let with = |key: &str, value: Value| {
        let mut preprocessor: Value = serde_json::from_str(HUGGING_FACE_PREPROCESSOR).unwrap();
        preprocessor[key] = value;
        ClipConfig::from_hugging_face_json(HUGGING_FACE_LARGE, Some(&preprocessor.to_string()))
            .map(|config| config.preprocess)
    };
    let plain = PreprocessConfig::default();
    assert_eq!(with("size", json!({ "shortest_edge": 224 })).unwrap(), plain);
    assert_eq!(with("crop_size", json!({ "height": 224, "width": 224 })).unwrap(), plain);
    assert_eq!(with("rescale_factor", json!(0.00392156862745098)).unwrap(), plain);
    assert_eq!(with("resample", json!(2)).unwrap().interpolation, Interpolation::Bilinear);
    assert_eq!(with("size", json!({ "height": 224, "width": 224 })).unwrap().resize_mode, ResizeMode::Squash);
    assert_eq!(with("image_mean", json!([0.0, 0.5, 1.0])).unwrap().mean, [0.0, 0.5, 1.0]);
    for (key, value) in [
        ("size", json!(256)),
        ("crop_size", json!(256)),
        ("do_center_crop", json!(false)),
        ("do_normalize", json!(false)),
        ("do_resize", json!(false)),
        ("resample", json!(0)),
        ("rescale_factor", json!(1.0)),
        ("do_pad", json!(true)),
    ] {
        let error = with(key, value).unwrap_err();
        assert!(matches!(error, ConfigError::Unsupported { .. }), "{key}: {error}");
        assert!(error.to_string().contains(key), "{key}: {error}");
    }
    let error = with("extra", json!(1)).unwrap_err();
    assert!(matches!(error, ConfigError::UnknownKey { .. }), "{error}");

    // As transformers writes it since its version 5.
    let inner: Value = serde_json::from_str(HUGGING_FACE_PREPROCESSOR).unwrap();
    let mut processor = json!({ "image_processor": inner, "processor_class": "CLIPProcessor" });
    processor["image_processor"]["resample"] = json!(2);
    let config = ClipConfig::from_hugging_face_json(HUGGING_FACE_LARGE, Some(&processor.to_string())).unwrap();
    assert_eq!(config.preprocess.interpolation, Interpolation::Bilinear);
    processor["image_processor"]["resample"] = json!(5);
    let error = ClipConfig::from_hugging_face_json(HUGGING_FACE_LARGE, Some(&processor.to_string())).unwrap_err();
    assert!(error.to_string().contains("image_processor.resample"), "{error}");
}

#[test]
fn openais_statistics_are_written_as_everybody_writes_them() {
    let config = ClipConfig::preset("ViT-B-32").unwrap();
    for json in [config.to_open_clip_json(), config.to_hugging_face_preprocessor_json().unwrap()] {
        for number in ["0.48145466", "0.4578275", "0.40821073", "0.26862954", "0.26130258", "0.27577711"] {
            assert!(json.contains(&format!("{number}\n")) || json.contains(&format!("{number},")), "{number}: {json}");
        }
    }
}

fn assert_both_forms_give_it_back(config: &ClipConfig) {
    assert_eq!(&ClipConfig::from_open_clip_json(&config.to_open_clip_json()).unwrap(), config);
    let own = serde_json::to_string(config).unwrap();
    assert_eq!(&serde_json::from_str::<ClipConfig>(&own).unwrap(), config);
    let hugging_face = config.to_hugging_face_json(StoredDtype::F16);
    match config.to_hugging_face_preprocessor_json() {
        Ok(preprocessor) => {
            assert_eq!(&ClipConfig::from_hugging_face_json(&hugging_face, Some(&preprocessor)).unwrap(), config);
        }
        Err(error) => {
            assert_eq!(config.preprocess.resize_mode, ResizeMode::Longest, "{error}");
        }
    }
}

#[test]
fn presets_survive_both_forms() {
    PRESETS.iter().for_each(|name| assert_both_forms_give_it_back(&ClipConfig::preset(name).unwrap()));
}

#[test]
fn unknown_key_of_our_own_form_is_refused() {
    let mut config = serde_json::to_value(ClipConfig::preset("ViT-B-32").unwrap()).unwrap();
    config["vision"]["widht"] = json!(3);
    let error = serde_json::from_value::<ClipConfig>(config).unwrap_err();
    assert!(error.to_string().contains("widht"), "{error}");
}

prop_compose! {
    fn any_config()(
        embed_dim in 1usize..2000,
        quick in any::<bool>(),
        (grid, patch_size) in (1usize..40, 1usize..40),
        (heads, head_width) in (1usize..20, 1usize..130),
        (text_heads, text_head_width) in (1usize..20, 1usize..130),
        mlp_width in 1usize..9000,
        text_mlp_width in 1usize..9000,
        layers in 1usize..50,
        context_length in 3usize..300,
        eps in prop::sample::select(vec![1e-5, 1e-6, 1.5e-12]),
        mean in any::<[u8; 3]>(),
        resize in prop::sample::select(vec![ResizeMode::Shortest, ResizeMode::Longest, ResizeMode::Squash]),
        bilinear in any::<bool>(),
    ) -> ClipConfig {
        ClipConfig {
            embed_dim,
            activation: if quick { Activation::QuickGelu } else { Activation::Gelu },
            vision: VisionConfig {
                image_size: grid * patch_size,
                patch_size,
                width: heads * head_width,
                layers,
                heads,
                mlp_width,
                layer_norm_eps: eps,
            },
            text: TextConfig {
                context_length,
                vocab_size: 49408,
                width: text_heads * text_head_width,
                heads: text_heads,
                layers,
                mlp_width: text_mlp_width,
                layer_norm_eps: eps,
            },
            preprocess: PreprocessConfig {
                mean: mean.map(|value| f32::from(value) / 255.0),
                interpolation: if bilinear { Interpolation::Bilinear } else { Interpolation::Bicubic },
                resize_mode: resize,
                ..PreprocessConfig::default()
            },
        }
    }
}

proptest! {
    #[test]
    fn any_config_survives_both_forms(config in any_config()) {
        prop_assert!(config.validate().is_ok());
        assert_both_forms_give_it_back(&config);
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in ".{0,200}", cut in 0usize..1000) {
        let _ = ClipConfig::from_open_clip_json(&text);
        let _ = ClipConfig::from_hugging_face_json(&text, Some(&text));
        let part: String = HUGGING_FACE_LARGE.chars().take(cut).collect();
        let _ = ClipConfig::from_hugging_face_json(&part, None);
    }
}
