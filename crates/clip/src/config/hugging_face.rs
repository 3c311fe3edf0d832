//! Hugging Face's JSON: `config.json` and `preprocessor_config.json` (or, since transformers 5, `processor_config.json`)
//! of a transformers `CLIPModel`.

use radapter_images::{Interpolation, PreprocessConfig, ResizeMode};
use serde_json::{Map, Value, json};

use super::json::{Keys, parse_object};
use super::open_clip::shortest;
use super::{Activation, ClipConfig, ConfigError, LAYER_NORM_EPS, TextConfig, VisionConfig};
use crate::state_dict::StoredDtype;

/// The end-of-text token, which transformers pools at.
const END_OF_TEXT: usize = 49407;
/// The start-of-text token.
const START_OF_TEXT: usize = 49406;

/// Keys that every transformers config may hold and that do not affect CLIP's network: bookkeeping, text generation,
/// classification labels, dropout, initialisation.
const IGNORED: &[&str] = &[
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_commit_hash",
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "attn_implementation",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "chunk_size_feed_forward",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "dropout",
    "dtype",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "gradient_checkpointing",
    "id2label",
    "initializer_factor",
    "initializer_range",
    "label2id",
    "length_penalty",
    "logit_scale_init_value",
    "max_length",
    "min_length",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "pad_token_id",
    "prefix",
    "problem_type",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "suppress_tokens",
    "task_specific_params",
    "temperature",
    "tf_legacy_loss",
    "tie_encoder_decoder",
    "tie_word_embeddings",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers.js_config",
    "transformers_version",
    "typical_p",
    "use_bfloat16",
];

/// CLIP's class of tokenizer, and those that any `tokenizer.json` may name. transformers also has each with `Fast` at
/// the end.
const TOKENIZER_CLASSES: [&str; 3] = ["CLIPTokenizer", "PreTrainedTokenizer", "TokenizersBackend"];

/// Whether a `tokenizer_class` may be CLIP's.
pub(crate) fn may_be_clip_tokenizer(class: &str) -> bool {
    TOKENIZER_CLASSES.contains(&class.strip_suffix("Fast").unwrap_or(class))
}

impl ClipConfig {
    /// Reads a `config.json` of a transformers `CLIPModel`, and its `preprocessor_config.json` or `processor_config.json`
    /// where there is one.
    ///
    /// Absent keys have transformers' defaults. Without a preprocessor file the preprocessing is OpenAI's.
    ///
    /// # Errors
    /// [`ConfigError`] for text that is not a JSON object, a key that is unknown, invalid or not supported, towers of
    /// different activations, and sizes that do not fit each other.
    pub fn from_hugging_face_json(config: &str, preprocessor: Option<&str>) -> Result<Self, ConfigError> {
        let root = parse_object(config)?;
        let mut keys = Keys::new("", &root);
        keys.fixed("model_type", json!("clip"))?;
        keys.fixed("is_encoder_decoder", json!(false))?;
        if let Some(class) = keys.text("tokenizer_class")?.filter(|class| !may_be_clip_tokenizer(class)) {
            return Err(keys.unsupported("tokenizer_class", "`CLIPTokenizer`", &json!(class)));
        }
        let embed_dim = keys.integer("projection_dim")?.unwrap_or(512);
        // As in transformers, the older `*_config_dict` replaces the other where both are there.
        let vision = keys.object("vision_config")?;
        let vision = keys.object("vision_config_dict")?.or(vision);
        let text = keys.object("text_config")?;
        let text = keys.object("text_config_dict")?.or(text);
        if vision.is_none() && text.is_none() {
            return Err(keys.missing("text_config", "the text tower's sizes"));
        }
        keys.ignore(IGNORED);
        keys.finish()?;

        let empty = Map::new();
        let (vision, vision_activation) = read_vision(vision.unwrap_or(&empty))?;
        let (text, text_activation) = read_text(text.unwrap_or(&empty))?;
        if vision_activation != text_activation {
            return Err(ConfigError::ActivationsDiffer {
                vision_key: "vision_config.hidden_act".into(),
                vision: hidden_act(vision_activation).into(),
                text_key: "text_config.hidden_act".into(),
                text: hidden_act(text_activation).into(),
            });
        }
        let preprocess = match preprocessor {
            Some(json) => read_preprocessor(json, vision.image_size)?,
            None => PreprocessConfig::default(),
        };
        let config = Self { embed_dim, activation: vision_activation, vision, text, preprocess };
        config.validate()?;
        Ok(config)
    }

