use radapter_datasets::LabelledImages;

use super::PlanError;
use crate::config::ResolvedClassification;
use crate::read::read_labelled;

/// The images of a run before they are split.
#[derive(Clone, Debug, Default)]
pub struct TrainingImages {
    /// To train on; their classes are the model's.
    pub train: LabelledImages,
    /// To validate on, if they are given apart.
    pub val: Option<LabelledImages>,
}

impl TrainingImages {
    /// Reads the images that the settings name.
    pub(super) fn read(task: &ResolvedClassification) -> Result<Self, PlanError> {
        let names = task.class_names.as_ref();
        let train = task.train.as_deref().ok_or(PlanError::NoTrainingImages)?;
        Ok(Self {
            train: read_labelled(train, names).map_err(PlanError::Train)?,
            val: match task.val.as_deref() {
                Some(val) => Some(read_labelled(val, names).map_err(PlanError::Val)?),
                None => None,
            },
        })
    }
}
