//! Validation during training.

use std::error::Error;

use burn::tensor::Tensor;
use radapter_clip::model::Encoder;
use radapter_datasets::{LabelledImages, Templates};
use radapter_training::Validator;
use radapter_training::choice::{Judged, Row};

use crate::accuracy::TOP;
use crate::classes::Classes;
use crate::head::{Head, HeadError};
use crate::suite::{SuiteError, TestSet, evaluate};
use radapter_embedding::{EmbedOptions, Embeddings, Image, embed_images};

/// Default metric for selecting the best state: top-1 accuracy on the validation images.
pub const METRIC: &str = "top1";

/// Left out where it would be 1 by definition.
const TOP_5: &str = "top5";

pub(crate) const METRICS: [&str; 2] = [METRIC, TOP_5];

/// Measures top-1 accuracy and, with more than five classes, top-5 accuracy (`top1`, `top5`) on a fixed set of images.
///
/// The classifier is the trained one if there is one, else it is built once from the model's own text tower.
#[derive(Clone, Debug)]
pub struct ClassificationValidator {
    set: TestSet,
    classes: Classes,
    templates: Templates,
    options: EmbedOptions,
}

impl ClassificationValidator {
    /// Creates a validator on these images.
    ///
    /// # Errors
    /// [`SuiteError::UnknownClasses`] for an image of a class that is not in `classes`.
    pub fn new(
        images: LabelledImages,
        classes: Classes,
        templates: Templates,
        options: EmbedOptions,
    ) -> Result<Self, SuiteError> {
        Ok(Self { set: TestSet::new("validation", images, &classes)?, classes, templates, options })
    }
}

impl ClassificationValidator {
    /// The trained classifier, else one of the model's text tower.
    fn head(&self, model: &dyn Encoder, head: Option<&Tensor<2>>) -> Result<Head, HeadError> {
        match head {
            Some(rows) => Head::new(self.classes.clone(), Vec::new(), Embeddings::from_tensor(rows.clone())),
            None => Head::zero_shot(model, &self.classes, &self.templates, self.options.batch),
        }
    }
}

impl Validator for ClassificationValidator {
    fn metrics(&self) -> &'static [&'static str] {
        if self.classes.len() > TOP { &METRICS } else { &[METRIC] }
    }

    fn samples(&self, _metric: &str) -> Option<u64> {
        Some(self.set.samples.len() as u64)
    }

    fn validate(
        &mut self,
        model: &dyn Encoder,
        head: Option<&Tensor<2>>,
    ) -> Result<Vec<(String, f64)>, Box<dyn Error + Send + Sync>> {
        let head = self.head(model, head)?;
        let outcome = evaluate(model, &head, &self.set, &self.options, &mut |_| {})?;
        let evaluation = outcome.evaluation;
        let values = [evaluation.top1, evaluation.top5];
        Ok(self.metrics().iter().map(|&name| name.to_owned()).zip(values).collect())
    }

    fn judges(&self) -> bool {
        true
    }

    fn judge(
        &mut self,
        model: &dyn Encoder,
        head: Option<&Tensor<2>>,
        sets: &[Judged<'_>],
        take: &mut dyn FnMut(usize, Row<'_>),
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let (head, device) = (self.head(model, head)?, model.device());
        let samples: Vec<Image> = self.set.samples.iter().map(Image::from).collect();
        for (number, set) in sets.iter().enumerate() {
            let (images, labelled, shift) = match *set {
                Judged::HeldOut => (&samples[..], true, None),
                Judged::Shifted(round) => (&samples[..], true, Some(round)),
                Judged::Unlabelled(images) => (images, false, None),
            };
            let options = EmbedOptions { trim: self.set.border, shift, ..self.options.clone() };
            let embedded = embed_images(model, images, &options, &mut |_| {})?;
            head.for_each_logits(&embedded.embeddings, &device, |row, logits| {
                let sample = embedded.kept[row];
                let right = self.set.samples.get(sample).filter(|_| labelled).map(|sample| sample.label);
                let scores = self.set.candidates.scores(logits);
                take(number, Row { sample, scores: &scores, right: right.as_slice() });
                Ok::<(), HeadError>(())
            })?;
        }
        Ok(())
    }
}
