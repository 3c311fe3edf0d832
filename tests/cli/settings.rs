//! `settings` and `methods`: the listings of what training accepts.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::radapter;

/// The setting with this key in a listing.
fn setting<'a>(listed: &'a Value, key: &str) -> Option<&'a Value> {
    listed.as_array().unwrap().iter().find(|setting| setting["key"] == key)
}

#[test]
fn every_setting_is_listed_with_type_default_range_and_meaning() {
    let listed = radapter("settings --json").succeed().json();
    let lr = setting(&listed, "lr").unwrap();
    assert_eq!((&lr["type"], &lr["default"], &lr["range"]), (&json!("a number"), &json!("5e-4"), &json!("above 0")));
    assert_eq!(lr["help"], "Base learning rate of the schedule.");
    assert_eq!(lr["tasks"], json!(["classification", "retrieval", "segmentation"]));
    assert_eq!(lr["set_by"]["method full"], "3e-5");
    let kind = setting(&listed, "loss.kind").unwrap();
    assert_eq!(kind["words"], json!(["mpm-nce", "info-nce", "cross-entropy", "class-texts"]));
    let batch = setting(&listed, "batch_size").unwrap();
    assert_eq!(batch["default"], "min(64, samples)");
    for key in ["adapter.rank", "augment.flip", "log.tensorboard", "captions", "proposals", "crop.margin"] {
        assert!(setting(&listed, key).is_some(), "{key}");
    }
    for setting in listed.as_array().unwrap() {
        assert!(
            !setting["help"].as_str().unwrap().is_empty() && !setting["type"].as_str().unwrap().is_empty(),
            "{setting}"
        );
    }

    assert_eq!(setting(&listed, "train").unwrap()["required"], true);
}

#[test]
fn the_overview_has_a_line_for_each_setting_under_the_heading_of_its_group() {
    let text = radapter("settings").succeed().stdout;
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let line = |start: &str| {
        text.lines().position(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}: {text}"))
    };
    let lr = text.lines().nth(line("lr ")).unwrap();
    assert!(lr.contains("5e-4 *") && lr.contains("above 0") && lr.contains("Base learning rate"), "{lr}");
    assert!(
        line("every training") < line("lr ")
            && line("lr ") < line("group loss")
            && line("group loss") < line("loss.margin")
    );
    assert!(line("only classification") < line("shots "), "{text}");
    // Everything that a setting accepts, words beside numbers.
    let values = |start: &str| {
        let cell = |line: &str| line.chars().skip(34).take(14).collect::<String>().trim().to_owned();
        let rows = text.lines().skip(line(start));
        let rows = rows.enumerate().take_while(|(row, line)| *row == 0 || line.starts_with(' '));
        rows.map(|(_, line)| cell(line)).collect::<Vec<_>>().join(" ").trim().to_owned()
    };
    assert_eq!(values("ema "), "at least 0 and below 1, none, auto");
    assert_eq!(values("validate_every "), "at least 1, epoch, end");
    assert_eq!(values("adapter.rank "), "\"full\" or a whole number of at least 1, the rank");
    // A setting of every task is listed once, also where a word stands for a rule.
    assert_eq!(text.lines().filter(|line| line.starts_with("ema ")).count(), 1, "{text}");
    assert!(line("ema ") < line("group loss"), "{text}");
    assert!(text.lines().nth(line("train ")).unwrap().contains("required"), "{text}");
    let of_retrieval = radapter("settings --task retrieval").succeed().stdout;
    assert!(of_retrieval.contains("\ncaptions ") && !of_retrieval.contains("\nonly "), "{of_retrieval}");
}

#[test]
fn settings_are_listed_by_key_and_task() {
    let text = radapter("settings lr loss.margin").succeed().stdout;
    assert!(text.starts_with("lr = 5e-4\n") && text.contains("\nloss.margin = 0.05 with mpm-nce"), "{text}");
    assert!(!text.contains("batch_size"), "{text}");
    let of = |task: &str| radapter(&format!("settings --json --task {task}")).succeed().json();
    let (retrieval, classification) = (of("retrieval"), of("classification"));
    assert!(setting(&retrieval, "captions").is_some() && setting(&retrieval, "shots").is_none());
    assert!(setting(&classification, "captions").is_none() && setting(&classification, "shots").is_some());
    assert_eq!(setting(&retrieval, "alpha").unwrap()["default"], "0.8");

    radapter("settings epoch").fail(2, &["unknown setting `epoch`; did you mean epochs?"]);
    radapter("settings clas_names").fail(2, &["unknown setting `clas_names`; did you mean class_names?"]);
    let other = "unknown setting `crop.margin`; it is a setting of segmentation, not of classification";
    radapter("settings --task classification crop.margin").fail(2, &[other]);
    radapter("settings --task detection").fail(2, &["detection", "classification, retrieval, segmentation"]);
}

