//! Losses as functions of a batch's embeddings.

use std::fmt::Debug;

use burn::tensor::{Int, Tensor};
use radapter_losses::{LossError, MpmNceConfig, Positives, cross_entropy, info_nce, mpm_nce};

/// Counterpart that images are compared with.
#[derive(Clone, Debug)]
pub enum Side {
    /// The samples' texts, `[batch, embed_dim]`, or those of all classes, `[classes, embed_dim]`; L2-normalised.
    Text(Tensor<2>),
    /// A classifier: `[classes, embed_dim]`, used as stored (its rows are not normalised again).
    Head(Tensor<2>),
}

/// Loss of a batch: a pure function of embeddings, so that towers and loss can be differentiated separately.
pub trait Objective: Debug + Send + Sync {
    /// Whether images are compared with their texts (both towers run) or with a classifier (only the image tower runs).
    fn needs_text(&self) -> bool;

    /// Whether the texts are those of all classes ([`TrainData::class_texts`](crate::TrainData::class_texts)), not the samples'.
    fn compares_classes(&self) -> bool {
        false
    }

    /// Returns the smallest batch for which the loss is meaningful.
    fn min_batch(&self) -> usize;

    /// Computes the loss.
    ///
    /// # Shapes
    /// * `image`: `[batch, embed_dim]`, L2-normalised
    /// * `labels`: one per image
    /// * result: `[1]`
    ///
    /// # Errors
    /// [`LossError`] where the loss is undefined, or `side` is not the kind that this objective needs.
    fn loss(&self, image: Tensor<2>, side: Side, labels: &[i64]) -> Result<Tensor<1>, LossError>;
}

/// Contrastive loss of images and texts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Contrastive {
    /// Multi-positive margin NCE: samples with the same label are positives.
    MpmNce(MpmNceConfig),
    /// CLIP's own loss: each pair is its only positive.
    InfoNce {
        /// Softmax temperature τ.
        temperature: f64,
    },
}

impl Objective for Contrastive {
    fn needs_text(&self) -> bool {
        true
    }

    fn min_batch(&self) -> usize {
        2
    }

    fn loss(&self, image: Tensor<2>, side: Side, labels: &[i64]) -> Result<Tensor<1>, LossError> {
        let Side::Text(text) = side else {
            return Err(wrong_side("text embeddings", &image, &side));
        };
        match self {
            Self::MpmNce(config) => mpm_nce(image, text, &Positives::from_labels(labels), config),
            Self::InfoNce { temperature } => info_nce(image, text, *temperature),
        }
    }
}

/// Cross-entropy of `image · headᵀ / τ` over a classifier, as in full fine-tuning; with a margin λ of `(image − λ·head_label) ·
/// headᵀ / τ`, which lowers the logit of each class by its similarity to the image's own (CLIPood; Shu et al., ICML 2023, arXiv
/// 2302.00864).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossEntropy {
    /// Margin λ.
    pub margin: f64,
    /// Label smoothing ε, the share of the target spread over all classes.
    pub smoothing: f64,
    /// Softmax temperature τ.
    pub temperature: f64,
}

impl Objective for CrossEntropy {
    fn needs_text(&self) -> bool {
        false
    }

    fn min_batch(&self) -> usize {
        1
    }

    fn loss(&self, image: Tensor<2>, side: Side, labels: &[i64]) -> Result<Tensor<1>, LossError> {
        let Side::Head(head) = side else {
            return Err(wrong_side("classifier", &image, &side));
        };
        let classes = head.dims()[0];
        let labels = labels
            .iter()
            .enumerate()
            .map(|(index, &label)| {
                // A negative label is reported as the largest number, which is out of range too.
                let label = usize::try_from(label).unwrap_or(usize::MAX);
                if label < classes { Ok(label) } else { Err(LossError::Label { index, label, classes }) }
            })
            .collect::<Result<Vec<_>, _>>()?;
        let image = match self.margin {
            0.0 => image,
            margin => {
                let rows: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
                let rows = Tensor::<1, Int>::from_data(rows.as_slice(), &head.device());
                image - head.clone().select(0, rows).mul_scalar(margin)
            }
        };
        let logits = image.matmul(head.transpose()).div_scalar(self.temperature);
        cross_entropy(logits, &labels, self.smoothing)
    }
}

/// Cross-entropy over the embeddings of all classes' texts, which a method that learns prompts differentiates (CoOp; Zhou, Yang, Loy
/// and Liu, IJCV 2022, arXiv 2109.01134, equation 2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassTexts(pub CrossEntropy);

impl Objective for ClassTexts {
    fn needs_text(&self) -> bool {
        true
    }

    fn compares_classes(&self) -> bool {
        true
    }

    fn min_batch(&self) -> usize {
        1
    }

    fn loss(&self, image: Tensor<2>, side: Side, labels: &[i64]) -> Result<Tensor<1>, LossError> {
        let Side::Text(classes) = side else {
            return Err(wrong_side("embeddings of the classes", &image, &side));
        };
        self.0.loss(image, Side::Head(classes), labels)
    }
}

fn wrong_side(what: &'static str, image: &Tensor<2>, side: &Side) -> LossError {
    let (Side::Text(found) | Side::Head(found)) = side;
    LossError::Shape { what, expected: image.dims().to_vec(), found: found.dims().to_vec() }
}
