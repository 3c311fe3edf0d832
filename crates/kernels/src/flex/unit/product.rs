//! Products of bfloat16 matrices in blocks.

use std::mem::MaybeUninit;

use burn::tensor::bf16;
use rayon::prelude::*;

use super::{BLOCK, Block, DEPTH, ROWS, Tile, Unit};
use crate::flex::buffer::fill;
use crate::flex::element::Value;
use crate::flex::lanes::{Piece, vectorised};

/// Column blocks whose tiles stay in a core's cache while rows pass.
const TOGETHER: usize = 8;

/// A right operand in the order in which the unit reads it: column blocks of 32, in them steps of 32 rows, in them two tiles. What is
/// missing to full tiles is zero.
#[derive(Debug)]
pub(in crate::flex) struct Packed {
    tiles: Vec<Tile>,
    rows: usize,
    columns: usize,
}

/// A matrix in a buffer, from which a right operand is packed.
#[derive(Clone, Copy)]
pub(in crate::flex) struct Source<'a, V> {
    values: &'a [V],
    /// Values from a line to the next one.
    stride: usize,
    /// Whether lines are columns.
    is_transposed: bool,
}

impl<'a, V: Value> Source<'a, V> {
    /// Lines of values, each `stride` after the one before, which are the rows of the matrix.
    pub(in crate::flex) fn rows(values: &'a [V], stride: usize) -> Self {
        Self { values, stride, is_transposed: false }
    }

    /// Lines of values that are the columns of the matrix.
    pub(in crate::flex) fn columns(values: &'a [V], stride: usize) -> Self {
        Self { values, stride, is_transposed: true }
    }

    /// Packs a tile; elements beyond the matrix stay as they are: zero.
    fn pack(self, Tile(tile): &mut Tile, first: [usize; 2], size: [usize; 2]) {
        let (across, along) = if self.is_transposed { (0, 1) } else { (1, 0) };
        let most = [DEPTH, ROWS];
        let [lines, length] = [along, across].map(|axis| most[axis].min(size[axis].saturating_sub(first[axis])));
        for line in 0..lines {
            let start = (first[along] + line) * self.stride + first[across];
            let values = self.values.get(start..start + length).unwrap_or_default();
            match self.is_transposed {
                false => {
                    let to = line / 2 * DEPTH + line % 2;
                    values.iter().enumerate().for_each(|(column, value)| tile[to + 2 * column] = value.narrow());
                }
                true => {
                    let to = 2 * line;
                    let at = |row: usize| to + row / 2 * DEPTH + row % 2;
                    values.iter().enumerate().for_each(|(row, value)| tile[at(row)] = value.narrow());
                }
            }
        }
    }
}

impl Packed {
    /// Packs a matrix `[rows, columns]`, on all cores.
    pub(in crate::flex) fn of<V: Value>(rows: usize, columns: usize, source: Source<'_, V>) -> Self {
        let mut packed = Self::zeros(rows, columns);
        let steps = rows.div_ceil(DEPTH);
        let tiles = packed.tiles.par_iter_mut().with_min_len(64).enumerate();
        tiles.for_each(|(index, tile)| source.pack(tile, place(index, steps), [rows, columns]));
        packed
    }

    /// Packs a matrix of the same size, on this thread.
    pub(in crate::flex) fn refill<V: Value>(&mut self, source: Source<'_, V>) {
        let steps = self.rows.div_ceil(DEPTH);
        for (index, tile) in self.tiles.iter_mut().enumerate() {
            source.pack(tile, place(index, steps), [self.rows, self.columns]);
        }
    }

    /// A matrix of zeros.
    pub(in crate::flex) fn zeros(rows: usize, columns: usize) -> Self {
        let count = columns.div_ceil(BLOCK) * rows.div_ceil(DEPTH) * 2;
        Self { tiles: vec![Tile([bf16::ZERO; ROWS * DEPTH]); count], rows, columns }
    }

    /// The tiles of a column block.
    fn block(&self, index: usize) -> &[Tile] {
        let count = 2 * self.rows.div_ceil(DEPTH);
        &self.tiles[index * count..(index + 1) * count]
    }
}

