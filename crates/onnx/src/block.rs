//! The residual blocks of a tower.

use radapter_adapter::{AdapterSet, MapWeights};
use radapter_clip::config::Activation;
use radapter_clip::model::{Place, Site, Tower};

use crate::OnnxError;
use crate::graph::{GraphBuilder, Value};
use crate::proto::Attribute;

/// The blocks of a tower, with what they share. Activations are `[batch · tokens, width]`, and weights have torch's layout, as in
/// [`radapter_clip::model`].
pub(crate) struct Blocks<'a> {
    pub(crate) tower: Tower,
    pub(crate) width: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) epsilon: f64,
    pub(crate) activation: Activation,
    /// The shape that separates the heads: `-1`, tokens, heads, width of a head.
    pub(crate) split: Value,
    /// Added to the products of queries and keys.
    pub(crate) mask: Option<Value>,
    pub(crate) adapters: Option<&'a Adapters<'a>>,
}

/// Adapters that stay in the graph, and their common factor.
pub(crate) struct Adapters<'a> {
    pub(crate) set: &'a AdapterSet,
    /// α, of the graph's type: `[]`
    pub(crate) alpha: Value,
}

/// `x · Wᵀ`, with the weight in torch's layout.
fn transposed(factor: Option<f32>) -> Vec<Attribute> {
    let factor = factor.map(|factor| Attribute::float("alpha", factor));
    factor.into_iter().chain([Attribute::int("transB", 1)]).collect()
}

/// Layer normalization over the last axis.
pub(crate) fn layer_norm(g: &mut GraphBuilder, name: &str, x: &Value, epsilon: f64) -> Result<Value, OnnxError> {
    let (weight, bias) = (g.weight(&format!("{name}.weight"))?, g.weight(&format!("{name}.bias"))?);
    let attributes = [Attribute::int("axis", -1), Attribute::float("epsilon", epsilon as f32)];
    Ok(g.node(name, "LayerNormalization", &[x, &weight, &bias], &attributes))
}

/// Separates or joins rows: `[batch · tokens, width]` ↔ `[batch, tokens, width]`.
pub(crate) fn reshape(g: &mut GraphBuilder, name: &str, x: &Value, shape: &Value) -> Value {
    g.node(name, "Reshape", &[x, shape], &[])
}

