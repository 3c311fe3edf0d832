//! `eval classification`: sets, suites, α, predictions and confusion.

use serde_json::Value;

use crate::support::{CLASSES, Folder, SHORT, classes_folder, radapter, trained, training};

#[test]
fn a_set_gives_one_object_and_a_suite_a_row() {
    let eval = |words: &str| radapter(words).with("--model", trained().run());
    let set = eval("eval classification --json --calibrate none").with("--data", trained().images()).succeed().json();
    let keys = |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(keys(&set), ["top1", "top1_interval", "top5", "n", "temperature", "ece", "per_class", "precision"]);
    assert_eq!(keys(&set["per_class"]), CLASSES);

    let row = eval("eval classification --json").with("--suite", trained().suite()).succeed().json();
    assert_eq!(keys(&row), ["id", "ood", "ood_average", "ood_average_interval", "precision"]);
    assert_eq!(row["id"]["name"], "near");
    assert_eq!(keys(&row["ood"]), ["far", "part"]);
    let top1 = |set: &str| row["ood"][set]["top1"].as_f64().unwrap();
    assert_eq!(row["ood_average"].as_f64().unwrap(), (top1("far") + top1("part")) / 2.0);

    let table = eval("eval classification").with("--suite", trained().suite()).succeed().stdout;
    for part in ["near", "far", "part", "average", "OOD", "95 % interval", "ECE"] {
        assert!(table.contains(part), "{table}");
    }
    assert!(!table.contains("top-5"), "three classes are always among the best five: {table}");
}

#[test]
fn training_helped_and_alpha_0_is_the_base() {
    let folder = Folder::new();
    training(&folder, "run", &format!("{SHORT} --set epochs=12 --set alpha=0.5")).succeed();
    let (model, run) = (folder.join("model"), folder.join("run"));
    let eval = |model: &std::path::Path, words: &str| {
        let invocation = radapter(&format!("eval classification --json --calibrate none {words}"));
        invocation.with("--model", model).with("--data", folder.join("images"))
    };
    let base = eval(&model, "").succeed().json();
    let tuned = eval(&run, "--alpha 1").succeed().json();
    let (before, after) = (base["top1"].as_f64().unwrap(), tuned["top1"].as_f64().unwrap());
    assert!(after > before + 0.2, "{before} → {after}");
    assert_eq!(eval(&run, "--alpha 0").succeed().json(), base);
    // The run's own α is the default.
    assert_eq!(eval(&run, "").succeed().json(), eval(&run, "--alpha 0.5").succeed().json());
}

#[test]
fn alpha_has_a_range() {
    let eval = |alpha: &str| {
        radapter("eval classification --alpha")
            .args([alpha])
            .with("--model", trained().run())
            .with("--data", trained().images())
    };
    for bad in ["-0.1", "1.6", "NaN", "inf"] {
        eval(bad).fail(2, &["alpha", "from 0"]);
    }
    eval("half").fail(2, &["half"]);
    let done = eval("1.2").succeed();
    assert!(done.stderr.contains("warning") && done.stderr.contains("extrapolates"), "{}", done.stderr);
    radapter("eval classification --alpha 0.5")
        .with("--model", trained().model())
        .with("--data", trained().images())
        .fail(2, &["--alpha", "plain model"]);
}

#[test]
fn predictions_and_confusion_agree_with_the_accuracy() {
    let folder = Folder::new();
    let (predictions, confusion) = (folder.join("predictions.csv"), folder.join("confusion.csv"));
    let json = radapter("eval classification --json")
        .with("--model", trained().run())
        .with("--data", trained().images())
        .with("--predictions", &predictions)
        .with("--confusion", &confusion)
        .succeed()
        .json();
    let text = std::fs::read_to_string(predictions).unwrap();
    assert_eq!(text.lines().count(), 31);
    let correct = text.lines().filter(|line| line.split(',').nth(4) == Some("1")).count();
    assert_eq!(json["top1"].as_f64().unwrap(), correct as f64 / 30.0);
    let text = std::fs::read_to_string(confusion).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let diagonal: usize = (1..=3).map(|class| rows[class][class].parse::<usize>().unwrap()).sum();
    assert_eq!(diagonal, correct);

    let lines = folder.join("predictions.jsonl");
    radapter("eval classification")
        .with("--model", trained().run())
        .with("--suite", trained().suite())
        .with("--predictions", &lines)
        .succeed();
    let text = std::fs::read_to_string(lines).unwrap();
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((&first["set"], &first["label"]), (&"near".into(), &CLASSES[0].into()));
    assert_eq!(text.lines().count(), 12 + 12 + 8);
    radapter("eval classification --predictions out.txt")
        .with("--model", trained().run())
        .with("--data", trained().images())
        .fail(2, &["out.txt", ".jsonl"]);
}

