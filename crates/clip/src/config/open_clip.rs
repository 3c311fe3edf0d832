//! OpenCLIP's JSON: `open_clip_config.json`, and the bare model config that open_clip keeps in `model_configs`.

use radapter_images::{Interpolation, OPENAI_MEAN, OPENAI_STD, PreprocessConfig, ResizeMode};
use serde_json::{Map, Value, json};

use super::json::{Keys, parse_object};
use super::{Activation, ClipConfig, ConfigError, LAYER_NORM_EPS, TextConfig, VisionConfig};

impl ClipConfig {
    /// Reads `open_clip_config.json` (`model_cfg` and `preprocess_cfg`), or a bare model config.
    ///
    /// Absent keys have open_clip's defaults. Keys that change the network must have the supported value; keys that
    /// only matter in training or at initialisation are ignored.
    ///
    /// # Errors
    /// [`ConfigError`] for text that is not a JSON object, a key that is missing, unknown, invalid or not supported,
    /// and sizes that do not fit each other.
    pub fn from_open_clip_json(text: &str) -> Result<Self, ConfigError> {
        let root = parse_object(text)?;
        let mut keys = Keys::new("", &root);
        let config = match keys.object("model_cfg")? {
            Some(model) => {
                let preprocess = keys.object("preprocess_cfg")?;
                keys.finish()?;
                read_model("model_cfg", model, preprocess)?
            }
            None => read_model("", &root, None)?,
        };
        config.validate()?;
        Ok(config)
    }

    /// `open_clip_config.json` for this model, as open_clip writes it.
    pub fn to_open_clip_json(&self) -> String {
        let mut model = Map::new();
        model.insert("embed_dim".into(), json!(self.embed_dim));
        if self.activation == Activation::QuickGelu {
            model.insert("quick_gelu".into(), json!(true));
        }
        let (vision, text) = (&self.vision, &self.text);
        let mut vision_cfg = Map::from_iter([
            ("image_size".into(), json!(vision.image_size)),
            ("layers".into(), json!(vision.layers)),
            ("width".into(), json!(vision.width)),
            ("head_width".into(), json!(vision.width / vision.heads)),
            ("patch_size".into(), json!(vision.patch_size)),
        ]);
        write_common(&mut vision_cfg, vision.width, vision.mlp_width, vision.layer_norm_eps);
        let mut text_cfg = Map::from_iter([
            ("context_length".into(), json!(text.context_length)),
            ("vocab_size".into(), json!(text.vocab_size)),
            ("width".into(), json!(text.width)),
            ("heads".into(), json!(text.heads)),
            ("layers".into(), json!(text.layers)),
        ]);
        write_common(&mut text_cfg, text.width, text.mlp_width, text.layer_norm_eps);
        model.insert("vision_cfg".into(), vision_cfg.into());
        model.insert("text_cfg".into(), text_cfg.into());
        let config = json!({ "model_cfg": model, "preprocess_cfg": write_preprocess(&self.preprocess) });
        format!("{config:#}\n")
    }
}

fn read_model(
    path: &str,
    model: &Map<String, Value>,
    preprocess: Option<&Map<String, Value>>,
) -> Result<ClipConfig, ConfigError> {
    let mut keys = Keys::new(path, model);
    let embed_dim = keys.integer("embed_dim")?.ok_or_else(|| keys.missing("embed_dim", "the embedding's size"))?;
    let quick_gelu = keys.flag("quick_gelu")?.unwrap_or(false);
    let vision = keys.object("vision_cfg")?.ok_or_else(|| keys.missing("vision_cfg", "the image tower's sizes"))?;
    let text = keys.object("text_cfg")?.ok_or_else(|| keys.missing("text_cfg", "the text tower's sizes"))?;
    keys.fixed("custom_text", json!(false))?;
    keys.fixed("nonscalar_logit_scale", json!(false))?;
    keys.fixed("multimodal_cfg", Value::Null)?;
    keys.fixed("init_logit_bias", Value::Null)?;
    // The first sets a value that the weights contain; the others set how open_clip computes and what it returns.
    keys.ignore(&["init_logit_scale", "cast_dtype", "output_dict"]);
    let (vision_path, text_path) = (keys.name("vision_cfg"), keys.name("text_cfg"));
    keys.finish()?;

    Ok(ClipConfig {
        embed_dim,
        activation: if quick_gelu { Activation::QuickGelu } else { Activation::Gelu },
        vision: read_vision(Keys::new(&vision_path, vision))?,
        text: read_text(Keys::new(&text_path, text))?,
        preprocess: preprocess.map(read_preprocess).transpose()?.unwrap_or_default(),
    })
}

