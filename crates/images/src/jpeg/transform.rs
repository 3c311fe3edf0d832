//! The inverse cosine transform, equal to libjpeg-turbo's accurate integer one (`jidctint`): the algorithm of Loeffler,
//! Ligtenberg and Moschytz with 12 multiplications ("Practical fast 1-D DCT algorithms with 11 multiplications", ICASSP
//! 1989).
//!
//! Values between the steps have 16 bits, as in libjpeg-turbo's vector code for x86-64: dequantized coefficients wrap, the
//! first pass saturates. Only damaged or absurd data reaches these bounds.

/// Coefficients of a block, in natural order.
pub(super) type Block = [i16; 64];

/// Bits after the binary point of the constants.
pub(super) const CONST_BITS: u32 = 13;

/// Fraction bits that the first pass keeps for the second.
pub(super) const PASS1_BITS: u32 = 2;

/// Index in natural order of the k-th coefficient in zigzag order.
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// Writes the block's 8 × 8 samples to `out`, whose rows are `stride` apart.
pub(super) fn inverse(coefficients: &Block, steps: &[u16; 64], out: &mut [u8], stride: usize) {
    let dequantized = |i: usize| coefficients[i].wrapping_mul(steps[i] as i16);
    if coefficients[1..].iter().all(|c| *c == 0) {
        let flat = to_sample(descale((dequantized(0) << PASS1_BITS).into(), PASS1_BITS + 3));
        for row in out.chunks_mut(stride).take(8) {
            row[..8].fill(flat);
        }
        return;
    }
    // The first pass has a shortcut, which wraps, for a block of one row.
    let has_columns = coefficients[8..].iter().any(|c| *c != 0);
    let mut work = [0i16; 64];
    for x in 0..8 {
        let column = std::array::from_fn(|y| dequantized(y * 8 + x));
        if column[1..] == [0; 7] {
            let flat =
                if has_columns { saturated(i32::from(column[0]) << PASS1_BITS) } else { column[0] << PASS1_BITS };
            for y in 0..8 {
                work[y * 8 + x] = flat;
            }
            continue;
        }
        for (y, value) in inverse_1d(column).into_iter().enumerate() {
            work[y * 8 + x] = saturated(descale(value, CONST_BITS - PASS1_BITS));
        }
    }
    for (row, out) in work.chunks_exact(8).zip(out.chunks_mut(stride)) {
        let values = inverse_1d(std::array::from_fn(|x| row[x]));
        for (sample, value) in out.iter_mut().zip(values) {
            *sample = to_sample(descale(value, CONST_BITS + PASS1_BITS + 3));
        }
    }
}

/// Transforms eight values, scaled by √8 and by 2 to the power of [`CONST_BITS`]. Sums wrap; they overflow only for
/// data that no encoder writes.
fn inverse_1d(input: [i16; 8]) -> [i32; 8] {
    // These sums have 16 bits.
    let [x0_plus_x4, x0_minus_x4] = [input[0].wrapping_add(input[4]), input[0].wrapping_sub(input[4])].map(i32::from);
    let [x7_plus_x3, x5_plus_x1] = [input[7].wrapping_add(input[3]), input[5].wrapping_add(input[1])].map(i32::from);
    let [_, x1, x2, x3, _, x5, x6, x7] = input.map(i32::from);
    let times = |x: i32, constant: i32| x.wrapping_mul(constant);
    let sum = |terms: &[i32]| terms.iter().fold(0i32, |sum, term| sum.wrapping_add(*term));

    // The even part: the rotation by √2·c(−6) of x2 and x6. The names of the constants are their values.
    let shared = times(sum(&[x2, x6]), F0_541196100);
    let even2 = sum(&[shared, times(x6, -F1_847759065)]);
    let even3 = sum(&[shared, times(x2, F0_765366865)]);
    let even0 = x0_plus_x4 << CONST_BITS;
    let even1 = x0_minus_x4 << CONST_BITS;
    let front = [sum(&[even0, even3]), sum(&[even1, even2]), even1.wrapping_sub(even2), even0.wrapping_sub(even3)];

    // The odd part, as in Figure 8 of the paper.
    let shared = times(sum(&[x7_plus_x3, x5_plus_x1]), F1_175875602);
    let z1 = times(sum(&[x7, x1]), -F0_899976223);
    let z2 = times(sum(&[x5, x3]), -F2_562915447);
    let z3 = sum(&[times(x7_plus_x3, -F1_961570560), shared]);
    let z4 = sum(&[times(x5_plus_x1, -F0_390180644), shared]);
    let back = [
        sum(&[times(x1, F1_501321110), z1, z4]),
        sum(&[times(x3, F3_072711026), z2, z3]),
        sum(&[times(x5, F2_053119869), z2, z4]),
        sum(&[times(x7, F0_298631336), z1, z3]),
    ];
    std::array::from_fn(|i| if i < 4 { front[i].wrapping_add(back[i]) } else { front[7 - i].wrapping_sub(back[7 - i]) })
}

