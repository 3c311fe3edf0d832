//! Attention of all heads on packed queries, keys and values. Scores are in a scratch buffer of one head at a time, and
//! the backward pass recomputes them from the packed input alone.

mod library;
mod softmax;
mod unit;

use std::mem::MaybeUninit;

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, bf16};

use super::buffer::{contiguous, fill, tensor, values};
use super::element::Value;
use super::unit::Units;
use crate::arguments::Heads;

/// The sizes of one call.
#[derive(Clone, Copy)]
struct Sizes {
    tokens: usize,
    heads: usize,
    /// Width of all heads together.
    width: usize,
    causal: bool,
    /// Whether a product uses all cores: with fewer samples than cores.
    spread: bool,
}

impl Sizes {
    fn of(packed: &FlexTensor, heads: Heads) -> Self {
        let width = packed.shape()[1] / 3;
        let spread = packed.shape()[0] / heads.tokens < rayon::current_num_threads();
        Self { tokens: heads.tokens, heads: heads.count, width, causal: heads.causal, spread }
    }

    fn head_width(self) -> usize {
        self.width / self.heads
    }

    fn factor(self) -> f32 {
        1.0 / (self.head_width() as f32).sqrt()
    }

    /// Where queries (0), keys (1) or values (2) of a head start in a packed row.
    fn offset(self, part: usize, head: usize) -> usize {
        part * self.width + head * self.head_width()
    }

    /// Positions that a query attends to.
    fn seen(self, query: usize) -> usize {
        if self.causal { query + 1 } else { self.tokens }
    }
}

/// # Shapes
/// `packed`: `[batch · tokens, 3 · width]` → `[batch · tokens, width]`
pub(super) fn forward(packed: FlexTensor, heads: Heads) -> FlexTensor {
    match (packed.dtype(), Units::found()) {
        (DType::BF16, Ok(unit)) => by_sample(packed, heads, |sizes, packed: &[bf16], out: &mut [_]| {
            unit::Scratch::new(sizes).attend(unit, packed, out);
        }),
        (DType::BF16, Err(_)) => by_sample(packed, heads, library::attend::<bf16>),
        _ => by_sample(packed, heads, library::attend::<f32>),
    }
}

/// The attention of each sample.
fn by_sample<V: Value>(
    packed: FlexTensor,
    heads: Heads,
    attend: impl Fn(Sizes, &[V], &mut [MaybeUninit<V>]) + Sync,
) -> FlexTensor {
    let packed = contiguous::<V>(packed);
    let sizes = Sizes::of(&packed, heads);
    let Sizes { tokens, width, .. } = sizes;
    let (rows, from) = (packed.shape()[0], values::<V>(&packed));
    let out: Vec<V> = fill(rows * width, tokens * width, |start, out| {
        attend(sizes, &from[3 * start..3 * (start + out.len())], out);
    });
    tensor(out, [rows, width])
}

/// The gradient of the packed input: with `P` the probabilities and `G` the gradient of a head's output, `dV = Pᵀ G`,
/// `dP = G Vᵀ`, `dS = P · (dP − rowsum(P · dP))`, `dQ = dS K/√d`, `dK = dSᵀ Q/√d`.
pub(super) fn backward(packed: FlexTensor, gradient: FlexTensor, heads: Heads) -> FlexTensor {
    match (packed.dtype(), Units::found()) {
        (DType::BF16, Ok(unit)) => {
            slopes_by_sample(packed, gradient, heads, |sizes, packed: &[bf16], gradient: &[bf16], out: &mut [_]| {
                unit::Scratch::new(sizes).slopes(unit, packed, gradient, out);
            })
        }
        (DType::BF16, Err(_)) => slopes_by_sample(packed, gradient, heads, library::slopes::<bf16>),
        _ => slopes_by_sample(packed, gradient, heads, library::slopes::<f32>),
    }
}

/// The gradient of each sample's packed input.
fn slopes_by_sample<V: Value>(
    packed: FlexTensor,
    gradient: FlexTensor,
    heads: Heads,
    slopes: impl Fn(Sizes, &[V], &[V], &mut [MaybeUninit<V>]) + Sync,
) -> FlexTensor {
    let [packed, gradient] = [packed, gradient].map(contiguous::<V>);
    let sizes = Sizes::of(&packed, heads);
    let Sizes { tokens, width, .. } = sizes;
    let (from, gradient) = (values::<V>(&packed), values::<V>(&gradient));
    let out: Vec<V> = fill(from.len(), tokens * 3 * width, |start, out| {
        let end = start + out.len();
        slopes(sizes, &from[start..end], &gradient[start / 3..end / 3], out);
    });
    tensor(out, packed.shape())
}
