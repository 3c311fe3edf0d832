//! `sweep` of a classification run.

use serde_json::Value;

use crate::support::{Folder, SHORT, radapter, trained, training};

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

/// The number of a chosen α in a run's `alpha.json`.
fn chosen(run: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(run.join("alpha.json")).unwrap()).unwrap()
}

#[test]
fn alpha_is_chosen_after_training_and_by_rules_from_the_run_s_held_out_images() {
    let folder = Folder::new();
    let auto = |name: &str, seed: u64| {
        let settings = format!("{SHORT} --set val_fraction=0.3 --set alpha=auto --seed {seed}");
        (training(&folder, name, &settings).succeed(), folder.join(name))
    };
    let (done, run) = auto("first", 0);
    assert!(
        done.stderr.contains("by the rule tpgm") && done.stderr.contains("held-out samples are few"),
        "{}",
        done.stderr
    );
    let choice = chosen(&run);
    assert_eq!(choice["rule"], "tpgm");
    assert!(choice["validation"]["top1"].is_number() && choice["alpha"]["outside"].is_number(), "{choice}");
    let report = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(report.contains("Choice of alpha") && report.contains("by place by the rule tpgm"), "{report}");
    // The figures of the summary are those of the model that the other commands take.
    let value = 100.0 * choice["validation"]["top1"].as_f64().unwrap();
    let line = done.stdout.lines().find(|line| line.starts_with("the run's model")).unwrap();
    assert!(line.contains("by tpgm") && line.ends_with(&format!("{value:.1} %")), "{}", done.stdout);
    // A sweep has it beside the grid.
    let sweep = radapter("sweep --alpha 0,1").with("--run", &run).with("--suite", trained().suite());
    let sweep = sweep.with("--out", folder.join("sweep")).succeed();
    assert!(sweep.stdout.contains("by place") && sweep.stdout.contains("the run's alpha"), "{}", sweep.stdout);
    let points: Value = serde_json::from_slice(&std::fs::read(folder.join("sweep/sweep.json")).unwrap()).unwrap();
    assert_eq!((points.as_array().unwrap().len(), &points[2]["alpha"]), (3, &choice["alpha"]));
    let page = std::fs::read_to_string(folder.join("sweep/report.html")).unwrap();
    assert!(page.contains("At the run&#39;s alpha") && page.contains("its alpha by place"));
    // Whatever opens the run follows the choice.
    let merge =
        |out: &str| radapter("merge --json").with("--run", &run).with("--out", folder.join(out)).succeed().json();
    assert_eq!(merge("merged")["alpha"], choice["alpha"]);

    let (_, other) = auto("second", 1);
    let soup = folder.join("soup");
    radapter("soup").args([&run, &other]).with("--out", &soup).succeed();
    radapter("sweep --select one-se")
        .with("--run", soup)
        .with("--out", folder.join("of-soup"))
        .fail(1, &["is a soup of 2 runs, each of which held out other samples"]);
    let select = |rules: &str, out: &str| {
        radapter("sweep --json --alpha 0,0.5,1 --select")
            .args([rules])
            .with("--run", &run)
            .with("--out", folder.join(out))
    };
    let images = trained().images();
    let all = select("all", "all").with("--other", &other).with("--unlabelled", images).succeed();
    assert!(all.stderr.contains("the rule one-se: 9 held-out samples are few"), "{}", all.stderr);
    let all = all.json();
    let names: Vec<&str> = all.as_array().unwrap().iter().map(|choice| choice["rule"].as_str().unwrap()).collect();
    assert_eq!(names, ["one-se", "gain", "id-shift", "tpgm", "unlabelled", "retention", "stock"]);
    for rule in [3, 6] {
        assert_eq!(all[rule]["alpha"]["visual"]["attn"].as_array().unwrap().len(), 2, "one for each block: {all}");
    }
    let weight = all[4]["alpha"].as_f64().unwrap();
    assert!(weight > 0.0 && weight < 1.0, "{all}");
    assert_eq!(folder.names("all"), ["choices.json", "report.html"]);
    check_curves(&all);
    assert_eq!(chosen(&run), choice, "nothing is recorded without --save");

    // The rule without its data is told; alone it is an error.
    let without = select("all", "without").succeed().json();
    assert!(without[4]["reason"].as_str().unwrap().contains("--unlabelled"), "{without}");
    assert!(without[6]["reason"].as_str().unwrap().contains("another seed"), "{without}");
    select("stock", "alone").fail(1, &["stock", "other runs with the same settings and another seed"]);
    let of_full = folder.join("full");
    training(&folder, "full", "--method full --steps 1 --batch-size 8").succeed();
    select("stock", "alone").with("--other", of_full).fail(1, &["is of the method full, and this run of r-adapter"]);
    select("stock", "alone").with("--other", &run).fail(1, &["has the seed 0 of another run given"]);
    select("unlabelled", "alone").fail(1, &["the rule unlabelled needs", "--unlabelled"]);
    assert!(folder.names("alone").is_empty());
    select("all", "many").args(["--save"]).fail(2, &["--save needs one rule"]);
    select("one-sd", "typo").fail(2, &["`one-sd` is not a rule", "did you mean one-se?"]);

    // `--alpha RULE` is what the rule chooses on the usual grid, and the record stays as it is.
    let by_rule = |command: &str| radapter(command).args(["--alpha", "gain"]);
    let gain = radapter("sweep --json --select gain").with("--run", &run).with("--out", folder.join("gain"));
    let gain = gain.succeed().json()[0]["alpha"].clone();
    let merged = by_rule("merge --json").with("--run", &run).with("--out", folder.join("by-rule")).succeed();
    assert_eq!(merged.json()["alpha"], gain);
    assert!(merged.stderr.contains("the rule gain: 9 held-out samples are few"), "{}", merged.stderr);
    let eval = |alpha: &str| {
        let eval = radapter("eval classification --json").args(["--alpha", alpha]).with("--model", &run);
        eval.with("--data", trained().images()).succeed().json()
    };
    assert_eq!(eval("gain"), eval(&gain.to_string()));
    assert_eq!(chosen(&run), choice);
    by_rule("eval classification")
        .with("--model", trained().model())
        .with("--data", trained().images())
        .fail(2, &["--alpha gain chooses by the held-out samples of a run"]);
    let stock = radapter("merge --alpha stock").with("--run", &run).with("--out", folder.join("by-stock"));
    stock.fail(1, &["--select stock` can be given more data", "other runs"]);

    // A sweep of the accuracy has the rules beside it, and one with --save is recorded; places have an alpha of their own.
    let both = select("stock", "both").args(["--save"]).with("--other", &other).with("--suite", trained().suite());
    let both = both.succeed().json();
    assert_eq!((both["sweep"].as_array().unwrap().len(), &both["choices"][0]), (4, &all[6]));
    assert_eq!(chosen(&run), all[6]);
    assert_eq!(merge("by-place")["alpha"], all[6]["alpha"]);
    // What was measured is kept where the rule fails; a mistake is reported before anything is measured.
    let failing = |rule: &str, out: &str| select(rule, out).with("--suite", trained().suite());
    failing("stock", "failing").fail(1, &["other runs"]);
    assert_eq!(folder.names("failing"), ["report.html", "sweep.csv", "sweep.json", "sweep.svg"]);
    failing("one-sd", "typo").fail(2, &["did you mean one-se?"]);
    failing("one-se,gain", "typo").args(["--save"]).fail(2, &["--save needs one rule"]);
    assert!(!folder.join("typo").exists());
    // The curve is saved with the choice.
    select("one-se", "one-se").args(["--save"]).succeed();
    assert_eq!(chosen(&run), all[0]);
    // A choice that is gone is told, and held-out images that are gone as well.
    std::fs::remove_file(run.join("alpha.json")).unwrap();
    let eval = radapter("eval classification").with("--model", &run).with("--data", trained().images()).succeed();
    assert!(eval.stderr.contains("was never chosen by its rule, and is 0.5"), "{}", eval.stderr);
    let resumed = radapter("train --resume --json").with("--out", &run).succeed().json();
    assert_eq!((&resumed["choice"]["alpha"], &chosen(&run)["alpha"]), (&choice["alpha"], &choice["alpha"]));
    let config = std::fs::read_to_string(run.join("config.toml")).unwrap();
    let images = folder.join("images").canonicalize().unwrap().display().to_string();
    assert!(config.contains(&images), "{config}");
    std::fs::write(run.join("config.toml"), config.replace(&images, "/nowhere/images")).unwrap();
    select("gain", "moved").fail(1, &["cannot read the held-out samples of the run again", "/nowhere/images"]);
    // With other images another part would be held out.
    let more = folder.join("more");
    crate::support::classes_folder(&more, &crate::support::CLASSES, 11, false);
    std::fs::write(run.join("config.toml"), config.replace(&images, &more.display().to_string())).unwrap();
    select("gain", "changed").fail(1, &["training set"]);
}

