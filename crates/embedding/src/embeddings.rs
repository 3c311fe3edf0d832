//! Rows of embeddings on the host.

use burn::tensor::{Device, Tensor, TensorData};

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

    /// Returns all values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}
