//! `precision` and `--precision`: what is computed in 16 bits, what is recorded, and what is refused.

use std::path::Path;

use burn::tensor::Device;
use radapter::clip::model::{Precision, PrecisionChoice, Unit};
use serde_json::json;
use toml::{Table, Value};

use crate::support::{Folder, Invocation, embeddings, radapter, safetensors_metadata, tiny_model, trained, training};

const SHORT: &str = "--steps 2 --batch-size 8";

/// The unit of this machine for bf16.
fn unit() -> Unit {
    Precision::Bf16.unit(&Device::flex()).unwrap()
}

fn record(run: &Path) -> Table {
    toml::from_str(&std::fs::read_to_string(run.join("config.toml")).unwrap()).unwrap()
}

/// Checks the warning of what bf16 costs where no unit computes it: once, and only there.
fn check_warning(stderr: &str) {
    let expected = usize::from(unit() == Unit::F32);
    assert_eq!(stderr.matches("is no faster than f32 here").count(), expected, "{stderr}");
}

#[test]
fn auto_is_resolved_once_and_recorded_with_its_unit() {
    let folder = Folder::new();
    let auto = PrecisionChoice::Auto.resolve(&Device::flex());
    let done = training(&folder, "auto", &format!("{SHORT} --set precision=auto")).succeed();
    assert!(done.stderr.contains(&format!("precision = {auto}")), "{}", done.stderr);
    let written = record(&folder.join("auto"));
    assert_eq!(written["settings"]["precision"], Value::from(auto.to_string()));
    assert_eq!(written.get("unit").is_some(), auto == Precision::Bf16);
    // The default is the same.
    let listed = radapter("settings --json precision").succeed().json();
    assert_eq!(
        (&listed[0]["default"], &listed[0]["words"]),
        (&json!("\"auto\""), &json!(["f32", "bf16", "f16", "auto"]))
    );
    training(&folder, "auto", "--resume --set precision=auto").succeed();
    training(&folder, "auto", "--resume --set precision=f16").fail(1, &["precision", "f16", &auto.to_string()]);
}

#[test]
fn bf16_without_a_unit_for_it_works_with_a_warning_of_its_cost() {
    let folder = Folder::new();
    let done = training(&folder, "run", &format!("{SHORT} --set precision=bf16")).succeed();
    check_warning(&done.stderr);
    let written = record(&folder.join("run"));
    assert_eq!(written["settings"]["precision"], Value::from("bf16"));
    assert_eq!(written["unit"], Value::from(unit().to_string()));
    training(&folder, "f32", SHORT).succeed();
    assert!(record(&folder.join("f32")).get("unit").is_none(), "f32 has no unit");
}

/// Replaces the unit of a run's record.
fn set_unit(run: &Path, unit: Unit) {
    let mut written = record(run);
    written.insert("unit".to_owned(), Value::from(unit.to_string()));
    std::fs::write(run.join("config.toml"), toml::to_string(&written).unwrap()).unwrap();
}

