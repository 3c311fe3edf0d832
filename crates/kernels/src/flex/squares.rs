use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::buffer::{contiguous, tensor, values};
use super::lanes::{Piece, vectorised};

/// Values of one sum.
const PIECE: usize = 1 << 14;
/// Sums side by side.
const LANES: usize = 8;

/// The sums of the squares of each 16,384 values, added in f64.
///
/// # Shapes
/// `[count]` → `[⌈count / 16384⌉]`
pub(super) fn sums(x: FlexTensor) -> FlexTensor {
    let x = contiguous(x);
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
