//! One tensor as stored: dtype, shape and little-endian bytes.

use half::{bf16, f16};
use rayon::prelude::*;

use super::{StoredDtype, TensorBytes, TensorError};

/// Values converted at a time.
const PIECE: usize = 16 * 1024;

/// A tensor as stored, row-major, little-endian. A clone shares the bytes.
#[derive(Clone, Debug)]
pub struct RawTensor {
    dtype: StoredDtype,
    shape: Vec<usize>,
    bytes: TensorBytes,
}

impl RawTensor {
    /// Creates a tensor from its bytes.
    ///
    /// # Errors
    /// [`TensorError::Size`] if the number of bytes does not fit shape and dtype.
    pub fn new(dtype: StoredDtype, shape: Vec<usize>, bytes: impl Into<TensorBytes>) -> Result<Self, TensorError> {
        let bytes = bytes.into();
        let expected = shape.iter().try_fold(dtype.size(), |size, &axis| size.checked_mul(axis));
        if expected != Some(bytes.len()) {
            let (name, found) = (String::new(), bytes.len());
            return Err(TensorError::Size { name, shape, dtype, expected: expected.unwrap_or(usize::MAX), found });
        }
        Ok(Self { dtype, shape, bytes })
    }

    /// Creates an f32 tensor from its values.
    ///
    /// # Panics
    /// If the number of values does not fit the shape.
    pub fn from_f32(shape: impl Into<Vec<usize>>, values: Vec<f32>) -> Self {
        let shape = shape.into();
        assert_eq!(values.len(), shape.iter().product::<usize>(), "shape {shape:?} and number of values");
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { dtype: StoredDtype::F32, shape, bytes: bytes.into() }
    }

    /// Returns the dtype of the stored values.
    pub fn dtype(&self) -> StoredDtype {
        self.dtype
    }

    /// Returns the axes' lengths; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Returns the stored bytes, little-endian, row-major.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Lets the system take the memory of bytes that are in a mapped file. Whatever reads a whole tensor calls it afterwards, so that
    /// a file is never in memory as a whole.
    pub(crate) fn release(&self) {
        self.bytes.release();
    }

    /// Whether the bytes are in a mapped file, not in memory.
    pub(super) fn is_mapped(&self) -> bool {
        self.bytes.is_mapped()
    }

