//! `sweep` of a classification run.

use serde_json::Value;

use crate::support::{Folder, radapter, trained};

#[test]
fn a_sweep_leaves_numbers_a_plot_and_a_report() {
    let folder = Folder::new();
    let out = folder.join("deep/sweep");
    let done = radapter("sweep --alpha 0:1:0.5")
        .with("--run", trained().run())
        .with("--suite", trained().suite())
        .with("--out", &out)
        .succeed();
    assert!(done.stdout.contains("OOD average") && done.stdout.contains("the run's alpha"), "{}", done.stdout);
    assert_eq!(folder.names("deep/sweep"), ["report.html", "sweep.csv", "sweep.json", "sweep.svg"]);

    let json: Value = serde_json::from_slice(&std::fs::read(out.join("sweep.json")).unwrap()).unwrap();
    let alphas: Vec<f64> = json.as_array().unwrap().iter().map(|point| point["alpha"].as_f64().unwrap()).collect();
    assert_eq!(alphas, [0.0, 0.5, 1.0]);
    // Each point is eval's object.
    let eval = radapter("eval classification --json --alpha 0.5")
        .with("--model", trained().run())
        .with("--suite", trained().suite())
        .succeed()
        .json();
    let mut point = json[1].clone();
    point.as_object_mut().unwrap().remove("alpha");
    assert_eq!(point, eval);

    let csv = std::fs::read_to_string(out.join("sweep.csv")).unwrap();
    assert!(csv.starts_with("alpha,near,far,part,OOD average\n0,"), "{csv}");
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.matches("<svg").count() == 4 && !report.contains("&lt;"), "two charts for two widths");
    assert!(report.contains("At the run&#39;s alpha") && report.contains("class=\"bar\""));
    assert!(std::fs::read_to_string(out.join("sweep.svg")).unwrap().starts_with("<svg"));

    // An earlier sweep's results are not overwritten.
    radapter("sweep --alpha 0:1:1")
        .with("--run", trained().run())
        .with("--suite", trained().suite())
        .with("--out", &out)
        .fail(1, &["deep/sweep", "is not empty"]);
    assert_eq!(std::fs::read_to_string(out.join("sweep.csv")).unwrap(), csv);
}

#[test]
fn one_value_makes_no_chart_and_one_shifted_set_no_average() {
    let folder = Folder::new();
    let all = trained().suite();
    let data = |name: &str| format!("name = {name:?}\ndata = {:?}\n", all.with_file_name(name));
    let suite = folder.file("suite.toml", format!("[id]\n{}[[ood]]\n{}", data("near"), data("far")));
    let report = |alpha: &str, out: &str| {
        let out = folder.join(out);
        radapter("sweep")
            .with("--alpha", alpha)
            .with("--run", trained().run())
            .with("--suite", &suite)
            .with("--out", &out)
            .succeed();
        std::fs::read_to_string(out.join("report.html")).unwrap()
    };
    let one = report("1", "one");
    assert!(!one.contains("<svg") && one.contains("merged at 1 value of alpha"), "{one}");
    assert!(one.contains("95 % intervals") && !one.contains("Bars:"), "{one}");
    let two = report("0,1", "two");
    let drawn: Vec<&str> = two.split("<svg").skip(1).map(|part| part.split("</svg>").next().unwrap()).collect();
    assert_eq!(drawn.len(), 4);
    assert!(drawn[0].contains(">near (ID)<") && drawn[0].contains(">far<"), "{two}");
    assert!(!drawn[0].contains("OOD average"), "it would hide the set's own curve: {two}");
}

#[test]
fn invalid_ranges_are_refused() {
    let folder = Folder::new();
    for alpha in ["1:0:0.1", "0:1:0", "0:3:1", "a", "0:1", "-1:1:0.5"] {
        radapter("sweep")
            .args([format!("--alpha={alpha}")])
            .with("--run", trained().run())
            .with("--suite", trained().suite())
            .with("--out", folder.join("out"))
            .fail(2, &["alpha"]);
    }
    assert!(!folder.join("out").exists());
}

#[test]
fn sweep_and_merge_print_their_results_as_json() {
    let folder = Folder::new();
    let out = folder.join("sweep");
    let printed = radapter("sweep --alpha 0:1:1 --json")
        .with("--run", trained().run())
        .with("--suite", trained().suite())
        .with("--out", &out)
        .succeed()
        .json();
    let written: Value = serde_json::from_slice(&std::fs::read(out.join("sweep.json")).unwrap()).unwrap();
    assert_eq!(printed, written);
    let merged = folder.join("merged");
    let printed = radapter("merge --alpha 0.25 --dtype f16 --json")
        .with("--run", trained().run())
        .with("--out", &merged)
        .succeed()
        .json();
    let expected = serde_json::json!({ "out": merged, "alpha": 0.25, "format": "open-clip", "dtype": "f16" });
    assert_eq!(printed, expected);
}

#[cfg(unix)]
#[test]
fn an_interrupted_sweep_leaves_what_it_measured() {
    use std::io::BufRead as _;

    let folder = Folder::new();
    let out = folder.join("sweep");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_radapter-under-test"))
        .args(["sweep", "--alpha", "0:1:0.001", "--run"])
        .args([trained().run().as_os_str(), "--suite".as_ref(), trained().suite().as_os_str()])
        .args(["--out".as_ref(), out.as_os_str()])
        .env("RADAPTER_CACHE", "none")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("alpha 0.001:")));
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("of 1001 models")), "{rest:?}");
    let json: Value = serde_json::from_slice(&std::fs::read(out.join("sweep.json")).unwrap()).unwrap();
    let count = json.as_array().unwrap().len();
    assert!((2..1001).contains(&count), "{count}");
}
