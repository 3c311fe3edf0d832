//! Products of matrices whose sums are f32: of f32 by the library, of bfloat16 by the processor's matrix unit, or by the library where it
//! has none.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, bf16};
use rayon::prelude::*;

use super::buffer::{converted, fill, values};
use super::element::Value;
use super::elementwise::{gelu, quick_gelu};
use super::gemm::{Matrix, Target, multiply};
use super::lanes::{Piece, vectorised};
use super::packed::Side;
use super::unit::Units;
use super::unit::product::{Finish, Packed, Rows, Source, product as product_by_unit};
use crate::activation::Activation;
use crate::packed_weight::PackedWeight;

/// Rows of a matrix that are transposed together.
const TOGETHER: usize = 32;
/// Values that one thread takes at a time.
const PIECE: usize = 1 << 14;

/// The values of a tensor that is contiguous in memory.
#[derive(Clone, Copy)]
pub(super) enum Values<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
}

impl<'a> Values<'a> {
    pub(super) fn of(x: &'a FlexTensor) -> Self {
        match x.dtype() {
            DType::BF16 => Self::Bf16(values(x)),
            _ => Self::F32(values(x)),
        }
    }

    fn len(self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::Bf16(values) => values.len(),
        }
    }

    fn narrow(self) -> Cow<'a, [bf16]> {
        match self {
            Self::F32(values) => Cow::Owned(converted(values)),
            Self::Bf16(values) => Cow::Borrowed(values),
        }
    }
}

/// A matrix of values row by row, or its transpose.
#[derive(Clone, Copy)]
pub(super) struct Factor<'a> {
    values: Values<'a>,
    /// Of the values as they are.
    rows: usize,
    columns: usize,
    is_transposed: bool,
}

impl<'a> Factor<'a> {
    /// A tensor of two axes that is contiguous in memory.
    pub(super) fn of(x: &'a FlexTensor) -> Self {
        Self { values: Values::of(x), rows: x.shape()[0], columns: x.shape()[1], is_transposed: false }
    }

    pub(super) fn transposed(self) -> Self {
        Self { is_transposed: !self.is_transposed, ..self }
    }

    /// Rows and columns.
    pub(super) fn shape(self) -> [usize; 2] {
        if self.is_transposed { [self.columns, self.rows] } else { [self.rows, self.columns] }
    }

    fn matrix(self, values: &[f32]) -> Matrix<'_> {
        let plain = Matrix::new(values, self.rows, self.columns, self.columns);
        if self.is_transposed { plain.transposed() } else { plain }
    }

    fn packed(self) -> Packed {
        let [rows, columns] = self.shape();
        match (self.values, self.is_transposed) {
            (Values::F32(values), false) => Packed::of(rows, columns, Source::rows(values, self.columns)),
            (Values::F32(values), true) => Packed::of(rows, columns, Source::columns(values, self.columns)),
            (Values::Bf16(values), false) => Packed::of(rows, columns, Source::rows(values, self.columns)),
            (Values::Bf16(values), true) => Packed::of(rows, columns, Source::columns(values, self.columns)),
        }
    }
}

/// What is added to the rows of a product: rows, which are repeated if there are fewer.
#[derive(Clone, Copy)]
pub(super) struct Addend<'a> {
    values: Values<'a>,
    rows: usize,
}

impl<'a> Addend<'a> {
    /// A tensor of one axis or two that is contiguous in memory.
    pub(super) fn of(x: &'a FlexTensor) -> Self {
        Self { values: Values::of(x), rows: if x.shape().num_dims() == 1 { 1 } else { x.shape()[0] } }
    }

    /// Adds the elements of a row from `column` on.
    #[inline(always)]
    fn add(self, [row, column]: [usize; 2], columns: usize, sums: &mut [f32]) {
        let start = column + row % self.rows * columns;
        match self.values {
            Values::F32(values) => sums.iter_mut().zip(&values[start..]).for_each(|(sum, value)| *sum += value),
            Values::Bf16(values) => {
                sums.iter_mut().zip(&values[start..]).for_each(|(sum, value)| *sum += value.get());
            }
        }
    }
}

/// A product and what is done to it as it is written.
pub(super) struct Product<'a> {
    pub(super) left: Factor<'a>,
    pub(super) right: Factor<'a>,
    /// The right factor in the unit's order, and the side that it is used from, if it is a weight that is used again.
    pub(super) packed: Option<(&'a PackedWeight, &'a FlexTensor, Side)>,
    pub(super) addends: &'a [Addend<'a>],
    /// Applied to the sum, after it is rounded to the type of the result.
    pub(super) activation: Option<Activation>,
}

