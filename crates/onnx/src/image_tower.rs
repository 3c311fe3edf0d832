//! The image tower.

use radapter_clip::config::ClipConfig;
use radapter_clip::model::Tower;

use crate::OnnxError;
use crate::block::{Adapters, Blocks, layer_norm, reshape};
use crate::graph::{GraphBuilder, Value};
use crate::proto::Attribute;

/// Adds the image tower: its embeddings, in f32 and not normalized, have the name `output`.
///
/// # Shapes
/// `pixels`: `[batch, 3, size, size]` → `[batch, embed_dim]`
pub(crate) fn image_tower(
    g: &mut GraphBuilder,
    config: &ClipConfig,
    pixels: &Value,
    adapters: Option<&Adapters>,
    output: &str,
) -> Result<Value, OnnxError> {
    let vision = &config.vision;
    let (width, tokens, heads) = (vision.width as i64, vision.tokens() as i64, vision.heads as i64);
    let patch = vision.patch_size as i64;
    let filters = g.weight("visual.conv1.weight")?;
    let cut = [Attribute::ints("kernel_shape", &[patch, patch]), Attribute::ints("strides", &[patch, patch])];
    let patches = g.node("visual.conv1", "Conv", &[pixels, &filters], &cut);
    // The batch stays, and the patches are one axis.
    let flat = g.ints(&[0, width, -1]);
    let patches = reshape(g, "visual.patches.flat", &patches, &flat);
    let patches = g.node("visual.patches", "Transpose", &[&patches], &[Attribute::ints("perm", &[0, 2, 1])]);

    let batch = g.node("visual.batch", "Shape", &[pixels], &[Attribute::int("start", 0), Attribute::int("end", 1)]);
    let token = g.ints(&[1, width]);
    let shape = g.node("visual.class.shape", "Concat", &[&batch, &token], &[Attribute::int("axis", 0)]);
    let class = g.weight("visual.class_embedding")?;
    let class = g.node("visual.class", "Expand", &[&class, &shape], &[]);
    let x = g.node("visual.tokens", "Concat", &[&class, &patches], &[Attribute::int("axis", 1)]);
    let positions = g.weight("visual.positional_embedding")?;
    let x = g.node("visual.embedded", "Add", &[&x, &positions], &[]);
    let x = layer_norm(g, "visual.ln_pre", &x, vision.layer_norm_eps)?;
    let rows = g.ints(&[-1, width]);
    let x = reshape(g, "visual.rows", &x, &rows);

    let blocks = Blocks {
        tower: Tower::Visual,
        width: vision.width,
        layers: vision.layers,
        heads: vision.heads,
        epsilon: vision.layer_norm_eps,
        activation: config.activation,
        split: g.ints(&[-1, tokens, heads, width / heads]),
        mask: None,
        adapters,
    };
    let x = blocks.apply(g, x)?;

    let by_token = g.ints(&[-1, tokens, width]);
    let x = reshape(g, "visual.by_token", &x, &by_token);
    let first = g.int(0);
    let class = g.node("visual.pooled", "Gather", &[&x, &first], &[Attribute::int("axis", 1)]);
    let class = layer_norm(g, "visual.ln_post", &class, vision.layer_norm_eps)?;
    let projection = g.weight("visual.proj")?;
    Ok(g.node_f32(output, "MatMul", &[&class, &projection]))
}
