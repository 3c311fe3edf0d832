//! A slow interpreter of the operators that the graphs have, in f64, by ONNX's definitions.

use std::collections::HashMap;

use prost::Message;

use super::array::Array;
use crate::proto::{ElementType, Model, Node, Tensor};

/// Computes all values of a model that was written, by their names.
pub(crate) fn run(bytes: &[u8], inputs: &[(&str, Array)]) -> HashMap<String, Array> {
    let graph = Model::decode(bytes).expect("a model").graph.expect("a graph");
    let mut values: HashMap<String, Array> =
        graph.initializer.iter().map(|tensor| (tensor.name.clone(), constant(tensor))).collect();
    let declared: Vec<&str> = graph.input.iter().map(|input| input.name.as_str()).collect();
    let given: Vec<&str> = inputs.iter().map(|(name, _)| *name).collect();
    assert_eq!(declared, given);
    values.extend(inputs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    for node in &graph.node {
        let inputs: Vec<&Array> = node.input.iter().map(|name| &values[name]).collect();
        let outputs = apply(node, &inputs);
        assert_eq!(outputs.len(), node.output.len(), "{}", node.name);
        for (name, output) in node.output.iter().zip(outputs) {
            assert!(values.insert(name.clone(), output).is_none(), "{name} is computed twice");
        }
    }
    assert!(graph.output.iter().all(|output| values.contains_key(&output.name)));
    values
}

fn constant(tensor: &Tensor) -> Array {
    let bytes = tensor.raw_data.as_ref().expect("the data are in the file");
    let shape: Vec<usize> = tensor.dims.iter().map(|&axis| axis as usize).collect();
    let values = match tensor.data_type {
        element if element == ElementType::F32 as i32 => {
            bytes.as_chunks().0.iter().map(|&bytes| f64::from(f32::from_le_bytes(bytes))).collect()
        }
        element if element == ElementType::I64 as i32 => {
            bytes.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes) as f64).collect()
        }
        other => panic!("{}: type {other}", tensor.name),
    };
    Array::new(shape, values)
}

