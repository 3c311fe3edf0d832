//! The temperature at which `eval` and `sweep` report a second calibration error.

use std::path::{Path, PathBuf};

use radapter_classification::calibration::Temperatures;
use radapter_classification::classes::Classes;
use radapter_classification::finetuned::ClassificationRun;
use radapter_classification::head::Head;
use radapter_classification::read::read_labelled;
use radapter_classification::suite::{TestSet, labelled_logits};
use radapter_clip::model::Encoder;
use radapter_datasets::OnError;
use radapter_embedding::EmbedOptions;

use crate::command::Session;
use crate::command::failure::Usage;

/// Maximum number of a run's validation images: many more than one number needs, few beside a test set.
const MOST: usize = 5000;

/// In-distribution images that are not evaluated on; `None` if there are none.
pub(super) struct Calibration(Option<TestSet>);

impl Calibration {
    /// Opens the images of `--calibrate`, else the validation images of the run. `evaluated` are the data that are evaluated on.
    pub(super) fn open(
        given: Option<&Path>,
        run: Option<&ClassificationRun>,
        classes: &Classes,
        evaluated: &[PathBuf],
        on_error: OnError,
    ) -> anyhow::Result<Self> {
        let is_evaluated = |path: &Path| evaluated.iter().any(|other| is_same(path, other));
        let none = |reason: String| {
            tracing::info!("no calibrated ECE: {reason}; --calibrate DIR names in-distribution images to calibrate on");
            Ok(Self(None))
        };
        // Held-out images are among those of `train`.
        let own = run.map(ClassificationRun::task).and_then(|task| task.val.as_ref().or(task.train.as_ref()));
        match (given, run) {
            (Some(given), _) if given == Path::new("none") => Ok(Self(None)),
            (Some(given), _) if is_evaluated(given) => Err(Usage(format!(
                "--calibrate {} names images that are evaluated on; expected other in-distribution images, such as validation images",
                given.display()
            ))
            .into()),
            (Some(given), _) => {
                let images = read_labelled(given, None, on_error)?;
                Ok(Self(Some(TestSet::new(given.display().to_string(), images, classes)?)))
            }
            (None, None) => none("the model is not a run, whose validation images would be used".to_owned()),
            (None, Some(_)) if own.is_some_and(|path| is_evaluated(path)) => {
                none("the run's validation images are evaluated on".to_owned())
            }
            (None, Some(run)) => match run.validation(MOST) {
                Ok(Some(set)) => Ok(Self(Some(set))),
                Ok(None) => none("the run has no validation images".to_owned()),
                Err(error) => none(error.to_string()),
            },
        }
    }

    /// A classifier with the model's temperature, and with the calibrated one where there is one.
    pub(super) fn calibrated(
        &self,
        head: Head,
        temperature: f64,
        encoder: &dyn Encoder,
        options: &EmbedOptions,
        session: &Session,
    ) -> anyhow::Result<Head> {
        let mut temperatures = Temperatures { model: temperature, calibrated: None };
        if let Some(set) = &self.0 {
            let total = set.samples.len();
            let progress = session.progress.start("calibrating", "images", total as u64);
            let found = labelled_logits(encoder, &head, set, options, &mut |done| progress.set(done as u64, ""))?;
            progress.finish();
            match found.inverse_temperature() {
                Ok(inverse) => {
                    let (name, count) = (&set.name, found.len());
                    let found = 1.0 / inverse;
                    tracing::info!(
                        "temperature {found:.4} calibrated on {count} images ({name}); the model's is {temperature:.4}"
                    );
                    temperatures.calibrated = Some(found);
                }
                Err(error) => tracing::warn!("no calibrated ECE: {}: {error}", set.name),
            }
        }
        Ok(head.with_temperatures(temperatures))
    }
}

/// Whether two paths are the same file or folder.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}
