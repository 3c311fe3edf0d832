//! The embedded model: a CLIP small enough to compile in and good enough to try everything with.
//!
//! It is pretrained on the drawn shapes world (see `MODEL_CARD.md` beside the weights) and knows nothing else.

use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::config::ClipConfig;

const CONFIG: &str = include_str!("../assets/open_clip_config.json");
const WEIGHTS: &[u8] = include_bytes!("../assets/open_clip_model.safetensors");

/// The model card: training data, abilities and limits.
pub const MODEL_CARD: &str = include_str!("../assets/MODEL_CARD.md");

/// Reads the embedded model.
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