    /// `config.json` for this model, its weights stored in `dtype`.
    pub fn to_hugging_face_json(&self, dtype: StoredDtype) -> String {
        let act = hidden_act(self.activation);
        let (vision, text) = (&self.vision, &self.text);
        let config = json!({
            "architectures": ["CLIPModel"],
            "initializer_factor": 1.0,
            "logit_scale_init_value": 2.6592,
            "model_type": "clip",
            "projection_dim": self.embed_dim,
            "text_config": {
                "attention_dropout": 0.0,
                "bos_token_id": START_OF_TEXT,
                "eos_token_id": END_OF_TEXT,
                "hidden_act": act,
                "hidden_size": text.width,
                "initializer_factor": 1.0,
                "initializer_range": 0.02,
                "intermediate_size": text.mlp_width,
                "layer_norm_eps": text.layer_norm_eps,
                "max_position_embeddings": text.context_length,
                "model_type": "clip_text_model",
                "num_attention_heads": text.heads,
                "num_hidden_layers": text.layers,
                "pad_token_id": END_OF_TEXT,
                "projection_dim": self.embed_dim,
                "vocab_size": text.vocab_size,
            },
            "torch_dtype": match dtype {
                StoredDtype::F32 => "float32",
                StoredDtype::F16 => "float16",
                StoredDtype::BF16 => "bfloat16",
            },
            "vision_config": {
                "attention_dropout": 0.0,
                "hidden_act": act,
                "hidden_size": vision.width,
                "image_size": vision.image_size,
                "initializer_factor": 1.0,
                "initializer_range": 0.02,
                "intermediate_size": vision.mlp_width,
                "layer_norm_eps": vision.layer_norm_eps,
                "model_type": "clip_vision_model",
                "num_attention_heads": vision.heads,
                "num_channels": 3,
                "num_hidden_layers": vision.layers,
                "patch_size": vision.patch_size,
                "projection_dim": self.embed_dim,
            },
        });
        format!("{config:#}\n")
    }

    /// `preprocessor_config.json` for this model.
    ///
    /// # Errors
    /// [`ConfigError::Unsupported`] for [`ResizeMode::Longest`], which transformers' processor for CLIP does not have.
    pub fn to_hugging_face_preprocessor_json(&self) -> Result<String, ConfigError> {
        let side = self.vision.image_size;
        let preprocess = &self.preprocess;
        let (size, crop) = match preprocess.resize_mode {
            ResizeMode::Shortest => (json!({ "shortest_edge": side }), true),
            ResizeMode::Squash => (json!({ "height": side, "width": side }), false),
            ResizeMode::Longest => {
                return Err(ConfigError::Unsupported {
                    key: "preprocess.resize_mode".into(),
                    expected: "`shortest` or `squash` in transformers' processor".into(),
                    found: "`longest`".into(),
                });
            }
        };
        let config = json!({
            "crop_size": { "height": side, "width": side },
            "do_center_crop": crop,
            "do_convert_rgb": true,
            "do_normalize": true,
            "do_rescale": true,
            "do_resize": true,
            "image_mean": preprocess.mean.map(shortest),
            "image_processor_type": "CLIPImageProcessor",
            "image_std": preprocess.std.map(shortest),
            "processor_class": "CLIPProcessor",
            "resample": match preprocess.interpolation {
                Interpolation::Bilinear => 2,
                Interpolation::Bicubic => 3,
            },
            "rescale_factor": 1.0 / 255.0,
            "size": size,
        });
        Ok(format!("{config:#}\n"))
    }
}

fn read_vision(map: &Map<String, Value>) -> Result<(VisionConfig, Activation), ConfigError> {
    let mut keys = Keys::new("vision_config", map);
    let config = VisionConfig {
        image_size: keys.side("image_size")?.unwrap_or(224),
        patch_size: keys.side("patch_size")?.unwrap_or(32),
        width: keys.integer("hidden_size")?.unwrap_or(768),
        layers: keys.integer("num_hidden_layers")?.unwrap_or(12),
        heads: keys.integer("num_attention_heads")?.unwrap_or(12),
        mlp_width: keys.integer("intermediate_size")?.unwrap_or(3072),
        layer_norm_eps: keys.number("layer_norm_eps")?.unwrap_or(LAYER_NORM_EPS),
    };
    keys.fixed("model_type", json!("clip_vision_model"))?;
    keys.fixed("num_channels", json!(3))?;
    keys.ignore(&["eos_token_id"]);
    let activation = read_rest_of_both_towers(keys)?;
    Ok((config, activation))
}

fn read_text(map: &Map<String, Value>) -> Result<(TextConfig, Activation), ConfigError> {
    let mut keys = Keys::new("text_config", map);
    let config = TextConfig {
        context_length: keys.integer("max_position_embeddings")?.unwrap_or(77),
        vocab_size: keys.integer("vocab_size")?.unwrap_or(49408),
        width: keys.integer("hidden_size")?.unwrap_or(512),
        heads: keys.integer("num_attention_heads")?.unwrap_or(8),
        layers: keys.integer("num_hidden_layers")?.unwrap_or(12),
        mlp_width: keys.integer("intermediate_size")?.unwrap_or(2048),
        layer_norm_eps: keys.number("layer_norm_eps")?.unwrap_or(LAYER_NORM_EPS),
    };
    keys.fixed("model_type", json!("clip_text_model"))?;
    // Older configs have 2; transformers then pools at the highest id, which is the end of text as well.
    let eos = keys.integer("eos_token_id")?.unwrap_or(END_OF_TEXT);
    if eos != END_OF_TEXT && eos != 2 {
        return Err(keys.unsupported("eos_token_id", "49407, or 2 in older files", &json!(eos)));
    }
    let activation = read_rest_of_both_towers(keys)?;
    Ok((config, activation))
}

