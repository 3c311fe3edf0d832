//! The arithmetic of the matrix unit without it, in the same order, for tests.

use std::cell::Cell;

use burn::tensor::bf16;

use super::{BLOCK, Block, DEPTH, ROWS, Tile, Unit};
use crate::flex::element::Value as _;

/// Results are those of the unit to the bit, except that subnormal numbers are not flushed to zero.
#[derive(Clone, Copy, Debug)]
pub(in crate::flex) struct Portable;

thread_local! {
    static IN_USE: Cell<bool> = const { Cell::new(false) };
}

/// Calls `f`, in which operations that this thread starts compute bfloat16 as on a processor with the unit.
pub(in crate::flex) fn in_use<T>(f: impl FnOnce() -> T) -> T {
    IN_USE.set(true);
    let found = f();
    IN_USE.set(false);
    found
}

pub(super) fn is_in_use() -> bool {
    IN_USE.get()
}

impl Unit for Portable {
    fn begin(&self) {}

    fn end(&self) {}

    unsafe fn multiply(&self, a: *const bf16, stride: usize, b: *const Tile, steps: usize, c: &mut Block) {
        for step in 0..steps {
            for row in 0..BLOCK {
                for side in 0..2 {
                    // SAFETY: As promised by the caller.
                    let (a, b) = unsafe {
                        (
                            std::slice::from_raw_parts(a.add(row * stride + step * DEPTH), DEPTH),
                            &(*b.add(2 * step + side)).0,
                        )
                    };
                    // The even and the odd elements are summed apart.
                    let mut sums = [[0.0_f32; ROWS]; 2];
                    for (pair, b) in a.chunks_exact(2).zip(b.chunks_exact(DEPTH)) {
                        for parity in 0..2 {
                            let a = pair[parity].get();
                            for (column, sum) in sums[parity].iter_mut().enumerate() {
                                *sum += a * b[2 * column + parity].get();
                            }
                        }
                    }
                    let [even, odd] = sums;
                    let at = row * BLOCK + side * ROWS;
                    for (column, sum) in c.0[at..at + ROWS].iter_mut().enumerate() {
                        *sum += even[column] + odd[column];
                    }
                }
            }
        }
    }
}