#[test]
fn the_values_of_a_recipe_are_listed() {
    let listed = radapter("settings --recipe paper-16-shot --json").succeed().json();
    assert_eq!(setting(&listed, "adapter.rank").unwrap()["default"], "4");
    assert_eq!(setting(&listed, "templates").unwrap()["default"], "\"a photo of a {}\"");
    // The recipe belongs to classification.
    assert!(setting(&listed, "captions").is_none());
    let all = radapter("settings augment.flip --json").succeed().json();
    assert_eq!(all[0]["set_by"]["recipe paper-16-shot"], "0.5");

    radapter("settings --recipe paper-17-shot").fail(2, &["paper-17-shot", "paper-16-shot", "paper-coco", "ovseg"]);
    radapter("settings --task retrieval --recipe ovseg").fail(2, &["ovseg", "retrieval: auto, paper-coco"]);
}

/// Methods of all tasks, and of those with classes alone.
const OF_TEXTS_AND_CLASSES: &[&str] = &["r-adapter", "flyp", "ovseg", "carot", "lora", "adaptformer", "repadapter"];
const OF_CLASSES: &[&str] = &["full", "linear-probe", "lp-ft", "clipood", "lipsum-ft", "mask-fill", "coop", "maple"];

#[test]
fn methods_are_listed() {
    let text = radapter("methods").succeed().stdout;
    for part in ["r-adapter\n", "full\n", "flyp\n", "ovseg\n", "arXiv"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let listed = radapter("methods --json").succeed().json();
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|method| method["name"].as_str().unwrap()).collect();
    let of_compare = ["r-adapter-rank-4", "r-adapter-auto", "wise-ft", "wise-ft-auto", "lines", "soup", "stock"];
    let of_train = [OF_TEXTS_AND_CLASSES, OF_CLASSES].concat();
    assert_eq!(names[..of_train.len()].iter().collect::<BTreeSet<_>>(), of_train.iter().collect());
    assert_eq!(names[of_train.len()..], of_compare);
    assert_eq!(
        (&listed[3]["command"], listed.as_array().unwrap().last().map(|method| &method["command"])),
        (&json!("train"), Some(&json!("compare")))
    );
    assert_eq!(listed[1]["tasks"], json!(["classification"]));
    assert_eq!(listed[2]["tasks"], json!(["classification", "retrieval", "segmentation"]));
}

#[test]
fn a_group_is_listed_by_its_name_and_the_defaults_are_the_task_s() {
    let text = radapter("settings loss").succeed().stdout;
    assert!(text.starts_with("loss.kind") && text.contains("\nloss.margin = ") && !text.contains("lr ="), "{text}");
    let listed = radapter("settings alpha --task retrieval --json").succeed().json();
    assert_eq!(setting(&listed, "alpha").unwrap()["default"], "0.8");
    radapter("settings learning_rate").fail(2, &["did you mean lr?"]);
}

#[test]
fn methods_and_recipes_are_listed_by_name() {
    let listed = radapter("settings method recipe --json").succeed().json();
    let words = |key: &str| setting(&listed, key).unwrap()["words"].as_array().unwrap().clone();
    let found = words("method");
    let found: BTreeSet<&str> = found.iter().filter_map(Value::as_str).collect();
    assert_eq!(found, [OF_TEXTS_AND_CLASSES, OF_CLASSES].concat().into_iter().collect());
    assert!(words("recipe").contains(&json!("paper-16-shot")) && words("recipe").contains(&json!("ovseg")));
    let best = radapter("settings best --task classification --json").succeed().json();
    assert_eq!(best[0]["words"], json!(["top1", "top5"]));
    let retrieval = radapter("settings method --task retrieval --json").succeed().json();
    assert_eq!(retrieval[0]["words"], json!(OF_TEXTS_AND_CLASSES));
}
