//! Both JSON forms give back what was written, and no text makes a reader panic.

use proptest::prelude::*;
use radapter_clip::config::{Activation, ClipConfig, PRESETS, TextConfig, VisionConfig};
use radapter_clip::state_dict::StoredDtype;
use radapter_images::{Interpolation, PreprocessConfig, ResizeMode};

use crate::hugging_face::HUGGING_FACE_LARGE;

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