fn apply(node: &Node, x: &[&Array]) -> Vec<Array> {
    let attribute = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
    let int = |name: &str| attribute(name).and_then(|attribute| attribute.i);
    let ints = |name: &str| attribute(name).map(|attribute| attribute.ints.clone()).unwrap_or_default();
    let axis = || {
        let axis = int("axis").expect("an axis");
        if axis < 0 { x[0].shape.len() - axis.unsigned_abs() as usize } else { axis as usize }
    };
    let one = match node.op_type.as_str() {
        "Cast" => x[0].clone(),
        "Add" => x[0].zip(x[1], |a, b| a + b),
        "Sub" => x[0].zip(x[1], |a, b| a - b),
        "Mul" => x[0].zip(x[1], |a, b| a * b),
        "Div" => x[0].zip(x[1], |a, b| a / b),
        "Min" => x[0].zip(x[1], f64::min),
        "Max" => x[0].zip(x[1], f64::max),
        "Exp" => x[0].map(f64::exp),
        "Erf" => x[0].map(erf),
        "Sigmoid" => x[0].map(|x| 1.0 / (1.0 + (-x).exp())),
        "MatMul" => x[0].matmul(x[1]),
        "Gemm" => {
            assert_eq!(int("transB"), Some(1));
            let factor = attribute("alpha").and_then(|attribute| attribute.f).unwrap_or(1.0);
            let product = x[0].matmul(&x[1].transpose(&[1, 0])).map(|x| x * f64::from(factor));
            x.get(2).map_or(product.clone(), |bias| product.zip(bias, |a, b| a + b))
        }
        "Softmax" => {
            assert_eq!(int("axis"), Some(-1));
            x[0].rows(softmax)
        }
        "LayerNormalization" => {
            assert_eq!(int("axis"), Some(-1));
            let epsilon = f64::from(attribute("epsilon").and_then(|attribute| attribute.f).expect("an epsilon"));
            x[0].rows(|row| standardized(row, epsilon)).zip(x[1], |a, b| a * b).zip(x[2], |a, b| a + b)
        }
        "ReduceL2" => {
            assert_eq!((x[1].ints(), int("keepdims")), (vec![-1], Some(1)));
            x[0].rows(|row| vec![row.iter().map(|x| x * x).sum::<f64>().sqrt()])
        }
        "ArgMax" => {
            assert_eq!((int("axis"), int("keepdims"), int("select_last_index")), (Some(1), Some(1), Some(0)));
            x[0].rows(
                |row| vec![(0..row.len()).rev().max_by(|&i, &j| row[i].total_cmp(&row[j])).expect("a row") as f64],
            )
        }
        "Reshape" => x[0].reshape(&x[1].ints()),
        "Transpose" => x[0].transpose(&ints("perm").iter().map(|&axis| axis as usize).collect::<Vec<_>>()),
        "Expand" => x[0].expand(&x[1].ints().iter().map(|&n| n as usize).collect::<Vec<_>>()),
        "Concat" => Array::concat(x, axis()),
        "Shape" => {
            let (start, end) = (int("start").expect("a start") as usize, int("end").expect("an end") as usize);
            let axes = &x[0].shape[start..end];
            Array::new([axes.len()], axes.iter().map(|&n| n as f64).collect())
        }
        "Slice" => {
            let bounds = x[1].ints().into_iter().zip(x[2].ints()).zip(x[3].ints());
            bounds.fold(x[0].clone(), |x, ((start, end), axis)| {
                x.narrow(axis as usize, start as usize, (end - start) as usize)
            })
        }
        "Unsqueeze" => {
            let mut shape: Vec<i64> = x[0].shape.iter().map(|&n| n as i64).collect();
            x[1].ints().iter().for_each(|&axis| shape.insert(axis as usize, 1));
            x[0].reshape(&shape)
        }
        "Split" => {
            let (axis, mut start) = (axis(), 0);
            let part = |len: i64| {
                start += len as usize;
                x[0].narrow(axis, start - len as usize, len as usize)
            };
            return x[1].ints().into_iter().map(part).collect();
        }
        "Gather" => gather(x[0], x[1], axis()),
        "GatherND" => {
            assert_eq!((int("batch_dims"), x[1].shape[1]), (Some(1), 1));
            let samples = x[1].ints().into_iter().enumerate();
            let rows: Vec<Array> =
                samples.map(|(sample, at)| x[0].narrow(0, sample, 1).narrow(1, at as usize, 1)).collect();
            Array::concat(&rows.iter().collect::<Vec<_>>(), 0).reshape(&[rows.len() as i64, -1])
        }
        "Conv" => {
            let size = ints("kernel_shape")[0] as usize;
            assert_eq!(ints("strides"), ints("kernel_shape"));
            patches(x[0], x[1], size)
        }
        other => panic!("{}: an operator {other}", node.name),
    };
    vec![one]
}

fn softmax(row: &[f64]) -> Vec<f64> {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = row.iter().map(|x| (x - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|x| x / sum).collect()
}

fn standardized(row: &[f64], epsilon: f64) -> Vec<f64> {
    let mean = row.iter().sum::<f64>() / row.len() as f64;
    let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / row.len() as f64;
    row.iter().map(|x| (x - mean) / (variance + epsilon).sqrt()).collect()
}

/// `2/√π · Σ (−1)ⁿ x²ⁿ⁺¹ / (n! (2n + 1))`
fn erf(x: f64) -> f64 {
    if x.abs() > 4.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..100 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

fn gather(x: &Array, at: &Array, axis: usize) -> Array {
    let parts: Vec<Array> = at.ints().into_iter().map(|i| x.narrow(axis, i as usize, 1)).collect();
    let joined = Array::concat(&parts.iter().collect::<Vec<_>>(), axis);
    let shape: Vec<i64> =
        [&x.shape[..axis], &at.shape, &x.shape[axis + 1..]].concat().iter().map(|&n| n as i64).collect();
    joined.reshape(&shape)
}

/// A convolution of squares that do not overlap: `[batch, 3, side, side]`, filters `[width, 3, size, size]` →
/// `[batch, width, side / size, side / size]`.
fn patches(x: &Array, filters: &Array, size: usize) -> Array {
    let [batch, channels, side, _] = x.shape[..] else { panic!("{:?}", x.shape) };
    let (grid, width) = ((side / size) as i64, filters.shape[0] as i64);
    let area = (channels * size * size) as i64;
    let cut = x.reshape(&[batch as i64, channels as i64, grid, size as i64, grid, size as i64]);
    let cut = cut.transpose(&[0, 2, 4, 1, 3, 5]).reshape(&[-1, area]);
    let maps = cut.matmul(&filters.reshape(&[width, area]).transpose(&[1, 0]));
    maps.reshape(&[batch as i64, grid, grid, width]).transpose(&[0, 3, 1, 2])
}
