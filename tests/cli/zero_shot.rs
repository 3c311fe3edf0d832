//! `zero-shot`: output, texts and templates.

use crate::support::{Folder, classes_folder, radapter, tiny_model};

#[test]
fn accuracy_is_printed_for_people_and_for_machines() {
    let folder = Folder::new();
    let model = tiny_model(&folder.join("model"));
    let data = classes_folder(&folder.join("data"), &["apple_pie", "zebra"], 3, false);
    let run = |words: &str| radapter(words).with("--model", &model).with("--data", &data).succeed();
    let json = run("zero-shot --json").json();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["top1", "top1_interval", "top5", "n", "temperature", "ece", "per_class", "precision"]);
    assert_eq!(json["n"], 6);
    assert_eq!(json["top5"], 1.0, "of two classes each is among the best five");
    let top1 = json["top1"].as_f64().unwrap();
    let classes = json["per_class"].as_object().unwrap();
    let mean: f64 = classes.values().map(|class| class["accuracy"].as_f64().unwrap()).sum::<f64>() / 2.0;
    assert!((mean - top1).abs() < 1e-12, "classes of equal size");

    let table = run("zero-shot").stdout;
    assert!(table.contains("apple_pie") && table.contains(&format!("{:.1} %", 100.0 * top1)), "{table}");
    assert_eq!(run("zero-shot --quiet").stderr, "");
}

#[test]
fn texts_and_templates_define_the_classifier() {
    let folder = Folder::new();
    let model = tiny_model(&folder.join("model"));
    let data = classes_folder(&folder.join("data"), &["a", "b", "c"], 4, false);
    let names = folder.file("names.toml", "a = \"b\"\nb = \"b\"\nc = \"b\"\n");
    let zero_shot = || radapter("zero-shot --json").with("--model", &model).with("--data", &data);
    // With the same text for all classes, every image gets the first one, with a warning.
    let done = zero_shot().with("--class-names", names).succeed();
    assert!(done.stderr.contains("same text"), "{}", done.stderr);
    assert_eq!(done.json()["per_class"]["a"]["accuracy"], 1.0);
    assert_eq!(done.json()["top1"], 1.0 / 3.0);

    zero_shot().with("--templates", "openai-80").succeed();
    zero_shot().with("--templates", folder.file("own.txt", "{} on a plate\nno {}\n")).succeed();
    zero_shot().with("--templates", folder.file("bad.txt", "no place\n")).fail(1, &["bad.txt", "line 1", "{}"]);
    zero_shot().with("--templates", "openai-81").fail(2, &["openai-81", "openai-80"]);
}
