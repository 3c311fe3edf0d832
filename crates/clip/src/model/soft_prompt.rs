//! Learned tokens in a tower's sequence.

use burn::tensor::Tensor;

use super::Rows;

/// Learned tokens in a tower's sequence, as in CoOp, VPT and MaPLe.
#[derive(Clone, Debug)]
pub struct SoftPrompt {
    /// `[1, length, width]`, or `[batch, length, width]` with a prompt for each sample. Cast to the type of the activations.
    pub tokens: Tensor<3>,
    /// Index of the first one in the sequence. At 1 the prompt follows the start of text, or the class token. A position past
    /// the end of the batch's sequences means their end.
    pub position: usize,
}

impl SoftPrompt {
    pub(super) fn length(&self) -> usize {
        self.tokens.dims()[1]
    }

    /// The position of a token after the prompt is inserted.
    pub(super) fn shifted(&self, position: usize) -> usize {
        if position < self.position { position } else { position + self.length() }
    }

    /// # Shapes
    /// `[batch, tokens, width]` → `[batch, tokens + length, width]`
    pub(super) fn insert(self, x: Tensor<3>) -> Tensor<3> {
        let position = self.position.min(x.dims()[1]);
        self.put(x, position, 0)
    }

    /// Replaces as many tokens of each sequence by these.
    ///
    /// # Shapes
    /// `[batch · tokens, width]` → `[batch · tokens, width]`
    pub(super) fn replace(self, x: Tensor<2>, Rows { batch, tokens }: Rows) -> Tensor<2> {
        let ([rows, width], length) = (x.dims(), self.length());
        assert!(length <= tokens, "a soft prompt of {length} tokens does not fit a sequence of {tokens}");
        let position = self.position.min(tokens - length);
        self.put(x.reshape([batch, tokens, width]), position, length).reshape([rows, width])
    }

    fn put(self, x: Tensor<3>, position: usize, replaced: usize) -> Tensor<3> {
        let ([batch, tokens, width], length) = (x.dims(), self.length());
        let end = position + replaced;
        let mut parts = vec![self.tokens.cast(x.dtype()).expand([batch, length, width])];
        if position > 0 {
            parts.insert(0, x.clone().narrow(1, 0, position));
        }
        if end < tokens {
            parts.push(x.narrow(1, end, tokens - end));
        }
        Tensor::cat(parts, 1)
    }
}