#[test]
fn a_plain_model_takes_its_classes_from_the_data() {
    let json = radapter("eval classification --json")
        .with("--model", trained().model())
        .with("--suite", trained().suite())
        .succeed()
        .json();
    assert_eq!(json["id"]["n"], 12);
    assert_eq!(json["ood"]["part"]["n"], 8);
}

#[test]
fn a_second_error_is_at_the_temperature_calibrated_on_other_images() {
    let folder = Folder::new();
    let val = classes_folder(&folder.join("val"), &CLASSES, 10, false);
    // Of these classes the model knows something, but not all, so that there is a finite temperature.
    std::fs::remove_dir_all(val.join("big_cat")).unwrap();
    let eval = |words: &str| radapter(words).with("--model", trained().run()).with("--suite", trained().suite());
    let row = eval("eval classification --json").with("--calibrate", &val).succeed().json();
    let number = |set: &Value, key: &str| set[key].as_f64().unwrap();
    for set in [&row["id"], &row["ood"]["far"], &row["ood"]["part"]] {
        let [low, high] = [0, 1].map(|end| set["top1_interval"][end].as_f64().unwrap());
        assert!(low <= number(set, "top1") && number(set, "top1") <= high, "{set}");
        assert!((0.0..=1.0).contains(&number(set, "ece")) && (0.0..=1.0).contains(&number(set, "ece_calibrated")));
        assert!((number(set, "temperature") - 0.01).abs() < 0.1 && number(set, "temperature_calibrated") > 0.0);
    }
    let done = eval("eval classification").with("--calibrate", &val).succeed();
    assert!(done.stdout.contains("calibrated") && done.stderr.contains("calibrated on 20 images"), "{}", done.stderr);
    let set = radapter("eval classification").with("--model", trained().run()).with("--data", trained().images());
    let set = set.with("--calibrate", &val).succeed();
    for part in ["top-1  ", "95 % interval", "the model's", ", calibrated"] {
        assert!(set.stdout.contains(part), "{}", set.stdout);
    }
    // Plain models have no validation images.
    let plain = radapter("eval classification").with("--model", trained().model()).with("--data", trained().images());
    let plain = plain.succeed();
    assert!(plain.stderr.contains("no calibrated ECE: the model is not a run"), "{}", plain.stderr);
    assert!(plain.stdout.contains("ECE") && !plain.stdout.contains("calibrated"), "{}", plain.stdout);
    eval("eval classification")
        .with("--calibrate", trained().suite().with_file_name("near"))
        .fail(2, &["--calibrate", "are evaluated on"]);
}