fn read_rest_of_both_towers(mut keys: Keys<'_>) -> Result<Activation, ConfigError> {
    let activation = match keys.text("hidden_act")? {
        None | Some("quick_gelu") => Activation::QuickGelu,
        Some("gelu") => Activation::Gelu,
        Some(other) => return Err(keys.unsupported("hidden_act", "`quick_gelu` or `gelu`", &json!(other))),
    };
    keys.fixed("add_cross_attention", json!(false))?;
    keys.fixed("is_decoder", json!(false))?;
    keys.fixed("is_encoder_decoder", json!(false))?;
    keys.fixed("pruned_heads", json!({}))?;
    keys.fixed("cross_attention_hidden_size", Value::Null)?;
    // `CLIPModel` takes the outer one.
    keys.ignore(&["projection_dim"]);
    keys.ignore(IGNORED);
    keys.finish()?;
    Ok(activation)
}

fn hidden_act(activation: Activation) -> &'static str {
    match activation {
        Activation::Gelu => "gelu",
        Activation::QuickGelu => "quick_gelu",
    }
}

fn read_preprocessor(text: &str, image_size: usize) -> Result<PreprocessConfig, ConfigError> {
    let root = parse_object(text)?;
    let mut outer = Keys::new("", &root);
    let mut keys = match outer.object("image_processor")? {
        Some(inner) => {
            // The tokenizer has files of its own.
            outer.ignore(&["processor_class", "tokenizer", "transformers_version", "auto_map"]);
            outer.finish()?;
            Keys::new("image_processor", inner)
        }
        None => Keys::new("", &root),
    };
    for key in ["do_resize", "do_normalize", "do_rescale", "do_convert_rgb"] {
        keys.fixed(key, json!(true))?;
    }
    keys.fixed("do_pad", json!(false))?;
    keys.fixed("use_square_size", json!(false))?;
    let factor = keys.number("rescale_factor")?.unwrap_or(1.0 / 255.0);
    if (factor * 255.0 - 1.0).abs() > 1e-6 {
        return Err(keys.unsupported("rescale_factor", "1/255", &json!(factor)));
    }
    let interpolation = match keys.integer("resample")? {
        None | Some(3) => Interpolation::Bicubic,
        Some(2) => Interpolation::Bilinear,
        Some(other) => return Err(keys.unsupported("resample", "3 (bicubic) or 2 (bilinear)", &json!(other))),
    };
    let resize_mode = read_size(&mut keys, image_size)?;
    let crops = keys.flag("do_center_crop")?.unwrap_or(true);
    if crops {
        let built = json!({ "height": image_size, "width": image_size });
        match keys.value("crop_size") {
            Some(size) if *size != built && *size != json!(image_size) => {
                return Err(keys.unsupported("crop_size", &format!("the model's image size, {image_size}"), size));
            }
            _ => {}
        }
    } else if resize_mode == ResizeMode::Shortest {
        return Err(keys.unsupported("do_center_crop", "true where `size` is the shortest edge", &json!(crops)));
    }
    let default = PreprocessConfig::default();
    let config = PreprocessConfig {
        mean: keys.channels("image_mean")?.unwrap_or(default.mean),
        std: keys.channels("image_std")?.unwrap_or(default.std),
        interpolation,
        resize_mode,
        fill_color: 0,
    };
    // Class names, and how transformers returns its tensors.
    keys.ignore(&["crop_size", "feature_extractor_type", "image_processor_type", "processor_class", "tokenizer_class"]);
    keys.ignore(&["_valid_processor_keys", "data_format", "default_to_square", "device", "disable_grouping"]);
    keys.ignore(&["input_data_format", "return_tensors", "transformers_version", "auto_map"]);
    keys.finish()?;
    Ok(config)
}

/// `size`: a number or `shortest_edge` for the shorter side, `height` and `width` for both.
fn read_size(keys: &mut Keys<'_>, image_size: usize) -> Result<ResizeMode, ConfigError> {
    let Some(size) = keys.value("size") else { return Ok(ResizeMode::Shortest) };
    if *size == json!(image_size) || *size == json!({ "shortest_edge": image_size }) {
        return Ok(ResizeMode::Shortest);
    }
    if *size == json!({ "height": image_size, "width": image_size }) {
        return Ok(ResizeMode::Squash);
    }
    Err(keys.unsupported("size", &format!("the model's image size, {image_size}"), size))
}
