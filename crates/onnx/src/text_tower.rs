//! The text tower.

use radapter_clip::config::ClipConfig;
use radapter_clip::model::Tower;

use crate::block::{Adapters, Blocks, layer_norm, reshape};
use crate::graph::{GraphBuilder, Value};
use crate::proto::{Attribute, ElementType};
use crate::{OnnxDtype, OnnxError};

/// Adds the text tower: its embeddings, in f32 and not normalized, have the name `output`.
///
/// A text is pooled at its first position with the largest id, which in CLIP's vocabulary is the end of text. Positions whose
/// `attention_mask` is 0, if there is one, are not attended to.
///
/// # Shapes
/// `ids` and `attention_mask`: `[batch, sequence]` → `[batch, embed_dim]`
pub(crate) fn text_tower(
    g: &mut GraphBuilder,
    config: &ClipConfig,
    ids: &Value,
    attention_mask: Option<&Value>,
    adapters: Option<&Adapters>,
    output: &str,
) -> Result<Value, OnnxError> {
    let text = &config.text;
    let (width, heads) = (text.width as i64, text.heads as i64);
    let length = g.node("text.length", "Shape", &[ids], &[Attribute::int("start", 1), Attribute::int("end", 2)]);
    let vectors = g.weight("token_embedding.weight")?;
    let x = g.node("text.tokens", "Gather", &[&vectors, ids], &[Attribute::int("axis", 0)]);
    let positions = g.weight("positional_embedding")?;
    let (start, axis) = (g.ints(&[0]), g.ints(&[0]));
    let positions = g.node("text.positions", "Slice", &[&positions, &start, &length, &axis], &[]);
    let x = g.node("text.embedded", "Add", &[&x, &positions], &[]);
    let rows = g.ints(&[-1, width]);
    let x = reshape(g, "text.rows", &x, &rows);

    let blocks = Blocks {
        tower: Tower::Text,
        width: text.width,
        layers: text.layers,
        heads: text.heads,
        epsilon: text.layer_norm_eps,
        activation: config.activation,
        split: with_length(g, "text.split", &length, &[heads, width / heads]),
        mask: Some(mask(g, text.context_length, &length, attention_mask)?),
        adapters,
    };
    let x = blocks.apply(g, x)?;

    let by_token = with_length(g, "text.by_token.shape", &length, &[width]);
    let x = reshape(g, "text.by_token", &x, &by_token);
    // ONNX Runtime has no ArgMax of 64-bit integers.
    let short = g.cast("text.short_ids", ids, ElementType::I32);
    let first = [Attribute::int("axis", 1), Attribute::int("keepdims", 1), Attribute::int("select_last_index", 0)];
    let end = g.node("text.end", "ArgMax", &[&short], &first);
    let end = g.node("text.pooled", "GatherND", &[&x, &end], &[Attribute::int("batch_dims", 1)]);
    let end = layer_norm(g, "ln_final", &end, text.layer_norm_eps)?;
    let projection = g.weight("text_projection")?;
    Ok(g.node_f32(output, "MatMul", &[&end, &projection]))
}

/// The shape `-1`, tokens, `rest`.
fn with_length(g: &mut GraphBuilder, name: &str, length: &Value, rest: &[i64]) -> Value {
    let (batch, rest) = (g.ints(&[-1]), g.ints(rest));
    g.node(name, "Concat", &[&batch, length, &rest], &[Attribute::int("axis", 0)])
}

/// What is added to the products of queries and keys: 0 where a position may attend to the other, else the lowest value.
///
/// # Shapes
/// `[sequence, sequence]`, with an attention mask `[batch, 1, sequence, sequence]`
fn mask(
    g: &mut GraphBuilder,
    context: usize,
    length: &Value,
    attention_mask: Option<&Value>,
) -> Result<Value, OnnxError> {
    let lowest = match g.dtype() {
        OnnxDtype::F32 => f32::MIN,
        OnnxDtype::F16 => -65504.0,
    };
    let causal = (0..context).flat_map(|query| (0..context).map(move |key| if key > query { lowest } else { 0.0 }));
    let causal = g.constant("text.causal_mask", &[context, context], causal.collect())?;
    let lengths = g.node("text.mask.shape", "Concat", &[length, length], &[Attribute::int("axis", 0)]);
    let (starts, axes) = (g.ints(&[0, 0]), g.ints(&[0, 1]));
    let causal = g.node("text.mask.causal", "Slice", &[&causal, &starts, &lengths, &axes], &[]);
    let Some(attention_mask) = attention_mask else { return Ok(causal) };
    let seen = g.in_graph_type("text.mask.seen", attention_mask);
    let (one, lowest) =
        (g.constant("text.mask.1", &[], vec![1.0])?, g.constant("text.mask.lowest", &[], vec![lowest])?);
    let unseen = g.node("text.mask.unseen", "Sub", &[&one, &seen], &[]);
    let padding = g.node("text.mask.rows", "Mul", &[&unseen, &lowest], &[]);
    let axes = g.ints(&[1, 2]);
    let padding = g.node("text.mask.padding", "Unsqueeze", &[&padding, &axes], &[]);
    // The minimum, because the sum of two lowest values is infinite, and a row of infinities has no softmax.
    Ok(g.node("text.mask", "Min", &[&causal, &padding], &[]))
}
