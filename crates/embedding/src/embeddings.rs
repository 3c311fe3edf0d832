//! Rows of embeddings on the host.

use burn::tensor::{Device, Tensor, TensorData};

/// Number of rows whose products are computed at once: enough for an efficient matrix product, few enough that the products with a
/// thousand rows stay small.
const ROWS: usize = 4096;

/// Rows of embeddings on the host, in the order of the inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embeddings {
    dim: usize,
    values: Vec<f32>,
}

impl Embeddings {
    /// Creates rows of `dim` values.
    ///
    /// # Panics
    /// If the number of values is not a multiple of `dim`.
    pub fn new(dim: usize, values: Vec<f32>) -> Self {
        assert!(dim > 0 && values.len().is_multiple_of(dim), "{} values is not a multiple of {dim}", values.len());
        Self { dim, values }
    }

    /// Copies the rows of a tensor to the host.
    ///
    /// # Shapes
    /// `[rows, dim]`
    pub fn from_tensor(tensor: Tensor<2>) -> Self {
        let [_, dim] = tensor.dims();
        let data = tensor.into_data().convert::<f32>();
        let values = data.try_into_vec().expect("the data was just converted to f32");
        Self::new(dim, values)
    }

    /// Copies all rows to a device.
    ///
    /// # Shapes
    /// `[rows, dim]`
    pub fn to_tensor(&self, device: &Device) -> Tensor<2> {
        let data = TensorData::new(self.values.clone(), [self.len(), self.dim]);
        Tensor::from_data(data, device)
    }

    /// Returns the length of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        // Only the default has `dim` 0, and it has no rows.
        self.values.len() / self.dim.max(1)
    }

    #[allow(missing_docs, reason = "as for every collection")]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns the row at `index`, or `None` past the end.
    pub fn row(&self, index: usize) -> Option<&[f32]> {
        let start = index.checked_mul(self.dim)?;
        self.values.get(start..start + self.dim)
    }

    /// Iterates over the rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.dim.max(1))
    }

    /// Computes the dot products of each row with all rows of `others` on `device`, and passes them to `take` row by row, with the
    /// row's position.
    ///
    /// # Shapes
    /// `[n, dim]` and `[m, dim]` → `n` times `[m]`
    ///
    /// # Errors
    /// Those of `take`.
    pub fn for_each_product<E>(
        &self,
        others: &Self,
        device: &Device,
        mut take: impl FnMut(usize, &[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let columns = others.to_tensor(device).transpose();
        let mut position = 0;
        for part in self.values.chunks(ROWS * self.dim.max(1)) {
            let shape = [part.len() / self.dim, self.dim];
            let rows = Tensor::<2>::from_data(TensorData::new(part.to_vec(), shape), device);
            for row in Self::from_tensor(rows.matmul(columns.clone())).rows() {
                take(position, row)?;
                position += 1;
            }
        }
        Ok(())
    }

    /// Returns all values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}