impl Blocks<'_> {
    /// # Shapes
    /// `[batch · tokens, width]` → `[batch · tokens, width]`
    pub(crate) fn apply(&self, g: &mut GraphBuilder, mut x: Value) -> Result<Value, OnnxError> {
        let prefix = match self.tower {
            Tower::Visual => "visual.transformer",
            Tower::Text => "transformer",
        };
        let scale = ((self.width / self.heads) as f64).sqrt().recip();
        let scale = g.constant(&format!("{prefix}.attention_scale"), &[], vec![scale as f32])?;
        for layer in 0..self.layers {
            let block = format!("{prefix}.resblocks.{layer}");
            x = self.sublayer(g, &block, layer, Site::Attn, x, &|g, x| self.attention(g, &block, x, &scale))?;
            x = self.sublayer(g, &block, layer, Site::Mlp, x, &|g, x| self.mlp(g, &block, x))?;
        }
        Ok(x)
    }

    /// `x + adapted(sublayer(norm(x)))`
    fn sublayer(
        &self,
        g: &mut GraphBuilder,
        block: &str,
        layer: usize,
        site: Site,
        x: Value,
        compute: &dyn Fn(&mut GraphBuilder, &Value) -> Result<Value, OnnxError>,
    ) -> Result<Value, OnnxError> {
        let (norm, name) = match site {
            Site::Attn => ("ln_1", "attn"),
            Site::Mlp => ("ln_2", "mlp"),
        };
        let input = layer_norm(g, &format!("{block}.{norm}"), &x, self.epsilon)?;
        let output = compute(g, &input)?;
        let output = self.adapted(g, Place { tower: self.tower, layer, site }, output)?;
        Ok(g.node(&format!("{block}.{name}.residual"), "Add", &[&x, &output], &[]))
    }

    fn attention(&self, g: &mut GraphBuilder, block: &str, x: &Value, scale: &Value) -> Result<Value, OnnxError> {
        let at = |part: &str| format!("{block}.attn.{part}");
        let (weight, bias) = (g.weight(&at("in_proj_weight"))?, g.weight(&at("in_proj_bias"))?);
        let packed = g.node(&at("in_proj"), "Gemm", &[x, &weight, &bias], &transposed(None));
        let width = self.width as i64;
        let sizes = g.ints(&[width, width, width]);
        let parts = [at("queries"), at("keys"), at("values")];
        let [queries, keys, values] =
            g.nodes(&at("split"), "Split", &[&packed, &sizes], &[Attribute::int("axis", 1)], parts);
        let queries = g.node(&at("scaled_queries"), "Mul", &[&queries, scale], &[]);
        // Keys are transposed for their product with the queries.
        let mut by_head = |part: &str, x: &Value, order: [i64; 4]| {
            let x = reshape(g, &at(&format!("{part}.split")), x, &self.split);
            g.node(&at(&format!("{part}.by_head")), "Transpose", &[&x], &[Attribute::ints("perm", &order)])
        };
        let queries = by_head("queries", &queries, [0, 2, 1, 3]);
        let keys = by_head("keys", &keys, [0, 2, 3, 1]);
        let values = by_head("values", &values, [0, 2, 1, 3]);
        let mut scores = g.node(&at("scores"), "MatMul", &[&queries, &keys], &[]);
        if let Some(mask) = &self.mask {
            scores = g.node(&at("masked_scores"), "Add", &[&scores, mask], &[]);
        }
        let shares = g.node(&at("softmax"), "Softmax", &[&scores], &[Attribute::int("axis", -1)]);
        let attended = g.node(&at("attended"), "MatMul", &[&shares, &values], &[]);
        let joined = g.node(&at("joined"), "Transpose", &[&attended], &[Attribute::ints("perm", &[0, 2, 1, 3])]);
        let rows = g.ints(&[-1, width]);
        let joined = reshape(g, &at("rows"), &joined, &rows);
        linear(g, &at("out_proj"), &joined)
    }

    fn mlp(&self, g: &mut GraphBuilder, block: &str, x: &Value) -> Result<Value, OnnxError> {
        let hidden = linear(g, &format!("{block}.mlp.c_fc"), x)?;
        let hidden = activated(g, &format!("{block}.mlp.activation"), &hidden, self.activation)?;
        linear(g, &format!("{block}.mlp.c_proj"), &hidden)
    }

    /// `y + α·s·F y` where there is an adapter in the graph.
    fn adapted(&self, g: &mut GraphBuilder, place: Place, y: Value) -> Result<Value, OnnxError> {
        let Some(Adapters { set, alpha }) = self.adapters else { return Ok(y) };
        let Some(weights) = set.get(place) else { return Ok(y) };
        let at = |part: &str| format!("adapters.{place}.{part}");
        let scale = transposed(weights.scale);
        let mapped = match &weights.map {
            MapWeights::Full(weight) => {
                let weight = g.tensor(&at("weight"), weight)?;
                g.node(&at("map"), "Gemm", &[&y, &weight], &scale)
            }
            MapWeights::Low { down, up } => {
                let (down, up) = (g.tensor(&at("down"), down)?, g.tensor(&at("up"), up)?);
                let inner = g.node(&at("inner"), "Gemm", &[&y, &down], &transposed(None));
                g.node(&at("map"), "Gemm", &[&inner, &up], &scale)
            }
        };
        let scaled = g.node(&at("scaled"), "Mul", &[&mapped, alpha], &[]);
        Ok(g.node(&at("output"), "Add", &[&y, &scaled], &[]))
    }
}

fn linear(g: &mut GraphBuilder, name: &str, x: &Value) -> Result<Value, OnnxError> {
    let (weight, bias) = (g.weight(&format!("{name}.weight"))?, g.weight(&format!("{name}.bias"))?);
    Ok(g.node(name, "Gemm", &[x, &weight, &bias], &transposed(None)))
}

/// `x·Φ(x)` with the error function, or `x·σ(1.702 x)`.
fn activated(g: &mut GraphBuilder, name: &str, x: &Value, activation: Activation) -> Result<Value, OnnxError> {
    match activation {
        Activation::QuickGelu => {
            let steepness = g.constant("quick_gelu.steepness", &[], vec![1.702])?;
            let steep = g.node(&format!("{name}.scaled"), "Mul", &[x, &steepness], &[]);
            let share = g.node(&format!("{name}.sigmoid"), "Sigmoid", &[&steep], &[]);
            Ok(g.node(name, "Mul", &[x, &share], &[]))
        }
        Activation::Gelu => {
            let root = g.constant("gelu.root_of_2", &[], vec![std::f32::consts::SQRT_2])?;
            let (one, half) = (g.constant("gelu.1", &[], vec![1.0])?, g.constant("gelu.half", &[], vec![0.5])?);
            let scaled = g.node(&format!("{name}.scaled"), "Div", &[x, &root], &[]);
            let erf = g.node(&format!("{name}.erf"), "Erf", &[&scaled], &[]);
            let twice = g.node(&format!("{name}.twice"), "Add", &[&erf, &one], &[]);
            let doubled = g.node(&format!("{name}.doubled"), "Mul", &[x, &twice], &[]);
            Ok(g.node(name, "Mul", &[&doubled, &half], &[]))
        }
    }
}