/// What the rules chose, by the curves that they leave.
fn check_curves(all: &Value) {
    let curve = |rule: usize| -> Vec<[f64; 3]> {
        let points = all[rule]["curve"].as_array().unwrap().iter();
        points.map(|point| ["alpha", "value", "error"].map(|key| point[key].as_f64().unwrap_or(0.0))).collect()
    };
    let best = |points: &[[f64; 3]]| points.iter().map(|point| point[1]).fold(f64::MIN, f64::max);
    for rule in [0, 1, 2, 5] {
        let points = curve(rule);
        assert_eq!(points.iter().map(|point| point[0]).collect::<Vec<_>>(), [0.0, 0.5, 1.0], "{all}");
        let (best, first) = (best(&points), points[0][1]);
        let suits = |point: &[f64; 3]| match rule {
            0 => best - point[1] <= point[2],
            1 => point[1] - first >= 0.6 * (best - first),
            _ => point[1] == best,
        };
        let chosen = points.iter().find(|point| suits(point)).unwrap();
        assert_eq!(all[rule]["alpha"], chosen[0], "{}", all[rule]);
    }
}

#[test]
fn a_trained_classifier_has_an_alpha_by_the_rules_too() {
    let folder = Folder::new();
    let train = |name: &str, seed: u64| {
        let settings = format!("{SHORT} --set val_fraction=0.3 --set loss.kind=cross-entropy --seed {seed}");
        training(&folder, name, &settings).succeed();
        folder.join(name)
    };
    let (run, other) = (train("first", 0), train("second", 1));
    let select = radapter("sweep --json --alpha 0,1 --select stock,tpgm").with("--run", run).with("--other", other);
    let chosen = select.with("--out", folder.join("out")).succeed().json();
    for rule in [0, 1] {
        assert!(chosen[rule]["alpha"]["outside"].as_f64().unwrap() > 0.0, "{chosen}");
    }
}

