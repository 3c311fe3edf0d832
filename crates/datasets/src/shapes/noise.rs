//! Smooth lattice noise for textures, warps and brush strokes.

use rand_chacha::rand_core::Rng;

use super::trig::floor;

const SIDE: usize = 32;

/// A 32×32 torus of random values from 0 to 1, interpolated smoothly. One table serves all uses in a scene: they read it at their
/// own scale and offset, which is far cheaper than hashing lattice points.
pub(crate) struct Noise {
    table: [f32; SIDE * SIDE],
}

impl Noise {
    pub(crate) fn new(rng: &mut impl Rng) -> Self {
        let mut bytes = [0_u8; SIDE * SIDE];
        rng.fill_bytes(&mut bytes);
        Self { table: bytes.map(|byte| f32::from(byte) / 255.0) }
    }

    /// Returns the noise at a point, with lattice cells of size 1.
    pub(crate) fn at(&self, x: f32, y: f32) -> f32 {
        let ((column, left), (row, top)) = (floor(x), floor(y));
        let (fx, fy) = (x - left, y - top);
        let (fx, fy) = (fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy));
        let (x0, y0) = (column as usize % SIDE, row as usize % SIDE);
        let (x1, y1) = ((x0 + 1) % SIDE, (y0 + 1) % SIDE);
        let (a, b) = (self.table[y0 * SIDE + x0], self.table[y0 * SIDE + x1]);
        let (c, d) = (self.table[y1 * SIDE + x0], self.table[y1 * SIDE + x1]);
        let top = a + (b - a) * fx;
        let bottom = c + (d - c) * fx;
        top + (bottom - top) * fy
    }

    /// Returns two octaves: the noise and a finer half of it, still from 0 to 1.
    pub(crate) fn cloud(&self, x: f32, y: f32) -> f32 {
        (2.0 * self.at(x, y) + self.at(2.0 * x + 7.3, 2.0 * y + 3.1)) / 3.0
    }

    /// Returns the lattice value of a cell: a random number per brick, stroke or cell.
    pub(crate) fn cell(&self, column: i32, row: i32) -> f32 {
        self.table[(row as usize % SIDE) * SIDE + column as usize % SIDE]
    }
}

/// Returns camera noise from two random bytes: their sum, centred; standard deviation 1, cut at 2.4.
pub(crate) fn grain(a: u8, b: u8) -> f32 {
    // Two uniform bytes have variance 2·(256²−1)/12 = 104.5².
    (f32::from(a) + f32::from(b) - 255.0) / 104.5
}