    /// Returns the number of values.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.dtype.size()
    }

    /// Whether an axis has length zero.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the values in f32, which holds every value of every stored dtype.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.len()];
        let pieces = values.par_chunks_mut(PIECE).zip(self.bytes.par_chunks(PIECE * self.dtype.size()));
        pieces.for_each(|(values, bytes)| self.dtype.read(bytes, values));
        self.release();
        values
    }

    /// Changes the shape and shares the bytes.
    ///
    /// # Errors
    /// [`TensorError::Size`] if the number of values differs.
    pub fn reshape(&self, shape: Vec<usize>) -> Result<Self, TensorError> {
        Self::new(self.dtype, shape, self.bytes.clone())
    }

    /// Transposes a matrix.
    ///
    /// # Shapes
    /// `[m, n]` → `[n, m]`
    ///
    /// # Errors
    /// [`TensorError::Shape`] unless there are two axes.
    pub fn transpose(&self) -> Result<Self, TensorError> {
        let &[rows, columns] = self.shape() else {
            return Err(self.shape_error("a matrix"));
        };
        let size = self.dtype.size();
        let mut bytes = vec![0; self.bytes.len()];
        for (row, values) in self.bytes.chunks_exact((columns * size).max(1)).enumerate() {
            for (column, value) in values.chunks_exact(size).enumerate() {
                let at = (column * rows + row) * size;
                bytes[at..at + size].copy_from_slice(value);
            }
        }
        self.release();
        Ok(Self { dtype: self.dtype, shape: vec![columns, rows], bytes: bytes.into() })
    }

    /// Splits the first axis into equal parts, which share this tensor's bytes.
    ///
    /// # Shapes
    /// `[parts · n, …]` → `parts` times `[n, …]`
    ///
    /// # Errors
    /// [`TensorError::Shape`] unless `parts` divides the first axis.
    pub fn split_first_axis(&self, parts: usize) -> Result<Vec<Self>, TensorError> {
        let rows = self.shape.first().copied().filter(|&rows| parts > 0 && rows.is_multiple_of(parts));
        let Some(rows) = rows else {
            return Err(self.shape_error(&format!("a first axis that {parts} divides")));
        };
        let mut shape = self.shape.clone();
        shape[0] = rows / parts;
        let length = self.bytes.len() / parts;
        let part = |index: usize| {
            let bytes = self.bytes.slice(index * length..(index + 1) * length).expect("equal parts lie in the whole");
            Self { dtype: self.dtype, shape: shape.clone(), bytes }
        };
        Ok((0..parts).map(part).collect())
    }

    /// Concatenates tensors along the first axis.
    ///
    /// # Shapes
    /// `[n, …]`, `[m, …]`, … → `[n + m + …, …]`
    ///
    /// # Errors
    /// [`TensorError::Shape`] unless all have the same dtype and other axes.
    pub fn join_first_axis(parts: &[Self]) -> Result<Self, TensorError> {
        let Some(first) = parts.first() else {
            return Err(TensorError::Shape { name: String::new(), expected: "tensors".into(), found: "none".into() });
        };
        let fits = |part: &&Self| {
            part.dtype == first.dtype && !part.shape.is_empty() && part.shape.get(1..) == first.shape.get(1..)
        };
        if let Some(other) = parts.iter().find(|part| !fits(part)) {
            return Err(
                other.shape_error(&format!("to join {:?} in {} along the first axis", first.shape, first.dtype))
            );
        }
        let mut shape = first.shape.clone();
        shape[0] = parts.iter().map(|part| part.shape[0]).sum();
        let bytes = parts.iter().map(Self::bytes).collect::<Vec<_>>().concat();
        parts.iter().for_each(Self::release);
        Self::new(first.dtype, shape, bytes)
    }

    fn shape_error(&self, expected: &str) -> TensorError {
        let (expected, found) = (expected.to_owned(), format!("{:?} in {}", self.shape, self.dtype));
        TensorError::Shape { name: String::new(), expected, found }
    }

    /// Converts the values to another dtype, rounded to nearest even.
    ///
    /// # Errors
    /// [`TensorError::Overflow`] if a finite value becomes infinite.
    pub fn cast(&self, dtype: StoredDtype) -> Result<Self, TensorError> {
        if dtype == self.dtype {
            return Ok(self.clone());
        }
        let mut bytes = Vec::with_capacity(self.len() * dtype.size());
        let mut overflow: Option<f32> = None;
        let mut note = |value: f32, overflows: bool| {
            if overflows && value.abs() > overflow.map_or(0.0, f32::abs) {
                overflow = Some(value);
            }
        };
        self.for_each_chunk(|chunk| match dtype {
            StoredDtype::F32 => chunk.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes())),
            StoredDtype::F16 => chunk.iter().for_each(|&value| {
                let cast = f16::from_f32(value);
                note(value, value.is_finite() && cast.is_infinite());
                bytes.extend_from_slice(&cast.to_le_bytes());
            }),
            StoredDtype::BF16 => chunk.iter().for_each(|&value| {
                let cast = bf16::from_f32(value);
                note(value, value.is_finite() && cast.is_infinite());
                bytes.extend_from_slice(&cast.to_le_bytes());
            }),
        });
        match overflow {
            Some(value) => Err(TensorError::Overflow { name: String::new(), value, dtype }),
            None => Ok(Self { dtype, shape: self.shape.clone(), bytes: bytes.into() }),
        }
    }

    /// Checks that all values are finite.
    ///
    /// # Errors
    /// [`TensorError::NotFinite`] with the counts.
    pub fn check_finite(&self) -> Result<(), TensorError> {
        // Values that are not finite have all bits of their exponent set.
        let pieces = self.bytes.par_chunks(PIECE * self.dtype.size());
        let suspicious = pieces.map(|bytes| self.dtype.has_full_exponent(bytes)).reduce(|| false, |a, b| a | b);
        self.release();
        if !suspicious {
            return Ok(());
        }
        let (mut nan, mut infinite) = (0, 0);
        self.for_each_chunk(|chunk| {
            nan += chunk.iter().filter(|value| value.is_nan()).count();
            infinite += chunk.iter().filter(|value| value.is_infinite()).count();
        });
        Err(TensorError::NotFinite { name: String::new(), nan, infinite, total: self.len() })
    }

    /// Visits the values in f32, a bounded number at a time, without a copy of a large tensor.
    pub(crate) fn for_each_chunk(&self, mut visit: impl FnMut(&[f32])) {
        let mut values = vec![0.0; PIECE.min(self.len())];
        for bytes in self.bytes.chunks(PIECE * self.dtype.size()) {
            let values = &mut values[..bytes.len() / self.dtype.size()];
            self.dtype.read(bytes, values);
            visit(values);
        }
        self.release();
    }
}

