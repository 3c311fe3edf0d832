use burn::tensor::{Bool, Int, Tensor, TensorData};

use super::Rows;

/// The one position of each sample whose output a tower needs: the class token, or the end of text.
#[derive(Clone, Debug)]
pub struct Pooled {
    /// Rows of an activation `[batch · tokens, width]`: `[batch]`
    pub(super) rows: Tensor<1, Int>,
    /// The positions that a sample's pooled one does not see: `[batch, 1, 1, tokens]`; nothing where it sees all.
    pub(super) unseen: Option<Tensor<4, Bool>>,
}

impl Pooled {
    /// The position of each sample; `causal`: it sees itself and those before it.
    pub fn new(positions: &[usize], rows: Rows, causal: bool, device: &burn::tensor::Device) -> Self {
        let Rows { batch, tokens } = rows;
        let at = positions.iter().enumerate().map(|(sample, position)| (sample * tokens + position) as i64);
        let data = TensorData::new(at.collect::<Vec<i64>>(), [batch]);
        let unseen = causal.then(|| {
            let unseen = positions.iter().flat_map(|position| (0..tokens).map(move |at| at > *position));
            Tensor::from_data(TensorData::new(unseen.collect::<Vec<bool>>(), [batch, 1, 1, tokens]), device)
        });
        Self { rows: Tensor::from_data(data, device), unseen }
    }

    /// Those rows.
    ///
    /// # Shapes
    /// `[batch · tokens, width]` → `[batch, width]`
    pub fn select(&self, x: Tensor<2>) -> Tensor<2> {
        x.select(0, self.rows.clone())
    }
}
