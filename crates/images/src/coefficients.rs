//! Filter weights of a resize along one axis, computed and rounded as in Pillow's `Resample.c`.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The resampling filter of a resize.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// Bicubic (a = −0.5), antialiased, as in Pillow.
    Bicubic,
    /// Bilinear, antialiased, as in Pillow.
    Bilinear,
}

/// Bits after the binary point of a weight: of 32, 8 are for the pixel and 2 for the overshoot of negative lobes.
pub(super) const PRECISION_BITS: u32 = 32 - 8 - 2;

/// A resize along one axis: the part `[from, to]` of `in_size` pixels becomes `out_size` pixels.
///
/// `from`, `to` and their difference are f32, as in Pillow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) in_size: usize,
    pub(super) from: f32,
    pub(super) to: f32,
    pub(super) out_size: usize,
}

impl Axis {
    /// The axis of a whole input.
    pub(super) fn whole(in_size: usize, out_size: usize) -> Self {
        Self { in_size, from: 0.0, to: in_size as f32, out_size }
    }

    /// Whether the output equals the input: all weights are one or zero.
    fn is_identity(&self) -> bool {
        self.in_size == self.out_size && self.from == 0.0 && self.to == self.out_size as f32
    }
}

/// For a range of output pixels, the input pixels and weights of each.
pub(super) struct Coefficients {
    /// First input pixel and count of input pixels.
    bounds: Vec<(usize, usize)>,
    /// Fixed-point weights, `taps` for each output pixel.
    weights: Vec<i32>,
    taps: usize,
}

impl Coefficients {
    /// The weights of the output pixels `outs`.
    ///
    /// The filter is widened by the scale when the image shrinks (antialiasing), clipped at the image's edge, and
    /// normalized.
    pub(super) fn new(filter: Interpolation, axis: Axis, outs: Range<usize>) -> Self {
        if axis.is_identity() {
            let weights = vec![1 << PRECISION_BITS; outs.len()];
            return Self { bounds: outs.map(|out| (out, 1)).collect(), weights, taps: 1 };
        }
        let scale = f64::from(axis.to - axis.from) / axis.out_size as f64;
        let widening = scale.max(1.0);
        let support = support(filter) * widening;
        let taps = support.ceil() as usize * 2 + 1;
        let mut bounds = Vec::with_capacity(outs.len());
        let mut weights = vec![0; outs.len() * taps];
        let mut exact = Vec::with_capacity(taps);
        for (out, fixed) in outs.zip(weights.chunks_exact_mut(taps)) {
            let center = f64::from(axis.from) + (out as f64 + 0.5) * scale;
            // Truncates towards zero like C's cast, and clips negative positions to zero.
            let first = (center - support + 0.5) as usize;
            let end = ((center + support + 0.5) as usize).min(axis.in_size);
            exact.clear();
            exact.extend((first..end).map(|x| weight(filter, (x as f64 - center + 0.5) * (1.0 / widening))));
            let sum: f64 = exact.iter().sum();
            for (fixed, exact) in fixed.iter_mut().zip(&exact) {
                *fixed = to_fixed(if sum == 0.0 { *exact } else { exact / sum });
            }
            bounds.push((first, exact.len()));
        }
        Self { bounds, weights, taps }
    }

    /// The same weights for an input without its first pixels.
    pub(super) fn without_first(mut self, pixels: usize) -> Self {
        for (first, _) in &mut self.bounds {
            *first -= pixels;
        }
        self
    }

    /// Number of output pixels.
    pub(super) fn len(&self) -> usize {
        self.bounds.len()
    }

    /// First input pixel and weights of each output pixel.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        let weights = self.weights.chunks_exact(self.taps);
        self.bounds.iter().zip(weights).map(|(&(first, count), weights)| (first, &weights[..count]))
    }

    /// The range of input pixels that the output pixels use.
    pub(super) fn needed(&self) -> Range<usize> {
        match (self.bounds.first(), self.bounds.last()) {
            (Some((first, _)), Some((last, count))) => *first..last + count,
            _ => 0..0,
        }
    }
}

/// Half the filter's width at scale 1.
fn support(filter: Interpolation) -> f64 {
    match filter {
        Interpolation::Bilinear => 1.0,
        Interpolation::Bicubic => 2.0,
    }
}

/// The filter's value at `x`, in Pillow's order of operations.
fn weight(filter: Interpolation, x: f64) -> f64 {
    let x = x.abs();
    match filter {
        Interpolation::Bilinear if x < 1.0 => 1.0 - x,
        // Keys' cubic convolution: https://en.wikipedia.org/wiki/Bicubic_interpolation#Bicubic_convolution_algorithm
        Interpolation::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        Interpolation::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        _ => 0.0,
    }
}

/// Parameter `a` of Keys' cubic convolution.
const A: f64 = -0.5;

/// Rounds half away from zero, as Pillow does by adding ±0.5 and truncating.
fn to_fixed(weight: f64) -> i32 {
    let scaled = weight * f64::from(1u32 << PRECISION_BITS);
    (if weight < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
}
