//! The optimizer's step as one pass over parameters, gradients, moments and averages.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::buffer::{contiguous, owned, tensor, values};
use super::lanes::{Piece, vectorised};
use crate::arguments::AdamW;

/// Values that one thread takes at a time.
const PIECE: usize = 1 << 14;

impl AdamW {
    /// Updates one parameter and its moments.
    #[inline(always)]
    fn one(&self, parameter: &mut f32, gradient: f32, first: &mut f32, second: &mut f32) {
        let gradient = gradient * self.gradient_factor;
        *first = self.betas[0] * *first + self.complements[0] * gradient;
        *second = self.betas[1] * *second + self.complements[1] * gradient * gradient;
        let deviation = (*second / self.second_correction).sqrt() + self.epsilon;
        *parameter = *parameter * self.decay - self.rate * (*first / self.first_correction) / deviation;
    }
}

/// Tensors of one length, as values that may be overwritten: in place if they are not shared.
fn writable(x: FlexTensor) -> FlexTensor {
    let mut x = contiguous::<f32>(x);
    if owned::<f32>(&mut x).is_some() { x } else { tensor(values::<f32>(&x).to_vec(), x.shape()) }
}

fn values_mut(x: &mut FlexTensor) -> &mut [f32] {
    owned(x).expect("made writable")
}

pub(super) fn step(
    parameter: FlexTensor,
    gradient: FlexTensor,
    first: FlexTensor,
    second: FlexTensor,
    settings: AdamW,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    let [mut parameter, mut first, mut second] = [parameter, first, second].map(writable);
    let gradient = contiguous::<f32>(gradient);
    let pieces = values_mut(&mut parameter).par_chunks_mut(PIECE).zip(values::<f32>(&gradient).par_chunks(PIECE));
    let moments = values_mut(&mut first).par_chunks_mut(PIECE).zip(values_mut(&mut second).par_chunks_mut(PIECE));
    pieces.zip(moments).for_each(|((parameter, gradient), (first, second))| {
        vectorised(Update { parameter, gradient, first, second, settings });
    });
    (parameter, first, second)
}

struct Update<'a> {
    parameter: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    settings: AdamW,
}

impl Piece for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { parameter, gradient, first, second, settings } = self;
        let moments = first.iter_mut().zip(second);
        for ((parameter, gradient), (first, second)) in parameter.iter_mut().zip(gradient).zip(moments) {
            settings.one(parameter, *gradient, first, second);
        }
    }
}

struct Blend<'a> {
    average: &'a mut [f32],
    parameter: &'a [f32],
    weights: [f32; 2],
}

impl Piece for Blend<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { average, parameter, weights } = self;
        let [m, complement] = weights;
        average.iter_mut().zip(parameter).for_each(|(average, value)| *average = m * *average + complement * *value);
    }
}

/// As [`step`], and `average ← m·average + (1 − m)·parameter` in the same pass.
pub(super) fn step_averaged(
    parameter: FlexTensor,
    gradient: FlexTensor,
    first: FlexTensor,
    second: FlexTensor,
    average: FlexTensor,
    settings: AdamW,
    weights: [f32; 2],
) -> (FlexTensor, FlexTensor, FlexTensor, FlexTensor) {
    let [mut parameter, mut first, mut second, mut average] = [parameter, first, second, average].map(writable);
    let gradient = contiguous::<f32>(gradient);
    let pieces = values_mut(&mut parameter).par_chunks_mut(PIECE).zip(values::<f32>(&gradient).par_chunks(PIECE));
    let moments = values_mut(&mut first).par_chunks_mut(PIECE).zip(values_mut(&mut second).par_chunks_mut(PIECE));
    let averages = values_mut(&mut average).par_chunks_mut(PIECE);
    pieces.zip(moments).zip(averages).for_each(|(((parameter, gradient), (first, second)), average)| {
        vectorised(Update { parameter: &mut *parameter, gradient, first, second, settings });
        vectorised(Blend { average, parameter, weights });
    });
    (parameter, first, second, average)
}

/// Partial sums side by side.
const LANES: usize = 8;

/// The sums of the squares of each 16,384 values, added in f64.
///
/// # Shapes
/// `[count]` → `[⌈count / 16384⌉]`
pub(super) fn square_sums(x: FlexTensor) -> FlexTensor {
    let x = contiguous::<f32>(x);
    let sums: Vec<f32> = values(&x).par_chunks(PIECE).map(|piece| vectorised(Squares(piece))).collect();
    let count = sums.len();
    tensor(sums, [count])
}

struct Squares<'a>(&'a [f32]);

impl Piece for Squares<'_> {
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        let mut sums = [0.0_f64; LANES];
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        for chunk in chunks.iter().map(|chunk| &chunk[..]).chain([rest]) {
            sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += f64::from(*value) * f64::from(*value));
        }
        sums.iter().sum::<f64>() as f32
    }
}
