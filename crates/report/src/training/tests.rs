//! Pages of runs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use radapter_training::config::Keep;

use super::*;

fn line(step: u64, top1: f64, best: bool) -> ValidationLine {
    let values = serde_json::json!({ "top1": top1 });
    ValidationLine { step, epoch: step, values: values.as_object().unwrap().clone(), best, seconds: 0.1 }
}

fn chart(validations: &[&ValidationLine]) -> String {
    let mut page = Page::new("run", "");
    validation(&mut page, validations);
    page.finish()
}

#[test]
fn a_measured_base_is_a_dashed_line() {
    let lines = [line(0, 0.4, false), line(10, 0.5, true), line(20, 0.45, false)];
    let page = chart(&lines.iter().collect::<Vec<_>>());
    assert!(page.contains("stroke-dasharray") && page.contains("top1, base"), "{page}");
    assert!(page.contains("base model"), "the table's first row");
    let page = chart(&lines[1..].iter().collect::<Vec<_>>());
    assert!(!page.contains("stroke-dasharray") && !page.contains("base"), "{page}");
}

#[test]
fn the_verdict_is_of_the_model_that_the_run_keeps() {
    let lines = [line(0, 0.4, false), line(10, 0.5, true), line(20, 0.35, false)];
    let lines: Vec<&ValidationLine> = lines.iter().collect();
    let last = outcome("top1", Keep::Last, false, &lines);
    assert!(
        last.starts_with("Not finished. top1 on the validation data: base 40.0 %, tuned 35.0 % (last of 2"),
        "{last}"
    );
    let best = outcome("top1", Keep::Best, true, &lines);
    assert!(
        best.starts_with("top1 on the validation data: base 40.0 %, tuned 50.0 % (best of 2 validations"),
        "{best}"
    );
    assert!(!best.contains("Better"), "{best}");
    let single = outcome("top1", Keep::Best, true, &lines[..2]);
    assert!(single.contains("tuned 50.0 % (at step 10)."), "{single}");
    let unmeasured = outcome("top1", Keep::Last, false, &lines[1..]);
    assert!(unmeasured.contains("the base model was not measured"), "{unmeasured}");
    let early = outcome("top1", Keep::Best, false, &lines[..1]);
    assert_eq!(early, "No validation yet; the base model has top1 40.0 % on the validation data.");
    assert!(outcome("top1", Keep::Last, false, &[]).starts_with("No validation yet: nothing here says"));
    assert!(outcome("top1", Keep::Last, true, &[]).starts_with("No validation of the tuned model: nothing"));
}

#[test]
fn speed_has_the_unit_of_the_task() {
    let charts = curves(&[], "pairs");
    assert_eq!(charts[3].y.0, "pairs/s");
    assert!(charts.iter().all(|chart| !chart.y.0.is_empty() && !chart.x.0.is_empty()), "{charts:?}");
}
