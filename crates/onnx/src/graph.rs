//! A graph while it is built: nodes, weights and constants by name.

use std::collections::BTreeSet;

use prost::bytes::Bytes;
use radapter_clip::state_dict::{RawTensor, StateDict, StoredDtype, TensorError};

use crate::proto::{self, Attribute, ElementType};
use crate::{OnnxDtype, OnnxError};

/// A tensor in a graph, by its name: an input, a weight, a constant or a node's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value(String);

/// An axis of an input or output.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Axis {
    Fixed(usize),
    /// Chosen with each run, under this name.
    Any(&'static str),
}

/// A graph while it is built. Weights are taken from a model's tensors as nodes ask for them, and keep their names and layouts.
pub(crate) struct GraphBuilder<'a> {
    weights: &'a StateDict,
    dtype: OnnxDtype,
    graph: proto::Graph,
    /// Names of the initializers that are there.
    known: BTreeSet<String>,
}

/// Hands a tensor's bytes to protobuf without a copy.
struct Shared(RawTensor);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl<'a> GraphBuilder<'a> {
    /// Starts a graph whose weights are `weights`, stored in `dtype`.
    pub(crate) fn new(name: &str, weights: &'a StateDict, dtype: OnnxDtype) -> Self {
        let graph = proto::Graph { name: name.to_owned(), ..proto::Graph::default() };
        Self { weights, dtype, graph, known: BTreeSet::new() }
    }

    /// Returns the type of weights and activations.
    pub(crate) fn dtype(&self) -> OnnxDtype {
        self.dtype
    }

    /// Returns the finished graph.
    pub(crate) fn finish(self) -> proto::Graph {
        self.graph
    }

    /// Adds an input.
    pub(crate) fn input(&mut self, name: &str, element: ElementType, axes: &[Axis]) -> Value {
        self.graph.input.push(value_info(name, element, axes));
        Value(name.to_owned())
    }

    /// Adds an input of f32 and converts it to the graph's type.
    pub(crate) fn float_input(&mut self, name: &str, axes: &[Axis]) -> Value {
        let input = self.input(name, ElementType::F32, axes);
        match self.dtype {
            OnnxDtype::F32 => input,
            OnnxDtype::F16 => self.cast(&format!("{name}/cast"), &input, ElementType::F16),
        }
    }

    /// Makes a value of f32 an output, under its name.
    pub(crate) fn output(&mut self, value: &Value, axes: &[Axis]) {
        self.graph.output.push(value_info(&value.0, ElementType::F32, axes));
    }

    /// Converts a value to the graph's type.
    pub(crate) fn in_graph_type(&mut self, name: &str, value: &Value) -> Value {
        self.cast(name, value, element_type(self.dtype.stored()))
    }

    pub(crate) fn cast(&mut self, name: &str, value: &Value, element: ElementType) -> Value {
        self.node(name, "Cast", &[value], &[Attribute::int("to", element as i64)])
    }

    /// Adds a node of the graph's type, whose output is converted to f32.
    pub(crate) fn node_f32(&mut self, name: &str, op: &str, inputs: &[&Value]) -> Value {
        match self.dtype {
            OnnxDtype::F32 => self.node(name, op, inputs, &[]),
            OnnxDtype::F16 => {
                let short = self.node(&format!("{name}/{op}"), op, inputs, &[]);
                self.cast(name, &short, ElementType::F32)
            }
        }
    }

    /// Adds a node of one output. Names of nodes are paths, unique in the graph; the output has the node's name.
    pub(crate) fn node(&mut self, name: &str, op: &str, inputs: &[&Value], attributes: &[Attribute]) -> Value {
        let [output] = self.nodes(name, op, inputs, attributes, [name.to_owned()]);
        output
    }

    /// Adds a node of several outputs.
    pub(crate) fn nodes<const N: usize>(
        &mut self,
        name: &str,
        op: &str,
        inputs: &[&Value],
        attributes: &[Attribute],
        outputs: [String; N],
    ) -> [Value; N] {
        self.graph.node.push(proto::Node {
            input: inputs.iter().map(|value| value.0.clone()).collect(),
            output: outputs.to_vec(),
            name: name.to_owned(),
            op_type: op.to_owned(),
            attribute: attributes.to_vec(),
        });
        outputs.map(Value)
    }

    /// A weight of the model.
    pub(crate) fn weight(&mut self, name: &str) -> Result<Value, OnnxError> {
        let weights = self.weights;
        let tensor = weights.get(name).ok_or_else(|| TensorError::Missing { name: name.to_owned() })?;
        self.tensor(name, tensor)
    }

    /// A constant of the graph's type.
    pub(crate) fn constant(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<Value, OnnxError> {
        self.tensor(name, &RawTensor::from_f32(shape, values))
    }

    /// A tensor, stored in the graph's type.
    pub(crate) fn tensor(&mut self, name: &str, tensor: &RawTensor) -> Result<Value, OnnxError> {
        let tensor = tensor.cast(self.dtype.stored()).map_err(|error| error.named(name))?;
        Ok(self.initializer(name, &tensor))
    }

    /// A constant of f32, whatever the graph's type is.
    pub(crate) fn constant_f32(&mut self, name: &str, tensor: &RawTensor) -> Value {
        self.initializer(name, tensor)
    }

    /// A list of integers, such as a shape or axes.
    pub(crate) fn ints(&mut self, values: &[i64]) -> Value {
        let words: Vec<String> = values.iter().map(ToString::to_string).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.push(&format!("ints/{}", words.join(",")), ElementType::I64, &[values.len()], bytes.into())
    }

    /// A single integer without axes.
    pub(crate) fn int(&mut self, value: i64) -> Value {
        self.push(&format!("int/{value}"), ElementType::I64, &[], value.to_le_bytes().to_vec().into())
    }

    fn initializer(&mut self, name: &str, tensor: &RawTensor) -> Value {
        let element = element_type(tensor.dtype());
        self.push(name, element, tensor.shape(), Bytes::from_owner(Shared(tensor.clone())))
    }

    fn push(&mut self, name: &str, element: ElementType, shape: &[usize], bytes: Bytes) -> Value {
        if self.known.insert(name.to_owned()) {
            self.graph.initializer.push(proto::Tensor {
                dims: shape.iter().map(|&axis| axis as i64).collect(),
                data_type: element as i32,
                name: name.to_owned(),
                raw_data: Some(bytes),
                ..proto::Tensor::default()
            });
        }
        Value(name.to_owned())
    }
}

fn element_type(dtype: StoredDtype) -> ElementType {
    match dtype {
        StoredDtype::F32 => ElementType::F32,
        StoredDtype::F16 => ElementType::F16,
        StoredDtype::BF16 => ElementType::BF16,
    }
}

fn value_info(name: &str, element: ElementType, axes: &[Axis]) -> proto::ValueInfo {
    let dimension = |axis: &Axis| match *axis {
        Axis::Fixed(length) => proto::Dimension { dim_value: Some(length as i64), dim_param: None },
        Axis::Any(name) => proto::Dimension { dim_value: None, dim_param: Some(name.to_owned()) },
    };
    let shape = Some(proto::Shape { dim: axes.iter().map(dimension).collect() });
    let tensor_type = Some(proto::TensorType { elem_type: element as i32, shape });
    proto::ValueInfo { name: name.to_owned(), r#type: Some(proto::Type { tensor_type }) }
}