fn read_vision(mut keys: Keys<'_>) -> Result<VisionConfig, ConfigError> {
    // Checked before the sizes, which a timm model does not use.
    keys.fixed("timm_model_name", Value::Null)?;
    if let Some(layers @ Value::Array(_)) = keys.value("layers") {
        return Err(keys.unsupported("layers", "the number of a vision transformer's blocks", layers));
    }
    let width = keys.integer("width")?.unwrap_or(768);
    let head_width = keys.integer("head_width")?.unwrap_or(64);
    if head_width == 0 || head_width > width {
        return Err(keys.invalid("head_width", "at least 1, at most `width`", &json!(head_width)));
    }
    let config = VisionConfig {
        image_size: keys.side("image_size")?.unwrap_or(224),
        patch_size: keys.side("patch_size")?.unwrap_or(16),
        width,
        layers: keys.integer("layers")?.unwrap_or(12),
        heads: width / head_width,
        mlp_width: read_mlp_width(&mut keys, width)?,
        layer_norm_eps: read_layer_norm_eps(&mut keys)?,
    };
    for (key, built) in [
        ("attentional_pool", json!(false)),
        ("no_ln_pre", json!(false)),
        ("pos_embed_type", json!("learnable")),
        ("pool_type", json!("tok")),
    ] {
        keys.fixed(key, built)?;
    }
    read_fixed_of_both_towers(&mut keys)?;
    // `patch_dropout` acts in training only, and is not part of fine-tuning here; the others configure attention
    // pooling and timm's models, refused above.
    keys.ignore(&["patch_dropout", "attn_pooler_queries", "attn_pooler_heads"]);
    keys.ignore(&["timm_model_pretrained", "timm_pool", "timm_proj", "timm_proj_bias", "timm_drop", "timm_drop_path"]);
    keys.finish()?;
    Ok(config)
}

fn read_text(mut keys: Keys<'_>) -> Result<TextConfig, ConfigError> {
    keys.fixed("hf_model_name", Value::Null)?;
    let width = keys.integer("width")?.unwrap_or(512);
    let config = TextConfig {
        context_length: keys.integer("context_length")?.unwrap_or(77),
        vocab_size: keys.integer("vocab_size")?.unwrap_or(49408),
        width,
        heads: keys.integer("heads")?.unwrap_or(8),
        layers: keys.integer("layers")?.unwrap_or(12),
        mlp_width: read_mlp_width(&mut keys, width)?,
        layer_norm_eps: read_layer_norm_eps(&mut keys)?,
    };
    for (key, built) in [
        ("embed_cls", json!(false)),
        ("no_causal_mask", json!(false)),
        ("pool_type", json!("argmax")),
        ("proj_bias", json!(false)),
        ("proj_type", json!("linear")),
        ("tokenizer_mode", Value::Null),
    ] {
        keys.fixed(key, built)?;
    }
    // transformers' copy of OpenAI's tokenizer gives open_clip's ids; no other tokenizer does.
    if let Some(name) = keys.value("hf_tokenizer_name")
        && !name.as_str().is_some_and(|name| name.is_empty() || name.starts_with("openai/clip-vit-"))
    {
        return Err(keys.unsupported("hf_tokenizer_name", "CLIP's own tokenizer", name));
    }
    if let Some(kwargs) = keys.object("tokenizer_kwargs")? {
        let path = keys.name("tokenizer_kwargs");
        let mut kwargs = Keys::new(&path, kwargs);
        kwargs.fixed("clean", json!("lower"))?;
        kwargs.finish()?;
    }
    read_fixed_of_both_towers(&mut keys)?;
    // The ids are only used by the class token and by pooling at `eos`, both refused above.
    keys.ignore(&["pad_id", "eos_id", "hf_model_pretrained", "hf_proj_type", "hf_pooler_type"]);
    keys.finish()?;
    Ok(config)
}

fn read_fixed_of_both_towers(keys: &mut Keys<'_>) -> Result<(), ConfigError> {
    keys.fixed("ls_init_value", Value::Null)?;
    keys.fixed("act_kwargs", json!({}))?;
    keys.fixed("block_type", json!("default"))?;
    for key in [
        "final_ln_after_pool",
        "output_tokens",
        "qk_norm",
        "scaled_cosine_attn",
        "scale_heads",
        "scale_attn_inner",
        "scale_attn",
        "scale_fc",
    ] {
        keys.fixed(key, json!(false))?;
    }
    Ok(())
}