#[test]
fn a_run_goes_on_by_another_unit_only_where_that_is_allowed() {
    let folder = Folder::new();
    let run = folder.join("run");
    training(&folder, "run", "--steps 4 --batch-size 8 --set save_every=1 --set precision=bf16").succeed();
    // An unfinished run that another machine began.
    std::fs::remove_file(run.join("report.json")).unwrap();
    let other = if unit() == Unit::Amx { Unit::F32 } else { Unit::Amx };
    set_unit(&run, other);
    let resume = |words: &str| radapter(&format!("train --resume --from-step 3 {words}")).with("--out", &run);
    let (found, before) = (format!("unit = \"{}\"", unit()), format!("unit = \"{other}\""));
    resume("").fail(1, &[&before, &found, "--allow-other-arithmetic"]);
    assert!(record(&run).get("other_arithmetic").is_none());
    let done = resume("--allow-other-arithmetic").succeed();
    assert!(done.stderr.contains("from step 3 on"), "{}", done.stderr);
    let written = record(&run);
    let changes: Vec<Value> = written["other_arithmetic"].as_array().unwrap().clone();
    let expected: Table = toml::from_str(&format!("step = 3\nunit = \"{}\"", unit())).unwrap();
    assert_eq!((changes, &written["unit"]), (vec![Value::Table(expected)], &Value::from(other.to_string())));
    let inspected = radapter("inspect").args([&run]).succeed().stdout;
    assert!(inspected.contains(&format!("{other}; {} from step 3", unit())), "{inspected}");
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains(&format!("bf16 was computed by: {other}; {} from step 3", unit())));
    // The newest state is of this machine's unit, and what came before it is not.
    std::fs::remove_file(run.join("report.json")).unwrap();
    radapter("train --resume").with("--out", &run).succeed();
    assert_eq!(record(&run), written);
    std::fs::remove_file(run.join("report.json")).unwrap();
    resume("").fail(1, &[&before, &found]);
    resume("--allow-other-arithmetic").succeed();
    assert_eq!(record(&run), written);
    // A record of an earlier version has no unit.
    let mut earlier = written;
    earlier.remove("unit");
    earlier.remove("other_arithmetic");
    std::fs::write(run.join("config.toml"), toml::to_string(&earlier).unwrap()).unwrap();
    std::fs::remove_file(run.join("report.json")).unwrap();
    resume("").succeed();
}

#[test]
fn an_index_is_updated_and_searched_in_its_own_precision() {
    let folder = Folder::new();
    tiny_model(&folder.join("model"));
    let index = |name: &str, words: &str| {
        let index = radapter(&format!("index --json {words}")).with("--model", folder.join("model"));
        index.with("--images", trained().images()).with("--out", folder.join(name))
    };
    let search = |name: &str, words: &str| {
        radapter(&format!("search --json --text red {words}")).with("--index", folder.join(name))
    };
    let manifest = |name: &str| std::fs::read_to_string(folder.join(name).join("index.json")).unwrap();
    for (name, own, other) in [("half", "bf16", "f32"), ("whole", "f32", "bf16")] {
        let made = index(name, &format!("--precision {own}")).succeed();
        assert_eq!(made.json()["precision"], own);
        let before = manifest(name);
        // f32 is what an index without the key has.
        assert_eq!(before.contains("\"precision\""), own == "bf16", "{before}");
        let words = [&format!("was created in {own}, not {other}"), "--precision auto"];
        index(name, &format!("--precision {other}")).fail(1, &words);
        search(name, &format!("--precision {other}")).fail(1, &words);
        assert_eq!(manifest(name), before);
        // `auto`, the default, is the index's own.
        assert_eq!(index(name, "").succeed().json()["precision"], own);
        let found = search(name, "").succeed();
        assert_eq!(found.json(), search(name, &format!("--precision {own}")).succeed().json());
        if own == "bf16" {
            check_warning(&found.stderr);
        }
    }
    assert_ne!(search("half", "").succeed().json(), search("whole", "").succeed().json());
    let auto = PrecisionChoice::Auto.resolve(&Device::flex()).to_string();
    assert_eq!(index("auto", "").succeed().json()["precision"], auto);
}

fn commands() -> Vec<(&'static str, Invocation)> {
    let on_data =
        |words: &str, flag: &str| radapter(words).with("--model", trained().run()).with(flag, trained().images());
    let segment = on_data("segment --classes red,green --out x", "--images");
    let index = on_data("index --out x", "--images");
    let embed = on_data("embed --out x.safetensors", "--images");
    let sweep = radapter("sweep --alpha 0,1 --out x").with("--run", trained().run()).with("--suite", trained().suite());
    vec![
        ("embed", embed),
        ("eval", on_data("eval classification", "--data")),
        ("eval", on_data("eval retrieval", "--captions")),
        ("eval", on_data("eval segmentation --annotations a --classes b", "--images")),
        ("index", index),
        ("predict", on_data("predict", "--images")),
        ("search", radapter("search --index x --text red")),
        ("segment", segment),
        ("sweep", sweep),
        ("zero-shot", on_data("zero-shot", "--data")),
    ]
}

