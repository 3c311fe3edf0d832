//! Products of blocks of bfloat16 matrices by the processor's matrix unit.

#[cfg(target_arch = "x86_64")]
pub(super) mod amx;
#[cfg(test)]
mod portable;
pub(super) mod product;

use burn::tensor::bf16;

/// Rows of a tile.
pub(super) const ROWS: usize = 16;
/// Elements in a row of a tile: 64 bytes.
pub(super) const DEPTH: usize = 32;
/// Rows and columns of a block of results: two tiles each way.
pub(super) const BLOCK: usize = 2 * ROWS;

/// A tile of the right operand: row `p` has the elements `2p` and `2p + 1` of 16 columns, the two of a column side by side.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Tile(pub(super) [bf16; ROWS * DEPTH]);

/// A block of results, row by row.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Block(pub(super) [f32; BLOCK * BLOCK]);

/// What multiplies blocks.
pub(super) trait Unit: Copy + Sync {
    /// Prepares the thread; called before its first block.
    fn begin(&self);

    /// Releases what [`begin`](Self::begin) took.
    fn end(&self);

    /// Adds the product of 32 rows and of `steps` pairs of tiles, 32 columns wide together, to a block of results.
    ///
    /// # Safety
    /// `a` points to 32 rows that start `stride` elements apart and have `32 · steps` elements, `b` to `2 · steps` tiles; the
    /// thread has begun.
    unsafe fn multiply(&self, a: *const bf16, stride: usize, b: *const Tile, steps: usize, c: &mut Block);
}
