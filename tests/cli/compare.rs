//! `compare`: runs, tables, a second start, what is missing, and what is refused.

use std::path::{Path, PathBuf};

use serde_json::Value;

#[cfg(unix)]
use super::resume::{steps, wait_for};
use super::retrieval::flickr;
use super::segmentation::streets;
use crate::support::{CLASSES, Done, Folder, Invocation, classes_folder, radapter, tiny_model, write_suite};

/// A model, training images and a suite.
struct Data(Folder);

impl Data {
    fn new() -> Self {
        let folder = Folder::new();
        tiny_model(&folder.join("model"));
        classes_folder(&folder.join("images"), &CLASSES, 8, false);
        write_suite(&folder.join("suite"), &CLASSES, 4);
        Self(folder)
    }

    fn out(&self) -> PathBuf {
        self.0.join("out")
    }

    fn compare(&self, words: &str) -> Invocation {
        self.with_steps(2, words)
    }

    fn with_steps(&self, steps: usize, words: &str) -> Invocation {
        let settings = format!("--steps {steps} --set batch_size=8 --set val_fraction=0.25 --alphas 0,0.5,1");
        radapter(&format!("compare --device cpu {settings} {words}"))
            .with("--model", self.0.join("model"))
            .with("--train", self.0.join("images"))
            .with("--suite", self.0.join("suite/suite.toml"))
            .with("--out", self.out())
    }

    fn results(&self) -> Value {
        read(&self.out().join("results.json"))
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The rows of a method.
fn rows<'a>(results: &'a Value, method: &str) -> Vec<&'a Value> {
    results["rows"].as_array().unwrap().iter().filter(|row| row["method"] == method).collect()
}

const ALL: &str = "--methods r-adapter,r-adapter-auto,full,wise-ft,flyp,lines,stock,soup --seeds 0,1";