/// `int(width * mlp_ratio)`, as open_clip rounds.
fn read_mlp_width(keys: &mut Keys<'_>, width: usize) -> Result<usize, ConfigError> {
    let ratio = keys.number("mlp_ratio")?.unwrap_or(4.0);
    let mlp_width = width as f64 * ratio;
    if mlp_width.is_finite() && mlp_width >= 1.0 {
        return Ok(mlp_width as usize);
    }
    Err(keys.invalid("mlp_ratio", "a number that makes the MLP at least one wide", &json!(ratio)))
}

fn read_layer_norm_eps(keys: &mut Keys<'_>) -> Result<f64, ConfigError> {
    let Some(kwargs) = keys.object("norm_kwargs")? else { return Ok(LAYER_NORM_EPS) };
    let path = keys.name("norm_kwargs");
    let mut kwargs = Keys::new(&path, kwargs);
    let eps = kwargs.number("eps")?.unwrap_or(LAYER_NORM_EPS);
    kwargs.finish()?;
    Ok(eps)
}

fn read_preprocess(preprocess: &Map<String, Value>) -> Result<PreprocessConfig, ConfigError> {
    let mut keys = Keys::new("preprocess_cfg", preprocess);
    let default = PreprocessConfig::default();
    keys.fixed("mode", json!("RGB"))?;
    // open_clip uses the image tower's size and ignores this one.
    keys.ignore(&["size"]);
    let interpolation = match keys.text("interpolation")? {
        // `random` is bicubic outside training.
        None | Some("bicubic" | "random") => Interpolation::Bicubic,
        Some("bilinear") => Interpolation::Bilinear,
        Some(other) => return Err(keys.unsupported("interpolation", "`bicubic` or `bilinear`", &json!(other))),
    };
    let resize_mode = match keys.text("resize_mode")? {
        None | Some("shortest") => ResizeMode::Shortest,
        Some("longest") => ResizeMode::Longest,
        Some("squash") => ResizeMode::Squash,
        Some(other) => {
            return Err(keys.unsupported("resize_mode", "`shortest`, `longest` or `squash`", &json!(other)));
        }
    };
    let fill = keys.integer("fill_color")?.unwrap_or(0);
    let config = PreprocessConfig {
        mean: keys.channels("mean")?.unwrap_or(default.mean),
        std: keys.channels("std")?.unwrap_or(default.std),
        interpolation,
        resize_mode,
        fill_color: u8::try_from(fill).map_err(|_| keys.invalid("fill_color", "0 to 255", &json!(fill)))?,
    };
    keys.finish()?;
    Ok(config)
}

fn write_common(tower: &mut Map<String, Value>, width: usize, mlp_width: usize, layer_norm_eps: f64) {
    if mlp_width != 4 * width {
        tower.insert("mlp_ratio".into(), json!(mlp_ratio(width, mlp_width)));
    }
    if layer_norm_eps != LAYER_NORM_EPS {
        tower.insert("norm_kwargs".into(), json!({ "eps": layer_norm_eps }));
    }
}

/// A ratio for which `int(width * ratio)` is `mlp_width`: the quotient if it is a short fraction, else the middle of
/// the ratios that round to it, because a quotient read back from its decimals may be slightly smaller.
fn mlp_ratio(width: usize, mlp_width: usize) -> f64 {
    let ratio = mlp_width as f64 / width as f64;
    if (ratio * 64.0).fract() == 0.0 { ratio } else { (mlp_width as f64 + 0.5) / width as f64 }
}

fn write_preprocess(preprocess: &PreprocessConfig) -> Value {
    let mut config = json!({
        "mean": preprocess.mean.map(shortest),
        "std": preprocess.std.map(shortest),
        "interpolation": match preprocess.interpolation {
            Interpolation::Bicubic => "bicubic",
            Interpolation::Bilinear => "bilinear",
        },
        "resize_mode": match preprocess.resize_mode {
            ResizeMode::Shortest => "shortest",
            ResizeMode::Longest => "longest",
            ResizeMode::Squash => "squash",
        },
    });
    if preprocess.fill_color != 0 {
        config["fill_color"] = json!(preprocess.fill_color);
    }
    config
}

/// The f64 to write for an f32: OpenAI's published digits where they match, else the f32's shortest decimal, so that
/// 0.1 is written and not 0.10000000149011612.
pub(super) fn shortest(value: f32) -> f64 {
    let known = OPENAI_MEAN.into_iter().chain(OPENAI_STD).find(|&known| known as f32 == value);
    known.or_else(|| value.to_string().parse().ok()).unwrap_or(f64::from(value))
}