#[test]
fn sets_are_counted_before_the_model_is_loaded_and_left_out_of_a_second_average() {
    let folder = Folder::new();
    let all = trained().suite();
    let set = |name: &str, more: &str| format!("name = {name:?}\ndata = {:?}\n{more}\n", all.with_file_name(name));
    let suite = |images: &str| {
        let (near, far) = (set("near", images), set("far", "second_average = false"));
        folder.file("suite.toml", format!("[id]\n{near}[[ood]]\n{far}[[ood]]\n{}", set("part", "")))
    };
    let truncated = ["suite.toml: set `near` has 12 images, expected 13", "incomplete"];
    let eval = |model: &std::path::Path, suite: std::path::PathBuf, words: &str| {
        radapter(words).with("--model", model).with("--suite", suite)
    };
    eval(&folder.join("no-model"), suite("images = 13"), "eval classification").fail(1, &truncated);
    eval(&trained().run(), suite("images = \"many\""), "eval classification").fail(1, &["suite.toml", "many"]);
    eval(&trained().run(), suite("images = 0"), "eval classification").fail(1, &["set `near`: images = 0"]);

    let row = eval(&trained().run(), suite("images = 12"), "eval classification --json").succeed().json();
    assert_eq!(row["second_average"]["without"], serde_json::json!(["far"]));
    assert_eq!(row["second_average"]["top1"], row["ood"]["part"]["top1"]);
    let table = eval(&trained().run(), suite("images = 12"), "eval classification").succeed().stdout;
    assert!(table.contains("average without far"), "{table}");
    let sweep = radapter("sweep --alpha 0,0.5").with("--run", trained().run()).with("--suite", suite("images = 12"));
    sweep.with("--out", folder.join("sweep")).succeed();
    let read = |name: &str| std::fs::read_to_string(folder.join("sweep").join(name)).unwrap();
    assert!(read("sweep.csv").starts_with("alpha,near,far,part,OOD average,OOD average without far\n"));
    assert!(read("report.html").contains("OOD average without far"));
    let sweep = radapter("sweep").with("--run", trained().run()).with("--suite", suite("images = 13"));
    sweep.with("--out", folder.join("other")).fail(1, &truncated);
}

#[test]
fn classes_that_the_run_does_not_know_are_refused() {
    let folder = Folder::new();
    let data = classes_folder(&folder.join("data"), &["dog", "unicorn"], 1, false);
    radapter("eval classification")
        .with("--model", trained().run())
        .with("--data", data)
        .fail(1, &["does not know: unicorn; it knows 3 (big_cat, dog, zebra)"]);
    // Fewer classes than the run's are fine, with a warning.
    let data = classes_folder(&folder.join("dogs"), &["dog"], 2, false);
    let done = radapter("eval classification --json").with("--model", trained().run()).with("--data", data).succeed();
    assert_eq!(done.json()["n"], 2);
    let words = "no images of 2 of the 3 classes that the model chooses among: big_cat, zebra";
    assert!(done.stderr.contains(words), "{}", done.stderr);
    let names = folder.file("names.toml", "dog = \"hound\"\nemu = \"emu\"\neel = \"eel\"\n");
    let eval = radapter("eval classification").with("--model", trained().run()).with("--data", trained().images());
    let done = eval.with("--class-names", names).succeed();
    assert!(done.stderr.contains("2 names that are none of the model's 3 classes: "), "{}", done.stderr);
    assert!(!done.stderr.contains("no images of") && !done.stdout.contains("top-5"), "{}", done.stdout);
}

#[test]
fn invalid_suites_are_refused() {
    let folder = Folder::new();
    let eval = |suite: &std::path::Path| {
        radapter("eval classification").with("--model", trained().run()).with("--suite", suite)
    };
    let cases = [
        ("unknown.toml", "[id]\nname = \"a\"\ndata = \"a\"\ncolour = 1\n", "colour"),
        ("alone.toml", "[id]\nname = \"a\"\ndata = \"a\"\n", "ood"),
        ("absent.toml", "[id]\nname = \"a\"\ndata = \"a\"\n[[ood]]\nname = \"b\"\ndata = \"b\"\n", "does not exist"),
    ];
    for (name, content, reason) in cases {
        eval(&folder.file(name, content)).fail(1, &[reason]);
    }
    eval(&folder.join("nowhere.toml")).fail(1, &["nowhere.toml"]);
    let imagenet = |words: &str| radapter(words).with("--model", trained().model());
    imagenet("eval classification --suite imagenet").fail(2, &["--root"]);
    imagenet("eval classification --suite imagenet").with("--root", folder.path()).fail(1, &["ILSVRC2012"]);
    imagenet("eval classification --suite a.toml --root b").fail(2, &["--root"]);
}
