//! The verdict on a training run.

use radapter_training::ValidationLine;
use radapter_training::config::Keep;

use super::value;
use crate::{percent, points};

/// A smaller difference is not judged: the record does not say how many images it was measured on.
const UNCLEAR: f64 = 0.02;

/// What validation by `metric` says of the model that the run keeps, against the base model if that was measured.
pub(super) fn outcome(metric: &str, keep: Keep, finished: bool, validations: &[&ValidationLine]) -> String {
    let tuned = || validations.iter().filter(|line| line.step > 0);
    let best = tuned().rfind(|line| line.best);
    let shown = if keep == Keep::Best { best } else { tuned().next_back() };
    let Some((shown, now)) = shown.and_then(|line| Some((line, value(line, metric)?))) else {
        return "Without validation, nothing here says whether the model became better; measure it with radapter eval."
            .to_owned();
    };
    let base = validations.iter().find(|line| line.step == 0).and_then(|line| value(line, metric));
    let state = if finished { "" } else { "Not finished. " };
    let judged = match base {
        Some(base) => {
            let change = now - base;
            let headline = match change {
                _ if change.abs() < UNCLEAR => "No clear change on the task's data (ID)",
                _ if change > 0.0 => "Better on the task's data (ID)",
                _ => "Worse on the task's data (ID)",
            };
            format!(
                "{headline}: {metric} is {} at step {}, {} against the base model's {}.",
                percent(now),
                shown.step,
                points(change),
                percent(base)
            )
        }
        None => format!(
            "On the task's data (ID), {metric} is {} at step {}; the base model was not measured.",
            percent(now),
            shown.step
        ),
    };
    format!(
        "{state}{judged} Whether the model is robust on other data (OOD) is not measured in training; radapter sweep and \
         radapter eval measure it."
    )
}
