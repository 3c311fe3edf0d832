//! Hugging Face's config form.

use radapter_clip::config::{ClipConfig, ConfigError};
use radapter_images::{Interpolation, PreprocessConfig, ResizeMode};
use serde_json::{Value, json};

use crate::support::set;

/// The config of the OpenAI models on the hub, older keys included.
pub(crate) const HUGGING_FACE_LARGE: &str = r#"{
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

/// The preprocessor file of the same model.
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