/// First row and column of a tile, of which a column block has two for each step.
fn place(index: usize, steps: usize) -> [usize; 2] {
    let (block, step, side) = (index / (2 * steps), index / 2 % steps, index % 2);
    [step * DEPTH, block * BLOCK + side * ROWS]
}

/// A left operand: rows of `width` values, each `stride` after the one before.
#[derive(Clone, Copy)]
pub(in crate::flex) struct Rows<'a> {
    values: &'a [bf16],
    count: usize,
    width: usize,
    stride: usize,
}

impl<'a> Rows<'a> {
    pub(in crate::flex) fn new(values: &'a [bf16], count: usize, width: usize, stride: usize) -> Self {
        let fits = count == 0 || (count - 1) * stride + width <= values.len();
        assert!(fits && width <= stride, "the buffer ends before the matrix");
        Self { values, count, width, stride }
    }

    fn part(self, first: usize, count: usize) -> Self {
        let values = if count == 0 { &[] } else { &self.values[first * self.stride..] };
        Self::new(values, count, self.width, self.stride)
    }

    fn row(self, index: usize) -> &'a [bf16] {
        &self.values[index * self.stride..][..self.width]
    }
}

/// A part of a product: the first elements of the first rows of a block.
pub(in crate::flex) struct Found<'a> {
    pub(in crate::flex) row: usize,
    pub(in crate::flex) column: usize,
    rows: usize,
    columns: usize,
    block: &'a Block,
}

impl Found<'_> {
    /// The rows of the part, each with its index in the product.
    #[inline(always)]
    pub(in crate::flex) fn rows(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let rows = self.block.0.chunks_exact(BLOCK).take(self.rows).enumerate();
        rows.map(|(index, values)| (self.row + index, &values[..self.columns]))
    }
}

/// Passes `left · right` to `take`, block by block, on this thread.
///
/// # Shapes
/// `left`: `[rows, right.rows]` → `[rows, right.columns]`
pub(in crate::flex) fn blocks<U: Unit>(unit: U, left: Rows<'_>, right: &Packed, mut take: impl FnMut(Found<'_>)) {
    let (inner, columns) = (right.rows, right.columns);
    assert_eq!(left.width, inner, "factors that do not fit");
    let (whole, steps) = (inner / DEPTH, inner.div_ceil(DEPTH));
    // Elements beyond the end of a row, and rows beyond the last, are zero in a copy: what is there in memory may be NaN.
    let padded_width = steps * DEPTH;
    let mut padded = vec![bf16::ZERO; BLOCK * padded_width];
    let mut results = Block([0.0; BLOCK * BLOCK]);
    let blocks = columns.div_ceil(BLOCK);
    unit.begin();
    for group in (0..blocks).step_by(TOGETHER) {
        for first in (0..left.count).step_by(BLOCK) {
            let count = BLOCK.min(left.count - first);
            let in_place = if count == BLOCK { whole } else { 0 };
            let from = in_place * DEPTH;
            if from < inner {
                padded.fill(bf16::ZERO);
                for row in 0..count {
                    let values = &left.row(first + row)[from..];
                    padded[row * padded_width + from..][..values.len()].copy_from_slice(values);
                }
            }
            for index in group..blocks.min(group + TOGETHER) {
                let tiles = right.block(index);
                results.0.fill(0.0);
                // SAFETY: A full block of rows lies within `left`, of which the whole steps are read, and its copy has all steps; a
                // column block has two tiles for each step.
                unsafe {
                    if in_place > 0 {
                        let rows = left.values[first * left.stride..].as_ptr();
                        unit.multiply(rows, left.stride, tiles.as_ptr(), in_place, &mut results);
                    }
                    if in_place < steps {
                        let rest = tiles[2 * in_place..].as_ptr();
                        unit.multiply(padded[from..].as_ptr(), padded_width, rest, steps - in_place, &mut results);
                    }
                }
                let column = index * BLOCK;
                let columns = BLOCK.min(columns - column);
                take(Found { row: first, column, rows: count, columns, block: &results });
            }
        }
    }
    unit.end();
}

/// What becomes of a product as it is written.
pub(in crate::flex) trait Finish: Sync {
    /// Writes the result of a row's elements from `column` on. Must be marked `#[inline(always)]`.
    fn write<V: Value>(&self, row: usize, column: usize, values: &[f32], out: &mut [MaybeUninit<V>]);
}

