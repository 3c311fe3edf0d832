//! The sizes of the published models, by OpenCLIP's names.

use radapter_images::PreprocessConfig;

use super::{Activation, ClipConfig, ConfigError, LAYER_NORM_EPS, TextConfig, VisionConfig};

/// Suffix of the QuickGELU forms' names.
const QUICK_GELU: &str = "-quickgelu";

/// One published size; the numbers are those of open_clip's `model_configs`.
struct Preset {
    name: &'static str,
    embed_dim: usize,
    image_size: usize,
    patch_size: usize,
    vision: Tower,
    text: Tower,
}

struct Tower {
    width: usize,
    layers: usize,
    heads: usize,
    mlp_width: usize,
}

const fn tower(width: usize, layers: usize, heads: usize, mlp_width: usize) -> Tower {
    Tower { width, layers, heads, mlp_width }
}

const SIZES: [Preset; 6] = [
    Preset {
        name: "ViT-B-32",
        embed_dim: 512,
        image_size: 224,
        patch_size: 32,
        vision: tower(768, 12, 12, 3072),
        text: tower(512, 12, 8, 2048),
    },
    Preset {
        name: "ViT-B-16",
        embed_dim: 512,
        image_size: 224,
        patch_size: 16,
        vision: tower(768, 12, 12, 3072),
        text: tower(512, 12, 8, 2048),
    },
    Preset {
        name: "ViT-L-14",
        embed_dim: 768,
        image_size: 224,
        patch_size: 14,
        vision: tower(1024, 24, 16, 4096),
        text: tower(768, 12, 12, 3072),
    },
    Preset {
        name: "ViT-L-14-336",
        embed_dim: 768,
        image_size: 336,
        patch_size: 14,
        vision: tower(1024, 24, 16, 4096),
        text: tower(768, 12, 12, 3072),
    },
    Preset {
        name: "ViT-H-14",
        embed_dim: 1024,
        image_size: 224,
        patch_size: 14,
        vision: tower(1280, 32, 16, 5120),
        text: tower(1024, 24, 16, 4096),
    },
    Preset {
        name: "ViT-bigG-14",
        embed_dim: 1280,
        image_size: 224,
        patch_size: 14,
        vision: tower(1664, 48, 16, 8192),
        text: tower(1280, 32, 20, 5120),
    },
];

/// The presets' names. Those that end in `-quickgelu` are the OpenAI forms (QuickGELU), the others OpenCLIP's (GELU).
pub const PRESETS: [&str; 12] = [
    "ViT-B-32",
    "ViT-B-32-quickgelu",
    "ViT-B-16",
    "ViT-B-16-quickgelu",
    "ViT-L-14",
    "ViT-L-14-quickgelu",
    "ViT-L-14-336",
    "ViT-L-14-336-quickgelu",
    "ViT-H-14",
    "ViT-H-14-quickgelu",
    "ViT-bigG-14",
    "ViT-bigG-14-quickgelu",
];

impl ClipConfig {
    /// Returns the config of a published model, by open_clip's name for it.
    ///
    /// Case does not matter, and `/`, `@`, `_` stand for `-`: `ViT-B/32`, `vit-l-14-336`, `ViT-L/14@336px`. As in
    /// open_clip, a plain name is the GELU form; the weights that OpenAI published (and some others) need the form that
    /// ends in `-quickgelu`, for which `-openai` is taken as well.
    ///
    /// # Errors
    /// [`ConfigError::UnknownPreset`] for any other name.
    pub fn preset(name: &str) -> Result<Self, ConfigError> {
        let mut wanted = name.trim().to_ascii_lowercase().replace(['/', '@', '_'], "-").replace("336px", "336");
        if let Some(size) = wanted.strip_suffix("-openai") {
            wanted = format!("{size}{QUICK_GELU}");
        }
        let (size, activation) = match wanted.strip_suffix(QUICK_GELU) {
            Some(size) => (size, Activation::QuickGelu),
            None => (wanted.as_str(), Activation::Gelu),
        };
        SIZES
            .iter()
            .find(|preset| preset.name.eq_ignore_ascii_case(size))
            .map(|preset| preset.config(activation))
            .ok_or_else(|| ConfigError::UnknownPreset { name: name.to_owned(), known: PRESETS.join(", ") })
    }
}

impl Preset {
    fn config(&self, activation: Activation) -> ClipConfig {
        ClipConfig {
            embed_dim: self.embed_dim,
            activation,
            vision: VisionConfig {
                image_size: self.image_size,
                patch_size: self.patch_size,
                width: self.vision.width,
                layers: self.vision.layers,
                heads: self.vision.heads,
                mlp_width: self.vision.mlp_width,
                layer_norm_eps: LAYER_NORM_EPS,
            },
            text: TextConfig {
                context_length: 77,
                vocab_size: 49408,
                width: self.text.width,
                heads: self.text.heads,
                layers: self.text.layers,
                mlp_width: self.text.mlp_width,
                layer_norm_eps: LAYER_NORM_EPS,
            },
            preprocess: PreprocessConfig::default(),
        }
    }
}
