//! Pages of runs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use radapter_training::config::Keep;

use super::*;

fn line(step: u64, top1: f64, best: bool) -> ValidationLine {
    let values = serde_json::json!({ "top1": top1 });
    ValidationLine {
        step,
        epoch: step,
        values: values.as_object().unwrap().clone(),
        best,
        start: false,
        samples: None,
        seconds: 0.1,
    }
}

fn chart(validations: &[&ValidationLine]) -> String {
    let mut page = Page::new("run", "");
    validation(&mut page, validations, "top1");
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
    let last = outcome("top1", Keep::Last, false, &lines, None, None);
    assert!(
        last.starts_with("Not finished. top1 on the validation data: base 40.0 %, tuned 35.0 % (last of 2"),
        "{last}"
    );
    let best = outcome("top1", Keep::Best, true, &lines, None, None);
    assert!(
        best.starts_with("top1 on the validation data: base 40.0 %, tuned 50.0 % (best of 2 validations"),
        "{best}"
    );
    assert!(!best.contains("Better"), "{best}");
    let single = outcome("top1", Keep::Best, true, &lines[..2], None, None);
    assert!(single.contains("tuned 50.0 % (at step 10)."), "{single}");
    let unmeasured = outcome("top1", Keep::Last, false, &lines[1..], None, None);
    assert!(unmeasured.contains("the base model was not measured"), "{unmeasured}");
    let early = outcome("top1", Keep::Best, false, &lines[..1], None, None);
    assert_eq!(early, "No validation yet; the base model has top1 40.0 % on the validation data.");
    assert!(outcome("top1", Keep::Last, false, &[], None, None).starts_with("No validation yet: nothing here says"));
    assert!(
        outcome("top1", Keep::Last, true, &[], None, None).starts_with("No validation of the tuned model: nothing")
    );
}

#[test]
fn few_samples_make_no_verdict_and_the_base_and_the_start_are_told_apart() {
    let counted = |line: ValidationLine, samples| ValidationLine { samples: Some(samples), ..line };
    let of = |samples| {
        let lines = [
            counted(line(0, 0.4, false), samples),
            ValidationLine { start: true, ..counted(line(0, 0.45, false), samples) },
            counted(line(10, 0.6, true), samples),
        ];
        let lines: Vec<&ValidationLine> = lines.iter().collect();
        (outcome("top1", Keep::Best, true, &lines, Some("The suite."), None), chart(&lines))
    };
    let (few, page) = of(10);
    assert!(few.contains("base 40.0 %, start 45.0 %, tuned 60.0 %"), "{few}");
    assert!(
        few.contains("No clear change: +20.0 points on 10 samples (within") && few.ends_with("The suite."),
        "{few}"
    );
    assert!(page.contains("a mean over 10 samples") && page.contains(">start</td>"), "{page}");
    assert!(of(10_000).0.contains(" Better: +20.0 points on 10000 samples, against"), "{}", of(10_000).0);
}

#[test]
fn the_suite_of_a_run_is_a_table_and_a_verdict() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Suite::read(folder.path()).unwrap().is_none());
    let set = |top1: f64| serde_json::json!({ "top1": top1, "top5": 1.0, "n": 1000, "per_class": {} });
    let model = |alpha: f64, id: f64, ood: f64| {
        let mut near = set(id);
        near["name"] = "photo".into();
        serde_json::json!({ "alpha": alpha, "id": near, "ood": { "sketch": set(ood), "objects": set(ood) }, "ood_average": ood,
            "second_average": { "without": ["objects"], "top1": ood, "top1_interval": [0.0, 1.0] } })
    };
    let path = folder.path().join("suite.json");
    let models = serde_json::json!([model(0.0, 0.5, 0.4), model(0.5, 0.8, 0.2)]);
    std::fs::write(&path, models.to_string()).unwrap();
    let suite = Suite::read(folder.path()).unwrap().unwrap();
    let verdict = suite.verdict(&"0.5".parse().unwrap()).unwrap();
    assert!(
        verdict.starts_with("The suite at alpha = 0.5: Better on the task's data, at the cost of other data: +30.0"),
        "{verdict}"
    );
    assert_eq!(suite.verdict(&"0.7".parse().unwrap()), None);
    let mut page = Page::new("run", "");
    suite.show(&mut page);
    let page = page.finish();
    for part in ["photo", "sketch", "alpha = 0.5", "20.0 % \u{b1} 2.5", "average", "average without objects", "1000"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    std::fs::write(&path, "[{}]").unwrap();
    assert!(Suite::read(folder.path()).err().unwrap().to_string().contains("suite.json"));
}

#[test]
fn speed_has_the_unit_of_the_task() {
    let charts = curves(&[], "pairs");
    assert_eq!(charts[3].y.0, "pairs/s");
    assert!(charts.iter().all(|chart| !chart.y.0.is_empty() && !chart.x.0.is_empty()), "{charts:?}");
}
