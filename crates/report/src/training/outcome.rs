//! The verdict on a training run.

use radapter_training::ValidationLine;
use radapter_training::config::Keep;

use super::value;
use crate::percent;

/// What validation by `metric` says of the model that the run keeps, beside the base model if that was measured. Only figures: the
/// record does not say on how many samples they were measured.
pub(super) fn outcome(metric: &str, keep: Keep, finished: bool, validations: &[&ValidationLine]) -> String {
    let base = validations.iter().find(|line| line.step == 0).and_then(|line| value(line, metric));
    let tuned: Vec<&&ValidationLine> = validations.iter().filter(|line| line.step > 0).collect();
    let shown = match keep {
        Keep::Best => tuned.iter().rfind(|line| line.best),
        Keep::Last => tuned.last(),
    };
    let Some((step, now)) = shown.and_then(|line| Some((line.step, value(line, metric)?))) else {
        let none = if finished { "No validation of the tuned model" } else { "No validation yet" };
        return match base {
            Some(base) => format!("{none}; the base model has {metric} {} on the validation data.", percent(base)),
            None => format!("{none}: nothing here says whether the model became better; radapter eval measures it."),
        };
    };
    let state = if finished { "" } else { "Not finished. " };
    let (count, now) = (tuned.len(), percent(now));
    let chosen = match (keep, count) {
        (_, 1) => format!("at step {step}"),
        (Keep::Best, _) => {
            format!("best of {count} validations, at step {step}; the best of several is too high on average")
        }
        (Keep::Last, _) => format!("last of {count} validations, at step {step}"),
    };
    let beside = match base {
        Some(base) => format!("base {}, tuned {now} ({chosen}).", percent(base)),
        None => format!("tuned {now} ({chosen}); the base model was not measured."),
    };
    format!(
        "{state}{metric} on the validation data: {beside} Whether the model is robust on other data (OOD) is not measured in \
         training; radapter sweep and radapter eval measure it."
    )
}
