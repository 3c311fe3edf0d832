//! The verdict on a training run.

use radapter_training::ValidationLine;
use radapter_training::choice::Choice;
use radapter_training::config::Keep;

use super::value;
use crate::{Change, Interval, percent, verdict_on};

/// What validation by `metric` says of the model that the run keeps, beside the base model if that was measured, and what a suite
/// says. A verdict needs the number of validation samples.
pub(super) fn outcome(
    metric: &str,
    keep: Keep,
    finished: bool,
    validations: &[&ValidationLine],
    suite: Option<&str>,
    choice: Option<&Choice>,
) -> String {
    let first = |start| validations.iter().find(|line| line.step == 0 && line.start == start);
    let base = first(false).and_then(|line| value(line, metric));
    let tuned: Vec<&&ValidationLine> = validations.iter().filter(|line| line.step > 0).collect();
    let shown = match keep {
        Keep::Best => tuned.iter().rfind(|line| line.best),
        Keep::Last => tuned.last(),
    };
    let Some((step, now, samples)) = shown.and_then(|line| Some((line.step, value(line, metric)?, line.samples)))
    else {
        let none = if finished { "No validation of the tuned model" } else { "No validation yet" };
        return match base {
            Some(base) => format!("{none}; the base model has {metric} {} on the validation data.", percent(base)),
            None => format!("{none}: nothing here says whether the model became better; radapter eval measures it."),
        };
    };
    // A rule chose another α than that of the validations.
    let now = choice.and_then(|choice| choice.validation.get(metric).copied()).unwrap_or(now);
    let state = if finished { "" } else { "Not finished. " };
    let clear = base.zip(samples).map_or_else(String::new, |(base, samples)| {
        let change = Change::between(Interval::wilson(base, samples), Interval::wilson(now, samples));
        format!(" {}", verdict_on(&format!("{samples} samples"), change))
    });
    let (count, now) = (tuned.len(), percent(now));
    let chosen = match (keep, count) {
        (_, 1) => format!("at step {step}"),
        (Keep::Best, _) => {
            format!("best of {count} validations, at step {step}; the best of several is too high on average")
        }
        (Keep::Last, _) => format!("last of {count} validations, at step {step}"),
    };
    let chosen = match choice {
        Some(Choice { rule, alphas, .. }) => format!("{chosen}, at alpha = {alphas} by the rule {rule}"),
        None => chosen,
    };
    let start = first(true).and_then(|line| value(line, metric));
    let start = start.map_or_else(String::new, |start| format!(", start {}", percent(start)));
    let beside = match base {
        Some(base) => format!("base {}{start}, tuned {now} ({chosen}).", percent(base)),
        None => format!("tuned {now} ({chosen}); the base model was not measured."),
    };
    let other = suite.unwrap_or(
        "Whether the model is robust on other data (OOD) was not measured; radapter sweep and radapter eval measure it.",
    );
    format!("{state}{metric} on the validation data: {beside}{clear} {other}")
}