#[test]
fn without_validation_data_the_usual_alpha_stays_and_a_wrong_rule_is_refused() {
    let folder = Folder::new();
    let done = training(&folder, "run", &format!("{SHORT} --set val_fraction=0 --set alpha=auto")).succeed();
    assert!(done.stderr.contains("alpha stays 0.5: the rule tpgm needs validation data"), "{}", done.stderr);
    let merged = radapter("merge --json").with("--run", folder.join("run")).with("--out", folder.join("merged"));
    assert_eq!(merged.succeed().json()["alpha"], 0.5);
    training(&folder, "typo", &format!("{SHORT} --set alpha_rule=one-es"))
        .fail(2, &["alpha_rule", "did you mean one-se?"]);
    training(&folder, "typo", &format!("{SHORT} --set alpha_rule=stock"))
        .fail(2, &["alpha_rule", "another seed", "sweep --select stock --save"]);
}

#[test]
fn a_model_is_merged_at_an_alpha_over_the_depth_or_from_a_file() {
    let folder = Folder::new();
    let merge = |alpha: &str, out: &str| {
        radapter("merge --json --alpha").args([alpha]).with("--run", trained().run()).with("--out", folder.join(out))
    };
    let file = |text: &str| {
        std::fs::write(folder.join("alpha.toml"), text).unwrap();
        folder.join("alpha.toml").display().to_string()
    };
    assert_eq!(merge("0..1", "depth").succeed().json()["alpha"], "0..1");
    merge("1", "whole").succeed();
    let lists = "visual.attn = [0, 1]\nvisual.mlp = [0, 1]\ntext.attn = [0, 1]\ntext.mlp = [0, 1]";
    merge(&file(&format!("outside = 0\n{lists}")), "listed").succeed();
    let state = |out: &str| radapter::clip::checkpoint::Checkpoint::open(folder.join(out), None).unwrap().state;
    assert_eq!(state("listed"), state("depth"));
    let base = radapter::clip::checkpoint::Checkpoint::open(trained().model(), None).unwrap().state;
    let name = |layer: usize| format!("visual.transformer.resblocks.{layer}.mlp.c_proj.weight");
    assert_eq!(state("depth").get(&name(0)), base.get(&name(0)));
    assert_eq!(state("depth").get(&name(1)), state("whole").get(&name(1)));
    assert_ne!(state("depth").get(&name(1)), base.get(&name(1)));

    merge(&file("outside = 0\nvisual.attn = [1]"), "short").fail(2, &["alpha.toml", "missing field"]);
    let short = lists.replace("text.mlp = [0, 1]", "text.mlp = [0]");
    merge(&file(&format!("outside = 0\n{short}")), "few").fail(1, &["text.mlp = 1 values", "2 blocks"]);
    merge("missing.toml", "no").fail(2, &["missing.toml"]);
    merge("one-sd", "rule").fail(2, &["`one-sd` is not a rule", "did you mean one-se?", "a number, A..B"]);
    merge("0..2", "far").fail(2, &["from 0"]);
}