impl Product<'_> {
    /// The product of factors of which each is rounded to bfloat16, with sums in f32.
    ///
    /// # Shapes
    /// `[rows, inner]`, `[inner, columns]` → `[rows, columns]`
    pub(super) fn in_bf16<V: Value>(&self) -> Vec<V> {
        let ([_, inner], [other, columns]) = (self.left.shape(), self.right.shape());
        assert_eq!(inner, other, "factors that do not fit");
        for addend in self.addends {
            assert_eq!(addend.values.len(), addend.rows * columns, "an addend that does not fit");
        }
        match self.activation {
            None => self.finished_bf16(|x| x),
            Some(Activation::QuickGelu) => self.finished_bf16(quick_gelu),
            Some(Activation::Gelu) => self.finished_bf16(gelu),
        }
    }

    fn finished_bf16<V: Value>(&self, activate: impl Fn(f32) -> f32 + Copy + Send + Sync) -> Vec<V> {
        let [rows, columns] = [self.left.shape()[0], self.right.shape()[1]];
        let finish = Sum { addends: self.addends, columns, activate };
        match Units::found() {
            Ok(unit) => {
                let left = match self.left.is_transposed {
                    true => Cow::Owned(transposed(self.left)),
                    false => self.left.values.narrow(),
                };
                let [count, width] = self.left.shape();
                let left = Rows::new(&left, count, width, width);
                match self.packed {
                    Some((weight, tensor, side)) => {
                        let packed = weight.cache().get(tensor, side, || self.right.packed());
                        product_by_unit(unit, left, &packed, &finish)
                    }
                    None => product_by_unit(unit, left, &self.right.packed(), &finish),
                }
            }
            Err(_) => {
                let mut sums = vec![0.0_f32; rows * columns];
                let [left, right] = [self.left, self.right].map(|factor| rounded(factor.values));
                let target = Target { values: &mut sums, down: columns, add: false };
                multiply(target, self.left.matrix(&left), self.right.matrix(&right), 1.0, true);
                let piece = (PIECE / columns.max(1)).max(1) * columns.max(1);
                fill(sums.len(), piece, |start, out| {
                    vectorised(WriteRows { out, sums: &sums[start..], first: start / columns.max(1), finish: &finish });
                })
            }
        }
    }

    /// The product of factors of f32.
    ///
    /// # Shapes
    /// `[rows, inner]`, `[inner, columns]` → `[rows, columns]`
    pub(super) fn in_f32(&self) -> Vec<f32> {
        let [rows, columns] = [self.left.shape()[0], self.right.shape()[1]];
        let mut out: Vec<f32> = match self.addends {
            [] => vec![0.0; rows * columns],
            [first, rest @ ..] => fill(rows * columns, columns.max(1), |start, out| {
                let Values::F32(values) = first.values else { unreachable!("the caller has checked the types") };
                let from = start / columns % first.rows * columns;
                let out = out.write_copy_of_slice(&values[from..][..out.len()]);
                rest.iter().for_each(|addend| addend.add([start / columns, 0], columns, out));
            }),
        };
        self.multiply_f32(&mut out, !self.addends.is_empty());
        out
    }

    /// Adds the addends and the product of factors of f32 to what is there.
    pub(super) fn add_f32(&self, out: &mut [f32]) {
        let columns = self.right.shape()[1];
        if !self.addends.is_empty() {
            out.par_chunks_mut(columns.max(1)).enumerate().for_each(|(row, out)| {
                self.addends.iter().for_each(|addend| addend.add([row, 0], columns, out));
            });
        }
        self.multiply_f32(out, true);
    }

    fn multiply_f32(&self, out: &mut [f32], add: bool) {
        let columns = self.right.shape()[1];
        let [left, right] = [self.left, self.right].map(|factor| match factor.values {
            Values::F32(values) => factor.matrix(values),
            Values::Bf16(_) => unreachable!("the caller has checked the types"),
        });
        multiply(Target { values: out, down: columns, add }, left, right, 1.0, true);
    }
}

/// The values rounded to bfloat16, in f32.
fn rounded(values: Values<'_>) -> Vec<f32> {
    match values {
        Values::F32(values) => converted(&converted::<f32, bf16>(values)),
        Values::Bf16(values) => converted(values),
    }
}

/// Adds to a product, and applies an activation.
struct Sum<'a, F> {
    addends: &'a [Addend<'a>],
    columns: usize,
    activate: F,
}

impl<F: Fn(f32) -> f32 + Copy + Sync> Finish for Sum<'_, F> {
    #[inline(always)]
    fn write<V: Value>(&self, row: usize, column: usize, values: &[f32], out: &mut [MaybeUninit<V>]) {
        // As many as stay in registers.
        const WIDTH: usize = 32;
        for (index, (values, out)) in values.chunks(WIDTH).zip(out.chunks_mut(WIDTH)).enumerate() {
            let mut sums = [0.0_f32; WIDTH];
            let sums = &mut sums[..values.len()];
            sums.copy_from_slice(values);
            for addend in self.addends {
                addend.add([row, column + index * WIDTH], self.columns, sums);
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                out.write(V::of((self.activate)(V::of(*sum).get())));
            }
        }
    }
}

/// Finishes whole rows of sums.
struct WriteRows<'a, V, F> {
    out: &'a mut [MaybeUninit<V>],
    sums: &'a [f32],
    /// Index of the first row.
    first: usize,
    finish: &'a Sum<'a, F>,
}

impl<V: Value, F: Fn(f32) -> f32 + Copy + Sync> Piece for WriteRows<'_, V, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { out, sums, first, finish } = self;
        let columns = finish.columns.max(1);
        for (index, (out, sums)) in out.chunks_mut(columns).zip(sums.chunks(columns)).enumerate() {
            finish.write(first + index, 0, sums, out);
        }
    }
}

/// The values of a transposed factor row by row, in bfloat16.
fn transposed(factor: Factor<'_>) -> Vec<bf16> {
    let Factor { values, rows, columns, .. } = factor;
    match values {
        Values::F32(values) => transpose(values, rows, columns),
        Values::Bf16(values) => transpose(values, rows, columns),
    }
}

fn transpose<V: Value>(values: &[V], rows: usize, columns: usize) -> Vec<bf16> {
    let mut out = vec![bf16::ZERO; values.len()];
    out.par_chunks_mut((TOGETHER * rows).max(1)).enumerate().for_each(|(index, out)| {
        for row in 0..rows {
            let from = &values[row * columns + index * TOGETHER..(row + 1) * columns];
            for (column, value) in from.iter().take(TOGETHER).enumerate() {
                out[column * rows + row] = value.narrow();
            }
        }
    });
    out
}
