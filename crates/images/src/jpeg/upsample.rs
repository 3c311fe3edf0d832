//! Upsampling of subsampled components, equal to libjpeg-turbo's "fancy upsampling": in each direction, a new sample is
//! ¾ of the nearer old one plus ¼ of the farther one. The rounding alternates, so that it does not accumulate.

use super::Fault;
use super::frame::{Component, Frame};

/// How a component is brought to the frame's size.
enum Method {
    /// It already has the frame's size.
    None,
    /// Twice as wide.
    Across,
    /// Twice as high.
    Down,
    /// Twice as wide and high.
    Both,
    /// Repeats each sample, for factors that libjpeg does not interpolate, and for very narrow images.
    Repeat { across: usize, down: usize },
}

/// Computes a component's rows at the frame's size.
pub(super) struct Upsampler<'a> {
    component: &'a Component,
    method: Method,
    width: usize,
}

impl<'a> Upsampler<'a> {
    pub(super) fn new(frame: &Frame, component: &'a Component) -> Result<Self, Fault> {
        // Ratios of samples in a unit.
        let samples = frame.scale.samples();
        let unit = [(frame.max_h, component.h), (frame.max_v, component.v)];
        let factors = unit.map(|(max, own)| (max * samples, own * component.samples));
        if factors.iter().any(|(all, own)| !all.is_multiple_of(*own)) {
            return Err(Fault::Unsupported("fractional subsampling"));
        }
        let [across, down] = factors.map(|(all, own)| all / own);
        // libjpeg does not interpolate where a block is one sample.
        let smooth = samples > 1;
        let wide_enough = component.width > 2;
        let method = match (across, down) {
            (1, 1) => Method::None,
            (2, 1) if smooth && wide_enough => Method::Across,
            (1, 2) if smooth => Method::Down,
            (2, 2) if smooth && wide_enough => Method::Both,
            _ => Method::Repeat { across, down },
        };
        Ok(Self { component, method, width: frame.scale.of(frame.width as usize) })
    }

    /// Writes row `y` of the upsampled component to the start of `out`, which is at least a sample longer than the
    /// frame's width.
    pub(super) fn row(&self, y: usize, out: &mut [u8]) {
        match self.method {
            Method::None => out[..self.component.width].copy_from_slice(self.component.row(y)),
            Method::Across => {
                let row = self.component.row(y);
                stretch(row.len(), |x| u32::from(row[x]), [1, 2], 2, out);
            }
            Method::Down => {
                let (near, far) = self.near_and_far(y);
                let rounding = 1 + (y % 2) as u32;
                for ((near, far), out) in near.iter().zip(far).zip(out) {
                    *out = ((3 * u32::from(*near) + u32::from(*far) + rounding) >> 2) as u8;
                }
            }
            Method::Both => {
                let (near, far) = self.near_and_far(y);
                let column = |x: usize| 3 * u32::from(near[x]) + u32::from(far[x]);
                stretch(near.len(), column, [8, 7], 4, out);
            }
            Method::Repeat { across, down } => {
                let row = self.component.row(y / down);
                for (x, out) in out[..self.width].iter_mut().enumerate() {
                    *out = row[x / across];
                }
            }
        }
    }

    /// The two rows that row `y` of twice as many is computed from: the nearer and the farther one, equal at the edge.
    fn near_and_far(&self, y: usize) -> (&[u8], &[u8]) {
        let near = y / 2;
        let far = if y.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(self.component.height - 1) };
        (self.component.row(near), self.component.row(far))
    }
}

/// Doubles a row of at least two values: 3 times the nearer plus the farther, which at the edge is the same, plus the
/// `rounding` of the left or right new sample, divided by 2 to the power of `shift`.
fn stretch(length: usize, value: impl Fn(usize) -> u32, rounding: [u32; 2], shift: u32, out: &mut [u8]) {
    let [left, right] = rounding;
    let last = length - 1;
    let mut before = value(0);
    let mut here = before;
    for (x, pair) in out.chunks_exact_mut(2).take(length).enumerate() {
        let after = if x < last { value(x + 1) } else { here };
        pair[0] = ((3 * here + before + left) >> shift) as u8;
        pair[1] = ((3 * here + after + right) >> shift) as u8;
        (before, here) = (here, after);
    }
}
