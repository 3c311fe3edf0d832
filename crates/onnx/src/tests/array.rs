//! Arrays of numbers in row-major order, and the operations on them that the interpreter needs.

/// Values of any element type, with their axes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

/// Distances between neighbours along each axis.
fn strides(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect()
}

/// All index tuples of a shape, in order.
fn indices(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    let (shape, strides) = (shape.to_vec(), strides(shape));
    (0..shape.iter().product()).map(move |at: usize| (0..shape.len()).map(|i| at / strides[i] % shape[i]).collect())
}

impl Array {
    pub(crate) fn new(shape: impl Into<Vec<usize>>, values: Vec<f64>) -> Self {
        let shape = shape.into();
        assert_eq!(shape.iter().product::<usize>(), values.len(), "{shape:?}");
        Self { shape, values }
    }

    pub(crate) fn of_f32(shape: impl Into<Vec<usize>>, values: &[f32]) -> Self {
        Self::new(shape, values.iter().map(|&value| f64::from(value)).collect())
    }

    /// The values as integers.
    pub(crate) fn ints(&self) -> Vec<i64> {
        self.values.iter().map(|&value| value as i64).collect()
    }

    fn at(&self, index: &[usize]) -> f64 {
        self.values[index.iter().zip(strides(&self.shape)).map(|(i, stride)| i * stride).sum::<usize>()]
    }

    /// An array whose values are those of this one at the index that `from` gives.
    fn select(&self, shape: Vec<usize>, from: impl Fn(&[usize]) -> Vec<usize>) -> Self {
        let values = indices(&shape).map(|index| self.at(&from(&index))).collect();
        Self { shape, values }
    }

    pub(crate) fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { shape: self.shape.clone(), values: self.values.iter().map(|&value| f(value)).collect() }
    }

    /// Repeats axes of length 1, and adds leading ones.
    pub(crate) fn expand(&self, shape: &[usize]) -> Self {
        let added = shape.len() - self.shape.len();
        let own = |index: &[usize]| {
            let own = index[added..].iter().zip(&self.shape);
            own.map(|(&i, &length)| if length == 1 { 0 } else { i }).collect()
        };
        self.select(shape.to_vec(), own)
    }

    pub(crate) fn zip(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let rank = self.shape.len().max(other.shape.len());
        let length =
            |array: &Self, axis: usize| (axis + array.shape.len()).checked_sub(rank).map_or(1, |i| array.shape[i]);
        let shape: Vec<usize> = (0..rank).map(|axis| length(self, axis).max(length(other, axis))).collect();
        let (a, b) = (self.expand(&shape), other.expand(&shape));
        Self { values: a.values.iter().zip(&b.values).map(|(&a, &b)| f(a, b)).collect(), shape }
    }

    pub(crate) fn transpose(&self, order: &[usize]) -> Self {
        let shape = order.iter().map(|&axis| self.shape[axis]).collect();
        self.select(shape, |index| {
            let mut own = vec![0; index.len()];
            order.iter().zip(index).for_each(|(&axis, &i)| own[axis] = i);
            own
        })
    }

    /// `len` entries of an axis from `start` on.
    pub(crate) fn narrow(&self, axis: usize, start: usize, len: usize) -> Self {
        let mut shape = self.shape.clone();
        assert!(start + len <= shape[axis], "{start} + {len} of {shape:?}");
        shape[axis] = len;
        self.select(shape, |index| {
            let mut own = index.to_vec();
            own[axis] += start;
            own
        })
    }

    pub(crate) fn concat(parts: &[&Self], axis: usize) -> Self {
        let mut shape = parts[0].shape.clone();
        shape[axis] = parts.iter().map(|part| part.shape[axis]).sum();
        let values = indices(&shape).map(|mut index| {
            let mut parts = parts.iter();
            let mut part = parts.next().expect("there is one");
            while index[axis] >= part.shape[axis] {
                index[axis] -= part.shape[axis];
                part = parts.next().expect("the axis is as long as its parts");
            }
            part.at(&index)
        });
        Self { values: values.collect(), shape }
    }

    /// `-1` is the rest, `0` the same axis of this array.
    pub(crate) fn reshape(&self, shape: &[i64]) -> Self {
        let mut shape: Vec<i64> =
            shape.iter().enumerate().map(|(axis, &n)| if n == 0 { self.shape[axis] as i64 } else { n }).collect();
        let known: i64 = shape.iter().filter(|&&n| n > 0).product();
        shape.iter_mut().filter(|n| **n == -1).for_each(|n| *n = self.values.len() as i64 / known);
        Self::new(shape.iter().map(|&n| n as usize).collect::<Vec<_>>(), self.values.clone())
    }

    /// Replaces each row of the last axis.
    pub(crate) fn rows(&self, f: impl Fn(&[f64]) -> Vec<f64>) -> Self {
        let width = *self.shape.last().expect("an axis");
        let values: Vec<f64> = self.values.chunks(width).flat_map(f).collect();
        let mut shape = self.shape.clone();
        *shape.last_mut().expect("an axis") = values.len() / (self.values.len() / width);
        Self::new(shape, values)
    }

    /// The product of matrices, of which there may be several.
    pub(crate) fn matmul(&self, other: &Self) -> Self {
        let (rank, columns) = (self.shape.len(), other.shape[other.shape.len() - 1]);
        let (rows, inner) = (self.shape[rank - 2], self.shape[rank - 1]);
        assert_eq!(other.shape[other.shape.len() - 2], inner);
        let mut shape = self.shape.clone();
        shape[rank - 1] = columns;
        let mut values = Vec::new();
        for (a, b) in self.values.chunks(rows * inner).zip(other.values.chunks(inner * columns)) {
            for row in a.chunks(inner) {
                values.extend(
                    (0..columns).map(|j| row.iter().enumerate().map(|(k, x)| x * b[k * columns + j]).sum::<f64>()),
                );
            }
        }
        Self::new(shape, values)
    }
}
