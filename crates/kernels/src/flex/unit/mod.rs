//! Products of blocks of bfloat16 matrices by the processor's matrix unit.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(test)]
pub(super) mod portable;
pub(super) mod product;

use burn::tensor::bf16;

/// Rows of a tile.
pub(super) const ROWS: usize = 16;
/// Elements in a row of a tile: 64 bytes.
pub(super) const DEPTH: usize = 32;
/// Rows and columns of a block of results: two tiles each way.
pub(super) const BLOCK: usize = 2 * ROWS;

/// A tile of the right operand: row `p` has the elements `2p` and `2p + 1` of 16 columns, the two of a column side by side.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(super) struct Tile(pub(super) [bf16; ROWS * DEPTH]);

/// A block of results, row by row.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Block(pub(super) [f32; BLOCK * BLOCK]);

/// What multiplies blocks.
pub(super) trait Unit: Copy + Send + Sync {
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

/// The units that this build knows. A value is proof that the unit can be used.
#[derive(Clone, Copy, Debug)]
pub(super) enum Units {
    #[cfg(target_arch = "x86_64")]
    Amx(amx::Amx),
    #[cfg(test)]
    Portable(portable::Portable),
}

impl Units {
    /// The unit that products are computed by; if there is none, why.
    pub(super) fn found() -> Result<Self, &'static str> {
        #[cfg(test)]
        if portable::is_in_use() {
            return Ok(Self::Portable(portable::Portable));
        }
        #[cfg(target_arch = "x86_64")]
        return amx::is_there().map(Self::Amx);
        #[cfg(not(target_arch = "x86_64"))]
        Err("the kernels use no matrix unit of this kind of processor")
    }
}

impl Unit for Units {
    fn begin(&self) {
        match *self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx(unit) => unit.begin(),
            #[cfg(test)]
            Self::Portable(unit) => unit.begin(),
        }
    }

    fn end(&self) {
        match *self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx(unit) => unit.end(),
            #[cfg(test)]
            Self::Portable(unit) => unit.end(),
        }
    }

    unsafe fn multiply(&self, a: *const bf16, stride: usize, b: *const Tile, steps: usize, c: &mut Block) {
        // SAFETY: As promised by the caller.
        match *self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx(unit) => unsafe { unit.multiply(a, stride, b, steps, c) },
            #[cfg(test)]
            Self::Portable(unit) => unsafe { unit.multiply(a, stride, b, steps, c) },
        }
    }
}
