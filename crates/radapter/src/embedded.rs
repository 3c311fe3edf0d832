//! The CLIP that is compiled in: small enough to carry, good enough to try everything with.
//!
//! It was pretrained on the drawn shapes world (see its `MODEL_CARD.md` beside the weights), so that it knows that world and
//! nothing else.

use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::config::ClipConfig;

const CONFIG: &str = include_str!("../assets/open_clip_config.json");
const WEIGHTS: &[u8] = include_bytes!("../assets/open_clip_model.safetensors");

/// The model card: what the model was trained on, what it can do and what not.
pub const MODEL_CARD: &str = include_str!("../assets/MODEL_CARD.md");

/// The embedded model.
pub fn embedded() -> Checkpoint {
    ClipConfig::from_open_clip_json(CONFIG)
        .map_err(|error| error.to_string())
        .and_then(|config| {
            Checkpoint::from_safetensors(config, WEIGHTS.to_vec(), "embedded").map_err(|error| error.to_string())
        })
        .expect("the compiled-in files do not change, and a test reads them")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_model_can_be_read() {
        let checkpoint = embedded();
        assert_eq!(checkpoint.config.text.context_length, 77);
        assert!(WEIGHTS.len() <= 8 << 20, "{} bytes", WEIGHTS.len());
    }
}
