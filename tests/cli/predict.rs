//! `predict`: classes, formats and arguments.

use serde_json::Value;

use crate::support::{CLASSES, Folder, radapter, solid_png, trained};

#[test]
fn a_run_predicts_its_own_classes() {
    let folder = Folder::new();
    let out = folder.join("predictions.csv");
    radapter("predict --top 2")
        .with("--model", trained().run())
        .with("--images", trained().images())
        .with("--out", &out)
        .succeed();
    let text = std::fs::read_to_string(&out).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["image", "class_1", "probability_1", "class_2", "probability_2"]);
    assert_eq!(rows.len(), 31);
    assert_eq!(rows[1][0], "big_cat/00.png");
    assert!(CLASSES.contains(&rows[1][1]) && rows[1][1] != rows[1][3]);
    let (first, second): (f64, f64) = (rows[1][2].parse().unwrap(), rows[1][4].parse().unwrap());
    assert!(first >= second && first + second <= 1.0 + 1e-6);
}

#[test]
fn an_export_predicts_as_its_run_and_a_plain_model_needs_names() {
    let folder = Folder::new();
    solid_png(&folder.join("a.png"), [200, 30, 30]);
    let merged = folder.join("merged");
    radapter("merge").with("--run", trained().run()).with("--out", &merged).succeed();
    let predict = |model: &std::path::Path| {
        radapter("predict")
            .with("--model", model)
            .with("--images", folder.join("a.png"))
            .with("--out", folder.join("out.jsonl"))
    };
    let answer = || -> Value {
        let text = std::fs::read_to_string(folder.join("out.jsonl")).unwrap();
        serde_json::from_str(text.trim_end()).unwrap()
    };
    predict(&merged).succeed();
    let exported = answer();
    predict(&trained().run()).succeed();
    let run = answer();
    assert_eq!(exported["image"], folder.join("a.png").to_str().unwrap());
    assert_eq!(exported["predictions"].as_array().unwrap().len(), 3, "of three classes five are three");
    let probabilities = |answer: &Value| -> Vec<f64> {
        let list = answer["predictions"].as_array().unwrap();
        list.iter().map(|one| one["probability"].as_f64().unwrap()).collect()
    };
    assert!((probabilities(&run).iter().sum::<f64>() - 1.0).abs() < 1e-9);
    for (a, b) in probabilities(&exported).iter().zip(probabilities(&run)) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }

    predict(&trained().model()).fail(1, &["--class-names"]);
    let names = folder.file("names.toml", "x = \"a red square\"\ny = \"a blue circle\"\n");
    let by_file = predict(&trained().model()).with("--class-names", names).succeed().stdout;
    let by_list = predict(&trained().model()).with("--class-names", "x=a red square, y=a blue circle").succeed().stdout;
    assert_eq!(by_list, by_file);
    let classes: Vec<Value> =
        answer()["predictions"].as_array().unwrap().iter().map(|one| one["text"].clone()).collect();
    assert!(classes.contains(&"a red square".into()) && classes.len() == 2, "{classes:?}");
}

#[test]
fn only_the_extension_chooses_the_format() {
    let folder = Folder::new();
    let predict = |out: &str| {
        radapter("predict")
            .with("--model", trained().run())
            .with("--images", trained().images())
            .with("--out", folder.join(out))
    };
    predict("out.txt").fail(2, &["out.txt", ".csv"]);
    predict("out").fail(2, &[".csv"]);
    radapter("predict --out out.csv").with("--model", trained().run()).fail(2, &["--images"]);
}

#[test]
fn predictions_are_printed_as_a_table_json_or_csv() {
    let folder = Folder::new();
    let names = folder.file("names.toml", "big_cat = \"a lion\"\n");
    let predict = |more: &str| {
        radapter(&format!("predict --top 2 {more}"))
            .with("--model", trained().run())
            .with("--images", trained().images())
            .with("--class-names", &names)
            .succeed()
    };
    let table = predict("").stdout;
    assert_eq!(table.lines().filter(|line| line.starts_with("big_cat/")).count(), 10, "{table}");
    assert!(table.contains("a lion") && table.contains('%'), "{table}");
    let json = predict("--json").json();
    assert_eq!((json.as_array().unwrap().len(), json[0]["predictions"].as_array().unwrap().len()), (30, 2));
    let csv = predict("--out -").stdout;
    assert!(csv.starts_with("image,class_1,text_1,probability_1,class_2,text_2,probability_2\n"), "{csv}");
    assert_eq!((csv.lines().count(), csv.contains(",big_cat,a lion,")), (31, true), "{csv}");
}
