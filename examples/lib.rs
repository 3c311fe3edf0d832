//! What the examples share: a CLIP small enough to be made up on the spot.
//!
//! * `encode`: images and texts into one space, with a CLIP and nothing else.
//! * `adapt_and_merge`: adapters in, adapters folded into the weights.
//! * `loss`: MPM-NCE on embeddings that come from anywhere.
//! * `data_set`: images to batches, in an order and with crops that a seed decides.
//! * `retrieve`: images and captions found by each other, and recall at K.
//! * `segment`: an image to a label map of any words.
//! * `train`: a task of one's own through the training loop.
//!
//! `cargo run --release -p radapter-examples --example encode`

use radapter::clip::checkpoint::{Checkpoint, Format};
use radapter::clip::config::ClipConfig;

/// A CLIP of 2 × 2 layers with random weights, which knows nothing: replace it by
/// [`Checkpoint::open`]`("directory", None)`.
pub fn small_clip() -> anyhow::Result<Checkpoint> {
    let mut config = ClipConfig::preset("ViT-B-32")?;
    config.embed_dim = 32;
    let vision = &mut config.vision;
    (vision.image_size, vision.patch_size) = (32, 8);
    (vision.width, vision.heads, vision.layers, vision.mlp_width) = (48, 2, 2, 96);
    let text = &mut config.text;
    (text.width, text.heads, text.layers, text.mlp_width) = (32, 2, 2, 64);
    let state = config.random_state(0);
    Ok(Checkpoint::new(config, state, Format::OpenClip, "random")?)
}
