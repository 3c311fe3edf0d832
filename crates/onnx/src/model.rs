//! The models of an export: inputs, towers, outputs.

use radapter_adapter::AdapterSet;
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::config::ClipConfig;
use radapter_clip::state_dict::{RawTensor, StoredDtype, TensorError};

use crate::block::Adapters;
use crate::graph::{Axis, GraphBuilder, Value};
use crate::image_tower::image_tower;
use crate::proto::{self, Attribute, ElementType};
use crate::text_tower::text_tower;
use crate::{Layout, OnnxError, OnnxFile, OnnxOptions};

/// The name of the input α.
const ALPHA: &str = "alpha";
/// The divisor of shorter embeddings, as torch's `normalize` has it.
const SHORTEST: f32 = 1e-12;

/// Builds the models of an export.
///
/// With `adapters`, those of the model, they stay in the graph, and each model has a scalar input `alpha` which multiplies them:
/// `y + α·s·F y` after each sublayer.
///
/// # Errors
/// [`OnnxError::Adapters`] for adapters of another model, [`OnnxError::Tensor`] for a value that f16 does not hold.
pub fn models(
    checkpoint: &Checkpoint,
    adapters: Option<&AdapterSet>,
    options: &OnnxOptions,
) -> Result<Vec<OnnxFile>, OnnxError> {
    if let Some(adapters) = adapters {
        adapters.check_fits(&checkpoint.config)?;
    }
    let export = Export { checkpoint, adapters, options };
    match options.layout {
        Layout::Towers => Ok(vec![export.vision()?, export.text()?]),
        Layout::Single => Ok(vec![export.single()?]),
    }
}

struct Export<'a> {
    checkpoint: &'a Checkpoint,
    adapters: Option<&'a AdapterSet>,
    options: &'a OnnxOptions,
}

impl Export<'_> {
    fn vision(&self) -> Result<OnnxFile, OnnxError> {
        let (mut g, config) = self.graph("vision_model");
        let pixels = pixels(&mut g, config, Axis::Any("batch_size"));
        let adapters = self.alpha(&mut g);
        let embeddings = image_tower(&mut g, config, &pixels, adapters.as_ref(), "image_embeds")?;
        g.output(&embeddings, &[Axis::Any("batch_size"), Axis::Fixed(config.embed_dim)]);
        Ok(self.file("vision_model", g))
    }

    fn text(&self) -> Result<OnnxFile, OnnxError> {
        let (mut g, config) = self.graph("text_model");
        let ids = texts(&mut g, "input_ids", "batch_size");
        let adapters = self.alpha(&mut g);
        let embeddings = text_tower(&mut g, config, &ids, None, adapters.as_ref(), "text_embeds")?;
        g.output(&embeddings, &[Axis::Any("batch_size"), Axis::Fixed(config.embed_dim)]);
        Ok(self.file("text_model", g))
    }

    /// Both towers, and `exp(logit_scale)` times the cosines of all pairs.
    fn single(&self) -> Result<OnnxFile, OnnxError> {
        let (texts_axis, images_axis) = (Axis::Any("text_batch_size"), Axis::Any("image_batch_size"));
        let (mut g, config) = self.graph("model");
        let ids = texts(&mut g, "input_ids", "text_batch_size");
        let pixels = pixels(&mut g, config, images_axis);
        let seen = texts(&mut g, "attention_mask", "text_batch_size");
        let adapters = self.alpha(&mut g);
        let images = image_tower(&mut g, config, &pixels, adapters.as_ref(), "visual.embeddings")?;
        let texts = text_tower(&mut g, config, &ids, Some(&seen), adapters.as_ref(), "text.embeddings")?;
        let images = normalized(&mut g, "image_embeds", &images);
        let texts = normalized(&mut g, "text_embeds", &texts);

        let missing = || TensorError::Missing { name: "logit_scale".to_owned() };
        let scale = self.checkpoint.state.get("logit_scale").ok_or_else(missing)?.cast(StoredDtype::F32)?;
        let scale = g.constant_f32("logit_scale", &scale);
        let scale = g.node("logit_scale.exp", "Exp", &[&scale], &[]);
        let flip = [Attribute::ints("perm", &[1, 0])];
        let columns = g.node("image_embeds.transposed", "Transpose", &[&images], &flip);
        let cosines = g.node("cosines", "MatMul", &[&texts, &columns], &[]);
        let per_text = g.node("logits_per_text", "Mul", &[&cosines, &scale], &[]);
        let per_image = g.node("logits_per_image", "Transpose", &[&per_text], &flip);
        g.output(&per_image, &[images_axis, texts_axis]);
        g.output(&per_text, &[texts_axis, images_axis]);
        g.output(&texts, &[texts_axis, Axis::Fixed(config.embed_dim)]);
        g.output(&images, &[images_axis, Axis::Fixed(config.embed_dim)]);
        Ok(self.file("model", g))
    }

    fn graph(&self, name: &str) -> (GraphBuilder<'_>, &ClipConfig) {
        let Checkpoint { state, config, .. } = self.checkpoint;
        (GraphBuilder::new(name, state, self.options.dtype), config)
    }

    /// The adapters that stay in the graph, with the input that multiplies them.
    fn alpha(&self, g: &mut GraphBuilder) -> Option<Adapters<'_>> {
        self.adapters.map(|set| Adapters { set, alpha: g.float_input(ALPHA, &[]) })
    }

    fn file(&self, stem: &str, g: GraphBuilder) -> OnnxFile {
        let OnnxOptions { opset, dtype, most_bytes, .. } = *self.options;
        let model = proto::Model {
            ir_version: opset.ir_version(),
            producer_name: "radapter".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(g.finish()),
            opset_import: vec![proto::OperatorSet { version: opset.version() }],
        };
        OnnxFile::new(format!("{stem}{}.onnx", dtype.suffix()), model, most_bytes)
    }
}

fn pixels(g: &mut GraphBuilder, config: &ClipConfig, batch: Axis) -> Value {
    let side = Axis::Fixed(config.vision.image_size);
    g.float_input("pixel_values", &[batch, Axis::Fixed(3), side, side])
}

fn texts(g: &mut GraphBuilder, name: &str, batch: &'static str) -> Value {
    g.input(name, ElementType::I64, &[Axis::Any(batch), Axis::Any("sequence_length")])
}

/// Scales each row to length 1.
fn normalized(g: &mut GraphBuilder, name: &str, x: &Value) -> Value {
    let last = g.ints(&[-1]);
    let length = g.node(&format!("{name}.norm"), "ReduceL2", &[x, &last], &[Attribute::int("keepdims", 1)]);
    let shortest = g.constant_f32("shortest_norm", &RawTensor::from_f32([], vec![SHORTEST]));
    let length = g.node(&format!("{name}.length"), "Max", &[&length, &shortest], &[]);
    g.node(name, "Div", &[x, &length], &[])
}