#[test]
fn other_words_are_refused_with_the_expected_ones() {
    for word in ["f16", "f64", "BF16", ""] {
        for (_, command) in commands() {
            let given = format!("--precision={word}");
            command.args([given]).fail(2, &["--precision", "expected auto, f32 or bf16"]);
        }
    }
    let folder = Folder::new();
    let expected = "precision = \"half\" in --set is refused: expected \"f32\", \"bf16\", \"auto\" or \"f16\"";
    training(&folder, "run", "--set precision=half").fail(2, &[expected]);
}

#[test]
fn measurements_default_to_f32_and_answers_to_auto() {
    for (command, default) in [
        ("embed", "f32"),
        ("eval classification", "f32"),
        ("eval retrieval", "f32"),
        ("eval segmentation", "f32"),
        ("sweep", "f32"),
        ("zero-shot", "f32"),
        ("index", "auto"),
        ("search", "auto"),
        ("predict", "auto"),
        ("segment", "auto"),
    ] {
        let help = radapter(&format!("{command} --help")).succeed().stdout;
        let help: String = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let own = help.split("--precision <auto|f32|bf16>").nth(1).unwrap_or_else(|| panic!("{command}: {help}"));
        let own = own.split(" --").next().unwrap();
        assert!(own.contains(&format!("[default: {default}]")), "{command}: {own}");
    }
}

#[test]
fn results_of_bf16_are_near_those_of_f32_and_say_so() {
    let folder = Folder::new();
    let embed = |precision: &str| {
        let out = folder.join(&format!("{precision}.safetensors"));
        let embed = radapter("embed --texts red,green --precision").args([precision]);
        let embed = embed.with("--model", trained().run()).with("--images", trained().images());
        check_warning_of(precision, &embed.with("--out", &out).succeed().stderr);
        assert_eq!(safetensors_metadata(&out)["precision"], precision);
        ["image_embeddings", "text_embeddings"].map(|name| embeddings(&out, name)).concat()
    };
    let (whole, half) = (embed("f32"), embed("bf16"));
    let pairs = || whole.iter().flatten().zip(half.iter().flatten());
    let distance = pairs().fold(0.0, |most: f32, (a, b)| most.max((a - b).abs()));
    assert!(distance > 0.0 && distance < 0.05, "{distance}");

    let eval = |precision: &str| {
        let eval = radapter("eval classification --json --precision").args([precision]);
        let done = eval.with("--model", trained().run()).with("--suite", trained().suite()).succeed();
        check_warning_of(precision, &done.stderr);
        done.json()
    };
    let (whole, half) = (eval("f32"), eval("bf16"));
    assert_eq!((&whole["precision"], &half["precision"]), (&json!("f32"), &json!("bf16")));
    assert!(whole["id"]["ece"].is_f64(), "{whole}");
    assert_ne!(whole["id"]["ece"], half["id"]["ece"], "computed in another precision");

    let out = folder.join("sweep");
    let sweep = radapter("sweep --json --alpha 0,1 --select one-se --precision bf16").with("--run", trained().run());
    let done = sweep.with("--suite", trained().suite()).with("--out", &out).succeed();
    check_warning(&done.stderr);
    for point in done.json()["sweep"].as_array().unwrap() {
        assert_eq!(point["precision"], "bf16");
    }
    let zero_shot = radapter("zero-shot --json --precision bf16").with("--model", trained().run());
    assert_eq!(zero_shot.with("--data", trained().images()).succeed().json()["precision"], "bf16");
    let predict = |precision: &str| {
        let predict = radapter("predict --json --precision").args([precision]).with("--model", trained().run());
        predict.with("--images", trained().images()).succeed().json()
    };
    assert_ne!(predict("f32"), predict("bf16"));
    let segment = radapter("segment --json --classes red,green --precision bf16").with("--model", trained().run());
    let done = segment.with("--images", trained().images()).with("--out", folder.join("maps")).succeed();
    check_warning(&done.stderr);
}

fn check_warning_of(precision: &str, stderr: &str) {
    match precision {
        "bf16" => check_warning(stderr),
        _ => assert!(!stderr.contains("as long as f32"), "{stderr}"),
    }
}
