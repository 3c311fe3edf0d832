//! Products of bfloat16 matrices in blocks.

use std::mem::MaybeUninit;

use burn::tensor::bf16;
use rayon::prelude::*;

use super::{BLOCK, Block, DEPTH, ROWS, Tile, Unit};
use crate::flex::buffer::fill;
use crate::flex::element::Value;

/// Column blocks whose tiles stay in a core's cache while rows pass.
const TOGETHER: usize = 8;

/// A right operand in the order in which the unit reads it: column blocks of 32, in them steps of 32 rows, in them two tiles. What is
/// missing to full tiles is zero.
pub(in crate::flex) struct Packed {
    tiles: Vec<Tile>,
    rows: usize,
    columns: usize,
}

impl Packed {
    /// Packs a matrix `[rows, columns]`.
    pub(in crate::flex) fn of(matrix: &[bf16], rows: usize, columns: usize) -> Self {
        assert_eq!(matrix.len(), rows * columns, "a matrix of another size");
        Self::new(rows, columns, |row, column| matrix[row * columns + column])
    }

    /// Packs the transpose of a matrix `[columns, rows]`.
    pub(in crate::flex) fn of_transposed(matrix: &[bf16], columns: usize, rows: usize) -> Self {
        assert_eq!(matrix.len(), rows * columns, "a matrix of another size");
        Self::new(rows, columns, |row, column| matrix[column * rows + row])
    }

    fn new(rows: usize, columns: usize, at: impl Fn(usize, usize) -> bf16 + Sync) -> Self {
        let (steps, blocks) = (rows.div_ceil(DEPTH), columns.div_ceil(BLOCK));
        let mut tiles = vec![Tile([bf16::ZERO; ROWS * DEPTH]); blocks * steps * 2];
        tiles.par_iter_mut().enumerate().for_each(|(index, Tile(tile))| {
            let (block, step, side) = (index / (2 * steps), index / 2 % steps, index % 2);
            let (first_row, first_column) = (step * DEPTH, block * BLOCK + side * ROWS);
            for row in 0..DEPTH.min(rows - first_row) {
                for column in 0..ROWS.min(columns.saturating_sub(first_column)) {
                    tile[row / 2 * DEPTH + 2 * column + row % 2] = at(first_row + row, first_column + column);
                }
            }
        });
        Self { tiles, rows, columns }
    }

    /// The tiles of a column block.
    fn block(&self, index: usize) -> &[Tile] {
        let count = 2 * self.rows.div_ceil(DEPTH);
        &self.tiles[index * count..(index + 1) * count]
    }
}

/// `base + left · right`. Every element is the same sum in the same order on any number of threads.
///
/// # Shapes
/// `left`: `[rows, right.rows]`, `base(row)`: the row of the result that the product is added to → `[rows, right.columns]`
pub(in crate::flex) fn product<'b, U: Unit, V: Value>(
    unit: U,
    left: &[bf16],
    rows: usize,
    right: &Packed,
    base: impl Fn(usize) -> Option<&'b [V]> + Sync,
) -> Vec<V> {
    let (inner, columns) = (right.rows, right.columns);
    assert_eq!(left.len(), rows * inner, "factors that do not fit");
    // A piece for each thread at least, of whole blocks.
    let piece = rows.div_ceil(2 * rayon::current_num_threads()).next_multiple_of(BLOCK).clamp(BLOCK, TOGETHER * BLOCK);
    fill(rows * columns, (piece * columns).max(1), |start, out: &mut [MaybeUninit<V>]| {
        let first = start / columns;
        let count = out.len() / columns;
        let part = Part { left: &left[first * inner..(first + count) * inner], rows: count, right };
        part.multiply(unit, &mut |row, column, values| {
            let place = row * columns + column;
            let out = &mut out[place..place + values.len()];
            match base(first + row) {
                Some(base) => {
                    let base = &base[column..column + values.len()];
                    for ((out, value), base) in out.iter_mut().zip(values).zip(base) {
                        out.write(V::of(base.get() + value));
                    }
                }
                None => out.iter_mut().zip(values).for_each(|(out, value)| _ = out.write(V::of(*value))),
            }
        });
    })
}

/// The rows of a product that one thread computes.
struct Part<'a> {
    left: &'a [bf16],
    rows: usize,
    right: &'a Packed,
}

