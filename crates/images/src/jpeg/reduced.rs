//! Inverse cosine transforms of a block to fewer samples, equal to libjpeg's `jidctred`. They drop the frequencies that
//! a smaller block cannot represent and, for speed, one that it can.

use super::transform::{Block, CONST_BITS, PASS1_BITS, descale, to_sample};

/// Writes the block's `samples` × `samples` samples to `out`, whose rows are `stride` apart. `samples` is 1, 2 or 4.
pub(super) fn inverse(samples: usize, coefficients: &Block, steps: &[u16; 64], out: &mut [u8], stride: usize) {
    match samples {
        4 => two_passes(coefficients, steps, out, stride, [0, 1, 2, 3, 5, 6, 7], four, 1),
        2 => two_passes(coefficients, steps, out, stride, [0, 1, 3, 5, 7], two, 2),
        _ => out[0] = to_sample(descale(coefficient(coefficients, steps, 0), 3)),
    }
}

/// Transforms the columns in `used`, then rows, which read no other columns. `one_pass` scales by 2 to the power of
/// `extra` + [`CONST_BITS`].
fn two_passes<const SAMPLES: usize, const USED: usize>(
    coefficients: &Block,
    steps: &[u16; 64],
    out: &mut [u8],
    stride: usize,
    used: [usize; USED],
    one_pass: fn([i32; 8]) -> [i32; SAMPLES],
    extra: u32,
) {
    let mut work = [[0i32; 8]; SAMPLES];
    for x in used {
        let column = one_pass(std::array::from_fn(|y| coefficient(coefficients, steps, y * 8 + x)));
        for (row, value) in work.iter_mut().zip(column) {
            row[x] = descale(value, CONST_BITS - PASS1_BITS + extra);
        }
    }
    for (row, out) in work.into_iter().zip(out.chunks_mut(stride)) {
        for (sample, value) in out.iter_mut().zip(one_pass(row)) {
            *sample = to_sample(descale(value, CONST_BITS + PASS1_BITS + 3 + extra));
        }
    }
}

fn coefficient(coefficients: &Block, steps: &[u16; 64], i: usize) -> i32 {
    i32::from(coefficients[i]) * i32::from(steps[i])
}

fn dot<const N: usize>(values: [i32; N], constants: [i32; N]) -> i32 {
    let terms = values.iter().zip(constants).map(|(value, constant)| value.wrapping_mul(constant));
    terms.fold(0, i32::wrapping_add)
}

/// Four samples from eight coefficients, without the fifth.
fn four([x0, x1, x2, x3, _, x5, x6, x7]: [i32; 8]) -> [i32; 4] {
    let middle = x0.wrapping_shl(CONST_BITS + 1);
    let even = dot([x2, x6], [F1_847759065, -F0_765366865]);
    let (outer, inner) = (middle.wrapping_add(even), middle.wrapping_sub(even));
    let odd = [x7, x5, x3, x1];
    let for_inner = dot(odd, [-F0_211164243, F1_451774981, -F2_172734803, F1_061594337]);
    let for_outer = dot(odd, [-F0_509795579, -F0_601344887, F0_899976223, F2_562915447]);
    [
        outer.wrapping_add(for_outer),
        inner.wrapping_add(for_inner),
        inner.wrapping_sub(for_inner),
        outer.wrapping_sub(for_outer),
    ]
}

/// Two samples from the first and the odd ones of eight coefficients.
fn two([x0, x1, _, x3, _, x5, _, x7]: [i32; 8]) -> [i32; 2] {
    let middle = x0.wrapping_shl(CONST_BITS + 2);
    let odd = dot([x7, x5, x3, x1], [-F0_720959822, F0_850430095, -F1_272758580, F3_624509785]);
    [middle.wrapping_add(odd), middle.wrapping_sub(odd)]
}

// The names of the constants are their values. They have 13 bits after the binary point.
const F0_211164243: i32 = 1730;
const F0_509795579: i32 = 4176;
const F0_601344887: i32 = 4926;
const F0_720959822: i32 = 5906;
const F0_765366865: i32 = 6270;
const F0_850430095: i32 = 6967;
const F0_899976223: i32 = 7373;
const F1_061594337: i32 = 8697;
const F1_272758580: i32 = 10426;
const F1_451774981: i32 = 11893;
const F1_847759065: i32 = 15137;
const F2_172734803: i32 = 17799;
const F2_562915447: i32 = 20995;
const F3_624509785: i32 = 29692;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_block_is_flat_in_every_size() {
        for dc in (-1000..1000).step_by(37) {
            let mut coefficients = [0; 64];
            coefficients[0] = dc;
            let level = (f64::from(dc) / 8.0 + 128.0).clamp(0.0, 255.0);
            for samples in [1, 2, 4] {
                let mut out = [0; 64];
                inverse(samples, &coefficients, &[1; 64], &mut out, 8);
                for row in out.chunks(8).take(samples) {
                    assert!(row[..samples].iter().all(|sample| (f64::from(*sample) - level).abs() <= 0.5), "{dc}");
                }
            }
        }
    }

    #[test]
    fn a_slope_goes_the_same_way_in_every_size() {
        let mut coefficients = [0; 64];
        (coefficients[1], coefficients[8]) = (200, -100);
        for samples in [2, 4] {
            let mut out = [0; 64];
            inverse(samples, &coefficients, &[1; 64], &mut out, 8);
            assert!(out[..samples].is_sorted_by(|a, b| a > b), "falls to the right");
            assert!((1..samples).all(|y| out[8 * y] > out[8 * (y - 1)]), "rises downwards");
        }
    }
}