#[test]
fn all_methods_stand_beside_zero_shot_and_a_second_start_runs_nothing() {
    let data = Data::new();
    let suite = data.0.join("suite/suite.toml");
    let text = std::fs::read_to_string(&suite).unwrap();
    std::fs::write(&suite, text.replace("data = \"part\"", "data = \"part\"\nsecond_average = false")).unwrap();
    let done = data.compare(ALL).succeed();
    let results = data.results();
    let methods = ["zero-shot", "r-adapter", "r-adapter-auto", "full", "wise-ft", "flyp", "lines", "stock", "soup"];
    let counts: Vec<usize> = methods.iter().map(|method| rows(&results, method).len()).collect();
    assert_eq!(counts, [1, 2, 2, 2, 2, 2, 2, 1, 1]);
    // Full fine-tuning was trained once for all that use its runs.
    assert_eq!(data.0.names("out/runs").len(), 6, "{:?}", data.0.names("out/runs"));
    for method in methods {
        assert!(done.stdout.contains(method), "{}", done.stdout);
        for row in rows(&results, method) {
            assert!(row["figures"]["ood_average"].is_number() && row.get("error").is_none(), "{row}");
        }
    }

    // The figures are those of `eval`.
    let full = &rows(&results, "full")[1];
    let eval = |alpha: &str| {
        radapter("eval classification --json --device cpu --alpha")
            .args([alpha])
            .with("--model", data.out().join("runs/full-seed1"))
            .with("--suite", data.0.join("suite/suite.toml"))
            .succeed()
            .json()
    };
    assert_eq!(full["figures"]["id"], eval("1")["id"]["top1"]);
    let wise = &rows(&results, "wise-ft")[1];
    assert_eq!(wise["alpha"], "0.5");
    assert_eq!(wise["figures"]["ood_average"], eval("0.5")["ood_average"]);
    let curve = wise["curve"].as_array().unwrap();
    assert_eq!(curve[0]["figures"], rows(&results, "zero-shot")[0]["figures"], "alpha 0 is the base model");
    assert_eq!(curve[2]["figures"], full["figures"], "alpha 1 is full fine-tuning");
    assert_eq!(rows(&results, "lines")[0]["alpha"], "0..1");
    let (fixed, auto) = (&rows(&results, "r-adapter")[0], &rows(&results, "r-adapter-auto")[0]);
    assert_eq!(fixed["alpha"], "0.5");
    assert!(auto["alpha"].as_str().unwrap().ends_with("by place") && auto.get("curve").is_none(), "{auto}");
    assert_eq!(auto["cost"], fixed["cost"], "the runs are the same");
    assert!(rows(&results, "soup")[0]["cost"]["seconds"].as_f64() > full["cost"]["seconds"].as_f64());

    // Differences to zero-shot and to full fine-tuning, paired over the images.
    let differences = results["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 8 + 7);
    let id = |row: &Value| row["figures"]["id"].as_f64().unwrap();
    let mean = rows(&results, "full").iter().map(|row| id(row)).sum::<f64>() / 2.0;
    let of_full = differences.iter().find(|one| one["method"] == "full" && one["against"] == "zero-shot").unwrap();
    let expected = mean - id(rows(&results, "zero-shot")[0]);
    assert!((of_full["id"]["value"].as_f64().unwrap() - expected).abs() < 1e-9, "{of_full}");

    let names = data.0.names("out");
    for file in ["report.html", "table.csv", "table.md", "table.txt"] {
        assert!(names.iter().any(|name| name == file), "{names:?}");
    }
    let csv = std::fs::read_to_string(data.out().join("table.csv")).unwrap();
    assert!(csv.starts_with("method,alpha,near (ID),far,part,OOD average,OOD without part,"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + methods.len());
    let report = std::fs::read_to_string(data.out().join("report.html")).unwrap();
    assert!(report.contains("<svg") && report.contains("Against full fine-tuning") && !report.contains("src="));
    assert_eq!(data.0.names("out/mixed"), ["soup-full", "stock-full"]);

    let again = data.compare(ALL).succeed();
    assert!(
        !again.stderr.contains("choosing") && !again.stderr.contains("training") && !again.stderr.contains("measuring"),
        "{}",
        again.stderr
    );
    assert_eq!(again.stdout, done.stdout);

    // A run that is gone is trained again, and what came from it is measured again.
    std::fs::remove_dir_all(data.out().join("runs/full-seed1")).unwrap();
    let mended = data.compare(ALL).succeed();
    assert_eq!(mended.stderr.matches("training ").count(), 1, "{}", mended.stderr);
    for part in
        ["measuring full-seed1-alpha1", "measuring full-seed1-alpha0..1", "measuring soup-full", "measuring stock-full"]
    {
        assert!(mended.stderr.contains(part), "{}", mended.stderr);
    }
    assert!(!mended.stderr.contains("measuring full-seed0"), "{}", mended.stderr);

    // A run without its weights is named, and the rest stands.
    std::fs::remove_file(data.out().join("runs/flyp-seed0/weights.safetensors")).unwrap();
    let damaged = data.compare(ALL).fail(1, &["1 part failed"]);
    assert!(damaged.stdout.contains("flyp-seed0` is damaged; remove its folder"), "{}", damaged.stdout);
    std::fs::remove_dir_all(data.out().join("runs/flyp-seed0")).unwrap();
    data.compare(ALL).succeed();

    refuse_others(&data);
}

/// An image of a folder of classes.
fn first_image(root: &Path) -> PathBuf {
    let class = std::fs::read_dir(root).unwrap().next().unwrap().unwrap().path();
    std::fs::read_dir(class).unwrap().next().unwrap().unwrap().path()
}

/// Another comparison in the same directory.
fn refuse_others(data: &Data) {
    for (other, words) in [
        (ALL.replace("0,1", "0,1,2"), ["--seeds is 0,1 there", "0,1,2 here"]),
        (format!("{ALL} --grid lr=1e-3"), ["--grid lr is none there", "1e-3 here"]),
        (format!("{ALL} --set warmup=1"), ["setting warmup is none there", "and 1 here"]),
    ] {
        data.compare(&other).fail(1, &[&["holds another comparison"], &words[..]].concat());
    }
    // So are other data in the same place.
    let extra = data.0.join("images/extra.png");
    std::fs::copy(first_image(&data.0.join("images")), &extra).unwrap();
    data.compare(ALL).fail(1, &["holds another comparison", "the content of", "24 files of", "there and 25 files of"]);
    std::fs::remove_file(extra).unwrap();
    // Fewer methods are a part of the same comparison.
    let part = data.compare("--methods wise-ft --seeds 0,1").succeed();
    assert!(!part.stderr.contains("training") && part.stdout.contains("wise-ft") && !part.stdout.contains("flyp"));
}

#[test]
fn each_method_keeps_its_best_settings_by_validation_and_a_failure_is_a_row() {
    let data = Data::new();
    // A rate at which the loss is no number ends the run.
    let words =
        "--methods full,wise-ft,wise-ft-auto,r-adapter --seeds 0 --grid full:lr=1e-3,1e30 --grid r-adapter:lr=1e30";
    let done = data.compare(words).fail(1, &["failed"]);
    let results = data.results();
    let full = rows(&results, "full");
    assert_eq!(full[0]["settings"], serde_json::json!(["lr=1e-3"]), "{}", done.stderr);
    assert!(full[0]["figures"]["id"].is_number());
    for method in ["wise-ft", "wise-ft-auto"] {
        assert!(rows(&results, method)[0]["figures"]["id"].is_number(), "{}", done.stderr);
    }
    assert!(rows(&results, "wise-ft-auto")[0]["alpha"].as_str().unwrap().ends_with("by place"));
    let failed = rows(&results, "r-adapter");
    assert!(failed[0]["error"].is_string() && failed[0]["figures"].is_null(), "{}", failed[0]);
    assert!(done.stdout.contains("failed:"), "{}", done.stdout);
    assert_eq!(results["tried"].as_array().unwrap().len(), 3);
}

#[test]
fn senseless_comparisons_are_refused_before_anything_is_trained() {
    let data = Data::new();
    for (words, said) in [
        ("--methods fulll", "did you mean full?"),
        ("--methods stock --seeds 0", "two or more"),
        ("--methods soup --seeds 3", "two or more"),
        ("--seeds 0,0", "twice"),
        ("--seed 3", "--seeds"),
        ("--set method=full", "--methods"),
        ("--grid wise-ft:lr=1", "not a method that is trained"),
        ("--methods full --grid flyp:lr=1e-3", "no method of this comparison trains flyp"),
        ("--grid lr", "KEY=VALUE"),
        ("--grid lrr=1", "lr"),
        ("--grid lr=-1", "above 0"),
    ] {
        data.compare(words).fail(2, &[said]);
    }
    let of_retrieval = "full fine-tuning of retrieval is flyp";
    radapter("compare retrieval --model m --methods full --captions x --out y -- --captions z")
        .fail(2, &[of_retrieval]);
    assert!(!data.out().exists());
}

#[test]
fn a_dry_run_prints_the_runs_and_finds_missing_data() {
    let data = Data::new();
    let plan = data.compare("--methods full,soup --seeds 0,1 --grid lr=1e-3,1e-2 --dry-run").succeed();
    assert!(plan.stdout.contains("4 runs to train or resume") && plan.stdout.contains("not known"), "{}", plan.stdout);
    assert!(!data.out().exists());
    std::fs::remove_dir_all(data.0.join("suite/far")).unwrap();
    data.compare("--dry-run").fail(1, &["far"]);
    std::fs::remove_dir_all(data.0.join("images")).unwrap();
    data.compare("--dry-run").fail(1, &["images"]);
    data.compare("").fail(1, &["images"]);
    std::fs::remove_dir_all(data.0.join("model")).unwrap();
    data.compare("--dry-run").fail(1, &["model"]);
}

/// Checks the rows of a comparison of these methods, whose test data are of one kind.
fn check_one_kind(done: &Done, out: &Path, methods: &[&str]) {
    let results = read(&out.join("results.json"));
    let found: Vec<&str> =
        results["rows"].as_array().unwrap().iter().map(|row| row["method"].as_str().unwrap()).collect();
    assert_eq!(found, methods, "{}", done.stderr);
    for row in results["rows"].as_array().unwrap() {
        assert!(row["figures"]["id"].is_number() && row["figures"]["ood_average"].is_null(), "{row}");
    }
    assert!(!done.stdout.contains("OOD"), "{}", done.stdout);
    // What the images add up to is the figure, so that its differences are those of the figures.
    let differences = results["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 2 * unique(methods) - 3, "{differences:?}");
    for difference in differences {
        let [of, against] = ["method", "against"].map(|key| {
            let rows = self::rows(&results, difference[key].as_str().unwrap());
            rows.iter().map(|row| row["figures"]["id"].as_f64().unwrap()).sum::<f64>() / rows.len() as f64
        });
        let [value, low, high] = ["value", "low", "high"].map(|key| difference["id"][key].as_f64().unwrap());
        assert!((value - (of - against)).abs() < 1e-9, "{difference}: {of} against {against}");
        assert!(low <= value + 1e-9 && value <= high + 1e-9, "{difference}");
    }
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("over alpha") && report.contains("Against"), "{report}");
}

/// How many methods have rows.
fn unique(methods: &[&str]) -> usize {
    methods.iter().collect::<std::collections::BTreeSet<_>>().len()
}

#[test]
fn retrieval_is_compared_on_what_eval_is_given() {
    let (flickr, folder) = (flickr(), Folder::new());
    let compare = |more: &str| {
        let words = "compare retrieval --device cpu --methods r-adapter,flyp,lines,soup --seeds 0,1 --steps 1 --alphas 0,1 --split \
                     train --val-split val";
        let command = flickr.captions(radapter(&format!("{words} {more}"))).with("--model", flickr.0.join("model"));
        command.with("--out", folder.join("out"))
    };
    compare("--suite z").fail(2, &["has no suites"]);
    compare("").fail(2, &["no test data", "eval retrieval", "`--`"]);
    compare("--max-captions 1").args(["--", "--captions", "x"]).fail(2, &["max_captions", "soup", "`--max-captions`"]);
    compare("").args(["--", "--captions", "missing.json"]).fail(1, &["missing.json"]);
    let done = flickr.captions(compare("").args(["--", "--split", "test"])).succeed();
    let methods = ["zero-shot", "r-adapter", "r-adapter", "flyp", "flyp", "lines", "lines", "soup"];
    check_one_kind(&done, &folder.join("out"), &methods);
}

#[test]
fn segmentation_is_compared_on_what_eval_is_given() {
    let (streets, folder) = (streets(), Folder::new());
    let words = "compare segmentation --device cpu --methods r-adapter,ovseg,wise-ft,stock --seeds 0,1 --steps 1 --alphas 0,1 \
                 --set batch_size=8 --set min_area=16";
    let command = streets.annotated(radapter(words).with("--model", streets.0.join("model")), "train");
    let command = command.with("--out", folder.join("out")).args(["--", "--proposals", "ground-truth"]);
    let done = streets.annotated(command, "val").succeed();
    let methods = ["zero-shot", "r-adapter", "r-adapter", "ovseg", "ovseg", "wise-ft", "wise-ft", "stock"];
    check_one_kind(&done, &folder.join("out"), &methods);
}

#[cfg(unix)]
#[test]
fn an_interrupted_comparison_saves_its_run_and_goes_on_with_it() {
    let data = Data::new();
    for begins in ["training full", "resuming full"] {
        let mut child = data.with_steps(100_000, "--methods full --seeds 0").spawn_with_stderr(&data.0.join("log"));
        let log = || std::fs::read_to_string(data.0.join("log")).unwrap();
        let run = data.out().join("runs/full-seed0");
        wait_for(&run, steps(&run) + 2, &mut child);
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(130), "{}", log());
        assert!(log().contains(begins) && log().contains("run the same command again"), "{}", log());
        let of_run = std::fs::read_to_string(data.out().join("logs/full-seed0.log")).unwrap();
        assert!(of_run.contains("interrupted after step"), "{of_run}");
    }
}

#[cfg(unix)]
#[test]
fn a_run_that_is_deleted_while_a_comparison_goes_on_fails_alone_and_is_trained_again() {
    let data = Data::new();
    const METHODS: &str = "--methods full --seeds 0,1";
    let mut child = data.with_steps(40, METHODS).spawn_with_stderr(&data.0.join("log"));
    wait_for(&data.out().join("runs/full-seed1"), 1, &mut child);
    std::fs::remove_dir_all(data.out().join("runs/full-seed0")).unwrap();
    let status = child.wait().unwrap();
    let log = std::fs::read_to_string(data.0.join("log")).unwrap();
    assert_eq!(status.code(), Some(1), "{log}");
    let results = data.results();
    let (gone, kept) = (&rows(&results, "full")[0], &rows(&results, "full")[1]);
    assert!(gone["error"].as_str().unwrap().contains("full-seed0"), "{gone}");
    for row in [kept, rows(&results, "zero-shot")[0]] {
        assert!(row["figures"]["id"].is_number(), "{row}");
    }

    let again = data.with_steps(40, METHODS).succeed();
    assert_eq!(again.stderr.matches("training ").count(), 1, "{}", again.stderr);
    assert!(rows(&data.results(), "full")[0]["figures"]["id"].is_number());
}