impl Part<'_> {
    /// Passes each row of each block, with its place, to `take`.
    fn multiply<U: Unit>(&self, unit: U, take: &mut dyn FnMut(usize, usize, &[f32])) {
        let Self { left, rows, right } = *self;
        let (inner, columns) = (right.rows, right.columns);
        let (whole, steps) = (inner / DEPTH, inner.div_ceil(DEPTH));
        // Elements beyond the end of a row, and rows beyond the last, are zero in a copy: what is there in memory may be NaN.
        let padded_width = steps * DEPTH;
        let mut padded = vec![bf16::ZERO; BLOCK * padded_width];
        let mut results = Block([0.0; BLOCK * BLOCK]);
        let blocks = columns.div_ceil(BLOCK);
        unit.begin();
        for group in (0..blocks).step_by(TOGETHER) {
            for first in (0..rows).step_by(BLOCK) {
                let count = BLOCK.min(rows - first);
                let in_place = if count == BLOCK { whole } else { 0 };
                let from = in_place * DEPTH;
                if from < inner {
                    padded.fill(bf16::ZERO);
                    for row in 0..count {
                        let values = &left[(first + row) * inner + from..(first + row + 1) * inner];
                        padded[row * padded_width + from..][..values.len()].copy_from_slice(values);
                    }
                }
                for index in group..blocks.min(group + TOGETHER) {
                    let tiles = right.block(index);
                    results.0.fill(0.0);
                    // SAFETY: A full block of rows lies within `left`, of which the whole steps are read, and its copy has all steps;
                    // a column block has two tiles for each step.
                    unsafe {
                        if in_place > 0 {
                            unit.multiply(
                                left[first * inner..].as_ptr(),
                                inner,
                                tiles.as_ptr(),
                                in_place,
                                &mut results,
                            );
                        }
                        if in_place < steps {
                            let rest = tiles[2 * in_place..].as_ptr();
                            unit.multiply(padded[from..].as_ptr(), padded_width, rest, steps - in_place, &mut results);
                        }
                    }
                    let width = BLOCK.min(columns - index * BLOCK);
                    for (row, values) in results.0.chunks_exact(BLOCK).take(count).enumerate() {
                        take(first + row, index * BLOCK, &values[..width]);
                    }
                }
            }
        }
        unit.end();
    }
}

#[cfg(test)]
mod tests {
    use super::super::portable::Portable;
    use super::*;

    fn values(count: usize, seed: u64) -> Vec<bf16> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut draw = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bf16::of((state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0)
        };
        (0..count).map(|_| draw()).collect()
    }

    /// Sizes around those of tiles and blocks, and around a piece of rows.
    const SIZES: [[usize; 3]; 13] = [
        [0, 3, 5],
        [1, 1, 1],
        [1, 32, 32],
        [2, 33, 31],
        [31, 31, 33],
        [32, 64, 64],
        [33, 65, 47],
        [7, 100, 300],
        [64, 96, 290],
        [65, 31, 1],
        [3, 0, 4],
        [4, 5, 0],
        [300, 40, 33],
    ];

    /// Compares a unit with the product in double precision, and its two ways of packing with each other.
    fn check(unit: impl Unit) -> Vec<Vec<u32>> {
        let mut all = Vec::new();
        for [rows, inner, columns] in SIZES {
            let (left, right) = (values(rows * inner, 1), values(inner * columns, 2));
            let base: Vec<f32> = values(columns, 3).into_iter().map(Value::get).collect();
            let transposed: Vec<bf16> =
                (0..columns * inner).map(|at| right[at % inner * columns + at / inner]).collect();
            let packed = [Packed::of(&right, inner, columns), Packed::of_transposed(&transposed, columns, inner)];
            let [found, other] =
                packed.map(|packed| product::<_, f32>(unit, &left, rows, &packed, |_| Some(&base[..])));
            for (at, found) in found.iter().enumerate() {
                let (row, column) = (at / columns, at % columns);
                let term = |k: usize| {
                    let [a, b] = [left[row * inner + k], right[k * columns + column]];
                    f64::from(a.get()) * f64::from(b.get())
                };
                let (sum, size) = (0..inner).map(term).fold((0.0, 1.0), |(sum, size), x| (sum + x, size + x.abs()));
                let expected = f64::from(base[column]) + sum;
                assert!((f64::from(*found) - expected).abs() < 1e-6 * size, "{rows} × {inner} × {columns}");
            }
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&found), bits(&other));
            all.push(bits(&found));
        }
        all
    }

    #[test]
    fn blocks_of_any_size_are_multiplied_as_in_double_precision() {
        check(Portable);
    }

    #[test]
    fn infinities_and_nan_stay_in_their_rows() {
        let (inner, columns) = (40, 5);
        let mut left = vec![bf16::ONE; 3 * inner];
        (left[inner], left[3 * inner - 1]) = (bf16::INFINITY, bf16::NAN);
        let packed = Packed::of(&vec![bf16::from_f32(0.5); inner * columns], inner, columns);
        let found = product::<_, f32>(Portable, &left, 3, &packed, |_| None);
        assert!(
            found[..5].iter().all(|value| *value == 20.0) && found[5..10].iter().all(|value| *value == f32::INFINITY)
        );
        assert!(found[10..].iter().all(|value| value.is_nan()));
    }

    #[test]
    fn the_thread_count_changes_nothing() {
        let (left, right) = (values(300 * 70, 4), values(70 * 90, 5));
        let packed = Packed::of(&right, 70, 90);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| product::<_, bf16>(Portable, &left, 300, &packed, |_| None))
        };
        assert_eq!(on(1), on(5));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_processors_unit_computes_as_it_is_described() {
        use super::super::amx::is_there;

        match is_there() {
            Ok(unit) => assert_eq!(check(unit), check(Portable)),
            Err(reason) => eprintln!("skipped: {reason}"),
        }
    }
}
