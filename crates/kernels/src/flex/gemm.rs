//! Matrix products on parts of buffers, by the library that burn's CPU backend uses.

use gemm::Parallelism;

/// Multiplications from which several threads pay off.
const PARALLEL: usize = 192 * 192 * 192;

/// A strided matrix in a buffer.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    /// Stride from an element to the one below.
    down: usize,
    /// Stride from an element to its right neighbour.
    across: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of `columns` values, each `down` after the one before.
    pub(super) fn new(values: &'a [f32], rows: usize, columns: usize, down: usize) -> Self {
        assert!(fits(values.len(), rows, columns, down), "the buffer ends before the matrix");
        Self { values, rows, columns, down, across: 1 }
    }

    pub(super) fn transposed(self) -> Self {
        Self { rows: self.columns, columns: self.rows, down: self.across, across: self.down, ..self }
    }
}

fn fits(length: usize, rows: usize, columns: usize, down: usize) -> bool {
    rows == 0 || columns == 0 || (rows - 1) * down + columns <= length
}

/// Where a product goes: rows, each `down` after the one before.
pub(super) struct Target<'a> {
    pub(super) values: &'a mut [f32],
    pub(super) down: usize,
    /// Whether the product is added to the target's values.
    pub(super) add: bool,
}

/// `factor · left · right`, on all cores where it is large and `parallel`.
pub(super) fn multiply(target: Target<'_>, left: Matrix<'_>, right: Matrix<'_>, factor: f32, parallel: bool) {
    let (rows, inner, columns) = (left.rows, left.columns, right.columns);
    assert_eq!(inner, right.rows, "factors that do not fit");
    assert!(columns <= target.down && fits(target.values.len(), rows, columns, target.down), "no room for the product");
    let large = rows.saturating_mul(inner).saturating_mul(columns) >= PARALLEL;
    let parallelism = if parallel && large { Parallelism::Rayon(0) } else { Parallelism::None };
    // SAFETY: both matrices were made to lie within their buffers, the target has just been checked to, its rows do not
    // overlap, and it is borrowed exclusively.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            target.values.as_mut_ptr(),
            1,
            target.down as isize,
            target.add,
            left.values.as_ptr(),
            left.across as isize,
            left.down as isize,
            right.values.as_ptr(),
            right.across as isize,
            right.down as isize,
            1.0,
            factor,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_buffers_are_multiplied_and_added() {
        let left: Vec<f32> = (0..12).map(|at| at as f32).collect();
        let right: Vec<f32> = (0..20).map(|at| (at * at % 7) as f32).collect();
        // 3 × 2 out of rows of four, 2 × 5 as the transpose of 5 × 2 out of rows of three.
        let a = Matrix::new(&left[1..], 3, 2, 4);
        let b = Matrix::new(&right, 5, 2, 3).transposed();
        let mut out = vec![1.0; 3 * 6];
        multiply(Target { values: &mut out, down: 6, add: true }, a, b, 0.5, true);
        for row in 0..3 {
            for column in 0..5 {
                let sum: f32 = (0..2).map(|k| left[1 + 4 * row + k] * right[3 * column + k]).sum();
                assert_eq!(out[6 * row + column], 1.0 + 0.5 * sum);
            }
            assert_eq!(out[6 * row + 5], 1.0, "between the rows nothing is written");
        }
    }

    #[test]
    #[should_panic(expected = "the buffer ends")]
    fn a_matrix_that_is_longer_than_its_buffer_is_refused() {
        let _ = Matrix::new(&[0.0; 11], 3, 4, 4);
    }
}