/// `left · right`, finished, on all cores. Every element is the same sum in the same order on any number of threads.
///
/// # Shapes
/// `left`: `[rows, right.rows]` → `[rows, right.columns]`
pub(in crate::flex) fn product<U: Unit, V: Value>(
    unit: U,
    left: Rows<'_>,
    right: &Packed,
    finish: &impl Finish,
) -> Vec<V> {
    let columns = right.columns;
    // A piece for each thread at least, of whole blocks.
    let share = left.count.div_ceil(2 * rayon::current_num_threads());
    let piece = share.next_multiple_of(BLOCK).clamp(BLOCK, TOGETHER * BLOCK);
    fill(left.count * columns, (piece * columns).max(1), |start, out: &mut [MaybeUninit<V>]| {
        let (first, count) = (start / columns, out.len() / columns);
        blocks(unit, left.part(first, count), right, |found| {
            vectorised(WriteBlock { out: &mut *out, found, columns, first, finish });
        });
    })
}

struct WriteBlock<'a, V, F> {
    /// Whole rows, of which the first is row `first` of the product.
    out: &'a mut [MaybeUninit<V>],
    found: Found<'a>,
    columns: usize,
    first: usize,
    finish: &'a F,
}

impl<V: Value, F: Finish> Piece for WriteBlock<'_, V, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { out, found, columns, first, finish } = self;
        for (row, values) in found.rows() {
            let out = &mut out[row * columns + found.column..][..values.len()];
            finish.write(first + row, found.column, values, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::portable::Portable;
    use super::*;

    /// Adds a row to each row.
    struct Add<'a>(&'a [f32]);

    impl Finish for Add<'_> {
        #[inline(always)]
        fn write<V: Value>(&self, _row: usize, column: usize, values: &[f32], out: &mut [MaybeUninit<V>]) {
            for ((out, value), base) in out.iter_mut().zip(values).zip(&self.0[column..]) {
                out.write(V::of(base + value));
            }
        }
    }

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

    /// Compares a unit with the product in double precision, and rows side by side with rows apart.
    fn check(unit: impl Unit) -> Vec<Vec<u32>> {
        let mut all = Vec::new();
        for [rows, inner, columns] in SIZES {
            let (left, right) = (values(rows * inner, 1), values(inner * columns, 2));
            let base: Vec<f32> = values(columns, 3).into_iter().map(Value::get).collect();
            // Rows further apart than they are long, with what may not be read between them.
            let apart = inner + 3;
            let spread: Vec<bf16> = (0..rows * apart)
                .map(|at| if at % apart < inner { left[at / apart * inner + at % apart] } else { bf16::NAN })
                .collect();
            let packed = Packed::of(inner, columns, Source::rows(&right, columns));
            let [found, other] = [(&left, inner), (&spread, apart)].map(|(values, stride)| {
                product::<_, f32>(unit, Rows::new(values, rows, inner, stride), &packed, &Add(&base))
            });
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
            let lines: Vec<f32> =
                (0..columns * inner).map(|at| right[at % inner * columns + at / inner].get()).collect();
            let transposed = Packed::of(inner, columns, Source::columns(&lines, inner));
            assert_eq!(transposed.tiles, packed.tiles);
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
        let packed = Packed::of(inner, columns, Source::rows(&[bf16::from_f32(0.5); 40 * 5], columns));
        let found = product::<_, f32>(Portable, Rows::new(&left, 3, inner, inner), &packed, &Add(&[0.0; 5]));
        assert!(
            found[..5].iter().all(|value| *value == 20.0) && found[5..10].iter().all(|value| *value == f32::INFINITY)
        );
        assert!(found[10..].iter().all(|value| value.is_nan()));
    }

    #[test]
    fn the_thread_count_changes_nothing() {
        let (left, right) = (values(300 * 70, 4), values(70 * 90, 5));
        let packed = Packed::of(70, 90, Source::rows(&right, 90));
        let rows = Rows::new(&left, 300, 70, 70);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| product::<_, bf16>(Portable, rows, &packed, &Add(&[0.0; 90])))
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