fn saturated(value: i32) -> i16 {
    value.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// Divides by a power of two, rounding half up.
pub(super) fn descale(value: i32, bits: u32) -> i32 {
    value.wrapping_add(1 << (bits - 1)) >> bits
}

/// Adds the middle value, 128, which coefficients do not include.
pub(super) fn to_sample(value: i32) -> u8 {
    value.saturating_add(128).clamp(0, 255) as u8
}

const F0_298631336: i32 = 2446;
const F0_390180644: i32 = 3196;
const F0_541196100: i32 = 4433;
const F0_765366865: i32 = 6270;
const F0_899976223: i32 = 7373;
const F1_175875602: i32 = 9633;
const F1_501321110: i32 = 12299;
const F1_847759065: i32 = 15137;
const F1_961570560: i32 = 16069;
const F2_053119869: i32 = 16819;
const F2_562915447: i32 = 20995;
const F3_072711026: i32 = 25172;

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, in f64.
    fn by_definition(coefficients: &Block) -> [f64; 64] {
        let c = |k: usize| if k == 0 { 0.5f64.sqrt() } else { 1.0 };
        let cosine = |x: usize, k: usize| ((2 * x + 1) as f64 * k as f64 * std::f64::consts::PI / 16.0).cos();
        std::array::from_fn(|i| {
            let (x, y) = (i % 8, i / 8);
            let term = |k: usize| {
                let (u, v) = (k % 8, k / 8);
                c(u) * c(v) * f64::from(coefficients[k]) * cosine(x, u) * cosine(y, v)
            };
            (0..64).map(term).sum::<f64>() / 4.0 + 128.0
        })
    }

    #[test]
    fn is_the_cosine_transform_to_half_a_level() {
        for seed in 0..200u32 {
            let mut coefficients = [0i16; 64];
            for (i, coefficient) in coefficients.iter_mut().enumerate() {
                let h = (seed * 64 + i as u32).wrapping_mul(2_654_435_761) >> 16;
                if h.is_multiple_of(4) || i == 0 {
                    *coefficient = (h % 400) as i16 - 200;
                }
            }
            let mut out = [0; 64];
            inverse(&coefficients, &[1; 64], &mut out, 8);
            for (sample, exact) in out.iter().zip(by_definition(&coefficients)) {
                assert!((f64::from(*sample) - exact.clamp(0.0, 255.0)).abs() < 0.6, "{sample} {exact}");
            }
        }
    }

    #[test]
    fn the_shortcut_for_flat_blocks_changes_nothing() {
        for dc in -1100..1100 {
            let mut coefficients = [0; 64];
            coefficients[0] = dc;
            let (mut short, mut long) = ([0; 64], [0; 64]);
            inverse(&coefficients, &[1; 64], &mut short, 8);
            let row = inverse_1d([dc << PASS1_BITS, 0, 0, 0, 0, 0, 0, 0]);
            for (i, sample) in long.iter_mut().enumerate() {
                *sample = to_sample(descale(row[i % 8], CONST_BITS + PASS1_BITS + 3));
            }
            assert_eq!(short, long);
        }
    }
}