/// Equal dtype, shape and bytes: −0 differs from 0, and a NaN equals itself.
impl PartialEq for RawTensor {
    fn eq(&self, other: &Self) -> bool {
        self.dtype == other.dtype && self.shape == other.shape && self.bytes() == other.bytes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn tensor(shape: &[usize]) -> RawTensor {
        RawTensor::from_f32(shape, (0..shape.iter().product()).map(|k: usize| k as f32 - 3.5).collect())
    }

    #[test]
    fn every_half_survives_f32() {
        for dtype in [StoredDtype::F16, StoredDtype::BF16] {
            let finite = |bits: &u16| match dtype {
                StoredDtype::F16 => f16::from_bits(*bits).is_finite(),
                _ => bf16::from_bits(*bits).is_finite(),
            };
            let bytes: Vec<u8> = (0..=u16::MAX).filter(finite).flat_map(u16::to_le_bytes).collect();
            let halves = RawTensor::new(dtype, vec![bytes.len() / 2], bytes).expect("sizes agree");
            let singles = halves.cast(StoredDtype::F32).expect("f32 holds all");
            assert_eq!(singles.to_f32(), halves.to_f32());
            assert_eq!(singles.cast(dtype), Ok(halves));
        }
    }

    #[test]
    fn casts_round_to_nearest_even() {
        let values = vec![1.0 + 1.0 / 2048.0, 1.0 + 3.0 / 2048.0, 1e-8, -6e-8, -0.0];
        let halves = RawTensor::from_f32([5], values).cast(StoredDtype::F16).expect("all fit");
        assert_eq!(halves.to_f32(), [1.0, 1.0 + 4.0 / 2048.0, 0.0, -5.960_464_5e-8, -0.0]);
        assert!(halves.to_f32()[4].is_sign_negative());
    }

    #[test]
    fn a_value_that_would_become_infinite_is_an_error() {
        // The largest that rounds down to f16's maximum, and the smallest that does not.
        assert_eq!(
            RawTensor::from_f32([1], vec![65519.99]).cast(StoredDtype::F16).map(|t| t.to_f32()),
            Ok(vec![65504.0])
        );
        let error = RawTensor::from_f32([3], vec![65520.0, -1e6, 2.0]).cast(StoredDtype::F16);
        let expected = TensorError::Overflow { name: String::new(), value: -1e6, dtype: StoredDtype::F16 };
        assert_eq!(error, Err(expected));
        assert!(RawTensor::from_f32([1], vec![1e38]).cast(StoredDtype::BF16).is_ok());
        assert!(RawTensor::from_f32([1], vec![f32::MAX]).cast(StoredDtype::BF16).is_err());
        // Values that are infinite already do not overflow; another check refuses them.
        let infinite = RawTensor::from_f32([2], vec![f32::INFINITY, f32::NAN]).cast(StoredDtype::F16);
        let values = infinite.map(|t| t.to_f32()).unwrap_or_default();
        assert!(values[0] == f32::INFINITY && values[1].is_nan());
    }

    #[test]
    fn transposing_twice_gives_it_back() {
        let matrix = tensor(&[3, 5]);
        let transposed = matrix.transpose().expect("a matrix");
        assert_eq!(transposed.shape(), [5, 3]);
        for (row, column) in (0..3).flat_map(|row| (0..5).map(move |column| (row, column))) {
            assert_eq!(transposed.to_f32()[column * 3 + row], matrix.to_f32()[row * 5 + column]);
        }
        assert_eq!(transposed.transpose(), Ok(matrix));
        assert_eq!(tensor(&[0, 4]).transpose().map(|t| t.shape().to_vec()), Ok(vec![4, 0]));
        assert!(matches!(tensor(&[4]).transpose(), Err(TensorError::Shape { .. })));
    }

    #[test]
    fn parts_join_to_the_whole() {
        for shape in [&[6, 2][..], &[6], &[3, 2, 2]] {
            let whole = tensor(shape);
            let parts = whole.split_first_axis(3).expect("three divides the first axis");
            assert_eq!(parts.len(), 3);
            assert_eq!(RawTensor::join_first_axis(&parts), Ok(whole));
        }
        assert!(matches!(tensor(&[4, 2]).split_first_axis(3), Err(TensorError::Shape { .. })));
        assert!(matches!(tensor(&[]).split_first_axis(1), Err(TensorError::Shape { .. })));
        assert!(matches!(RawTensor::join_first_axis(&[]), Err(TensorError::Shape { .. })));
        assert!(RawTensor::join_first_axis(&[tensor(&[2, 2]), tensor(&[2, 3])]).is_err());
        assert!(RawTensor::join_first_axis(&[tensor(&[2]), tensor(&[])]).is_err());
    }

    #[test]
    fn sizes_that_do_not_agree_are_refused() {
        for (shape, bytes) in [(vec![2], 7), (vec![], 0), (vec![usize::MAX, 2], 8), (vec![1 << 62, 4], 0)] {
            let error = RawTensor::new(StoredDtype::F32, shape, vec![0; bytes]);
            assert!(matches!(error, Err(TensorError::Size { .. })), "{error:?}");
        }
    }

    #[test]
    fn a_large_tensor_is_visited_whole() {
        let values: Vec<f32> = (0..40_000).map(|k| k as f32).collect();
        let tensor = RawTensor::from_f32([40_000], values.clone());
        let mut visited = Vec::new();
        tensor.for_each_chunk(|chunk| visited.extend_from_slice(chunk));
        assert_eq!(visited, values);
    }

    /// All values of the two short dtypes one by one, in a tensor of more than one piece.
    #[test]
    fn every_short_value_is_converted_as_the_half_crate_does() {
        for dtype in [StoredDtype::F16, StoredDtype::BF16] {
            let bits: Vec<u16> = (0..=u16::MAX).collect();
            let bytes: Vec<u8> = bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
            let tensor = RawTensor::new(dtype, vec![bits.len()], bytes).unwrap();
            let single = |bits: u16| match dtype {
                StoredDtype::F16 => f16::from_bits(bits).to_f32(),
                _ => bf16::from_bits(bits).to_f32(),
            };
            for (found, bits) in tensor.to_f32().into_iter().zip(&bits) {
                let expected = single(*bits);
                assert!(found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan()), "{bits:#x}");
            }
            let total = |infinite: bool| {
                bits.iter().filter(move |bits| match infinite {
                    true => single(**bits).is_infinite(),
                    false => single(**bits).is_nan(),
                })
            };
            match tensor.check_finite() {
                Err(TensorError::NotFinite { nan, infinite, .. }) => {
                    assert_eq!((nan, infinite), (total(false).count(), total(true).count()));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
