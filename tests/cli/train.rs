//! `train classification`: run directories, settings, devices and event files.

use serde_json::Value;

use crate::support::{CLASSES, Folder, SHORT, classes_folder, radapter, trained, training};

/// The lines of a run's `metrics.jsonl` of one kind.
fn lines(run: &std::path::Path, kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["kind"] == kind).collect()
}

#[test]
fn a_run_leaves_everything_that_explains_it() {
    let run = trained().run();
    for file in [
        "config.toml",
        "metrics.jsonl",
        "adapters.safetensors",
        "adapters-ema.safetensors",
        "report.json",
        "report.html",
        "classes.json",
        "split.json",
    ] {
        assert!(run.join(file).is_file(), "{file}");
    }
    let config: toml::Table = std::fs::read_to_string(run.join("config.toml")).unwrap().parse().unwrap();
    assert_eq!(config["task"].as_str(), Some("classification"));
    assert_eq!(config["settings"]["method"].as_str(), Some("r-adapter"));
    assert_eq!(config["settings"]["epochs"].as_integer(), Some(3));
    assert_eq!(config["settings"]["loss"]["temperature"].as_float(), Some(0.01));
    assert_eq!(config["architecture"]["embed_dim"].as_integer(), Some(16));
    assert_eq!(config["base"].as_str(), trained().model().canonicalize().unwrap().to_str());

    // 30 images, a tenth held out: 27, in whole batches of 8, for three epochs.
    let steps: Vec<u64> = lines(&run, "train").iter().map(|line| line["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, (1..=9).collect::<Vec<u64>>());
    // The base model, then each epoch.
    let validated: Vec<u64> = lines(&run, "validation").iter().map(|line| line["step"].as_u64().unwrap()).collect();
    assert_eq!(validated, [0, 3, 6, 9]);
    let split: Value = serde_json::from_slice(&std::fs::read(run.join("split.json")).unwrap()).unwrap();
    assert_eq!((&split["train"], &split["val"]), (&27.into(), &3.into()));

    let html = std::fs::read_to_string(run.join("report.html")).unwrap();
    for part in ["<svg", "Loss", "Validation", "batch_size", "top1", "base model"] {
        assert!(html.contains(part), "{part}");
    }
    let report: Value = serde_json::from_slice(&std::fs::read(run.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["steps"], 9);
}

#[test]
fn inspect_shows_step_settings_and_metrics() {
    let json = radapter("inspect --json").args([trained().run()]).succeed().json();
    assert_eq!(json["kind"], "run");
    assert_eq!((&json["step"], &json["steps"], &json["finished"]), (&9.into(), &9.into(), &true.into()));
    assert_eq!(json["config"]["settings"]["lr"], 0.01);
    assert!(json["metrics"]["train"]["loss"].is_number());
    assert!(json["metrics"]["validation"]["values"]["top1"].is_number());
    assert!(json["metrics"]["base"]["values"]["top1"].is_number());
}

#[test]
fn settings_are_on_stderr_and_results_on_stdout() {
    let folder = Folder::new();
    let done = training(&folder, "run", &format!("{SHORT} --set epochs=1")).succeed();
    for part in ["tuned parameters", "report.html", " of it in steps", "images/s", " points on 3 validation samples"] {
        assert!(done.stdout.contains(part), "{part}: {}", done.stdout);
    }
    assert!(!done.stderr.contains("top5"), "it is 1 with three classes: {}", done.stderr);
    for part in
        ["batch_size = 8", "warmup = 0", "27 images of 3 classes", "3 steps", "the base model: top1 ", " % (base "]
    {
        assert!(done.stderr.contains(part), "{part}:\n{}", done.stderr);
    }
}

#[test]
fn set_overrides_a_config_file() {
    let folder = Folder::new();
    let config = folder.file("config.toml", "epochs = 2\nlr = 0.5\n[adapter]\nrank = 2\n[loss]\nmargin = 0.1\n");
    training(&folder, "run", "--set lr=0.001 --set epochs=1 --set batch_size=8").with("--config", config).succeed();
    let text = std::fs::read_to_string(folder.join("run/config.toml")).unwrap();
    let config: toml::Table = text.parse().unwrap();
    assert_eq!(config["settings"]["lr"].as_float(), Some(0.001));
    assert_eq!(config["settings"]["adapter"]["rank"].as_integer(), Some(2));
    assert_eq!(config["settings"]["loss"]["margin"].as_float(), Some(0.1));
}

#[test]
fn full_fine_tuning_is_a_setting() {
    let folder = Folder::new();
    let (images, run) = (folder.join("images"), folder.join("run"));
    training(&folder, "run", "--set tune=all --set epochs=1 --set batch_size=8").succeed();
    assert!(run.join("weights.safetensors").is_file(), "{:?}", folder.names("run"));
    let eval = |words: &str| radapter(words).with("--model", &run).with("--data", &images).succeed().json();
    assert_eq!(eval("eval classification --json")["n"], 30);
    assert_eq!(eval("eval classification --json --alpha 0.5")["n"], 30);
    // The classifier was trained, so other texts cannot replace it.
    radapter("eval classification --templates openai-80")
        .with("--model", &run)
        .with("--data", &images)
        .fail(2, &["was trained"]);
}

#[test]
fn validation_images_may_be_given() {
    let folder = Folder::new();
    let val = classes_folder(&folder.join("val"), &CLASSES, 2, false);
    training(&folder, "run", "--set epochs=1 --set batch_size=8").with("--val", &val).succeed();
    let split = std::fs::read(folder.join("run/split.json")).unwrap();
    let split: Value = serde_json::from_slice(&split).unwrap();
    assert_eq!((&split["train"], &split["val"]), (&30.into(), &6.into()));

    let other = classes_folder(&folder.join("other"), &["dog", "unicorn"], 1, false);
    training(&folder, "run2", "").with("--val", &other).fail(1, &["unicorn"]);
    assert!(!folder.join("run2").exists());
}

#[test]
fn damaged_images_may_be_left_out_of_a_training() {
    let folder = Folder::new();
    let start =
        |out: &str, settings: &str| training(&folder, out, &format!("--set epochs=1 --set batch_size=7 {settings}"));
    drop(start("unused", ""));
    folder.file("images/dog/broken.png", "this is text");
    start("fail", "").fail(1, &["broken.png", "on_error = \"skip\""]);
    let done = start("skip", "--set on_error=skip").succeed();
    assert!(done.stderr.contains("dog/broken.png"), "{}", done.stderr);
}

#[test]
fn a_run_is_a_model_to_train_from() {
    let folder = Folder::new();
    radapter(&format!("train classification {SHORT} --set epochs=1"))
        .with("--model", trained().run())
        .with("--train", trained().images())
        .with("--out", folder.join("second"))
        .succeed();
    let json = radapter("eval classification --json")
        .with("--model", folder.join("second"))
        .with("--data", trained().images())
        .succeed()
        .json();
    assert_eq!(json["n"], 30);
}

#[test]
fn several_devices_share_each_batch_of_a_training_and_are_refused_elsewhere() {
    let folder = Folder::new();
    let losses = |out: &str, device: &str| {
        training(&folder, out, &format!("--device {device} --set steps=4 --set batch_size=8")).succeed();
        lines(&folder.join(out), "train").iter().map(|line| line["loss"].as_f64().unwrap()).collect::<Vec<f64>>()
    };
    let (one, two) = (losses("one", "cpu"), losses("two", "cpu,cpu"));
    assert_eq!((one.len(), two.len()), (4, 4));
    for (one, two) in one.iter().zip(&two) {
        assert!((one - two).abs() <= 1e-5 * one.abs(), "{one} and {two}");
    }
    radapter("train --resume --device cpu,cpu").with("--out", folder.join("two")).succeed();
    let elsewhere = radapter("merge --device cpu,cpu").with("--run", folder.join("two"));
    elsewhere.with("--out", folder.join("merged")).fail(2, &["several devices", "only `train`"]);
    radapter("train --resume --device cpu,gpu").with("--out", folder.join("two")).fail(2, &["`gpu` is not a device"]);
}

#[test]
fn tensorboard_files_are_written_if_asked_for_and_a_resume_adds_one() {
    let folder = Folder::new();
    let events = |run: &str| {
        folder.names(run).into_iter().filter(|name| name.starts_with("events.out.tfevents.")).collect::<Vec<_>>()
    };
    training(&folder, "without", "--set epochs=1 --set batch_size=8").succeed();
    assert_eq!(events("without"), [""; 0]);

    let run = folder.join("run");
    let settings = "--set epochs=12 --set batch_size=4 --set save_every=3 --set log.tensorboard=true";
    let mut child = training(&folder, "run", settings).spawn();
    super::resume::wait_for(&run, 8, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    let first = events("run");
    assert_eq!(first.len(), 1, "{:?}", folder.names("run"));
    radapter("train --resume").with("--out", &run).succeed();
    let both = events("run");
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both.contains(&first[0]));
    for name in both {
        let bytes = std::fs::read(run.join(&name)).unwrap();
        let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(has("brain.Event:2") && has("loss"), "{name}");
    }
}

#[test]
fn a_file_with_model_and_data_is_enough_and_a_run_s_own_starts_another() {
    let folder = Folder::new();
    let (model, images) = (trained().model(), trained().images());
    let config =
        folder.file("train.toml", format!("model = {model:?}\ntrain = {images:?}\nsteps = 1\nbatch_size = 4\n"));
    let train = |config: &std::path::Path, out: &str| {
        radapter("train classification").with("--config", config).with("--out", folder.join(out))
    };
    let done = train(&config, "shown").succeed();
    let merge = format!("radapter merge --run {} --out ", folder.join("shown").display());
    assert!(done.stdout.contains(&merge) && done.stdout.contains("radapter sweep --run"), "{}", done.stdout);
    let report = train(&config, "first").args(["--json"]).succeed().json();
    assert_eq!(report["steps"], 1);
    train(&folder.join("first/config.toml"), "second").succeed();
    let weights = |run: &str| std::fs::read(folder.join(run).join("adapters.safetensors")).unwrap();
    assert_eq!(weights("first"), weights("second"));

    let without = folder.file("without.toml", format!("train = {images:?}\n"));
    train(&without, "third").fail(2, &["no model", "--model"]);
    let number = folder.file("number.toml", "model = 7\n");
    train(&number, "third").fail(2, &["model = 7", "number.toml, line 1", "expected a string"]);
    assert!(!folder.join("third").exists());
}

#[test]
fn common_settings_have_flags_and_set_overrides_the_file() {
    let folder = Folder::new();
    let run = |out: &str| folder.join(out).join("config.toml");
    let recorded = |out: &str| std::fs::read_to_string(run(out)).unwrap().parse::<toml::Table>().unwrap();
    training(&folder, "flags", "--lr 1e-3 --steps 1 --batch-size 4 --seed 7").succeed();
    let settings = recorded("flags")["settings"].clone();
    assert_eq!((settings["lr"].as_float(), settings["steps"].as_integer()), (Some(1e-3), Some(1)));
    assert_eq!((settings["batch_size"].as_integer(), settings["seed"].as_integer()), (Some(4), Some(7)));

    // `epochs` of the file gives way to `steps`, and the rest of a group stays.
    let file = folder.file("train.toml", "epochs = 3\nbatch_size = 4\n[loss]\nmargin = 0.2\n");
    training(&folder, "over", "--set steps=1 --set loss={temperature=0.05}").with("--config", file).succeed();
    let settings = recorded("over")["settings"].clone();
    assert_eq!((settings["steps"].as_integer(), settings.get("epochs")), (Some(1), None));
    assert_eq!(settings["loss"]["margin"].as_float(), Some(0.2));
    assert_eq!(settings["loss"]["temperature"].as_float(), Some(0.05));
}

#[test]
fn a_finished_run_starts_another_and_its_base_is_the_default_model() {
    let folder = Folder::new();
    let again = |out: &str| {
        radapter("train classification --steps 1 --batch-size 8")
            .with("--from", trained().run())
            .with("--train", trained().images())
            .with("--out", folder.join(out))
    };
    let done = again("second").succeed();
    for part in ["starting from the weights of", "the base model: top1 ", "the weights to start from: top1 "] {
        assert!(done.stderr.contains(part), "{part}: {}", done.stderr);
    }
    assert!(done.stdout.contains("before the first step"), "{}", done.stdout);
    let first = lines(&folder.join("second"), "validation").into_iter().filter(|line| line["step"] == 0);
    assert_eq!(first.map(|line| line["start"] == true).collect::<Vec<_>>(), [false, true]);
    let config: toml::Table = std::fs::read_to_string(folder.join("second/config.toml")).unwrap().parse().unwrap();
    assert_eq!(config["from"].as_str(), trained().run().canonicalize().unwrap().to_str());
    assert_eq!(config["base"].as_str(), trained().model().canonicalize().unwrap().to_str());
    // The same settings without --from give other weights.
    training(&folder, "plain", "--steps 1 --batch-size 8").succeed();
    let weights = |run: &str| std::fs::read(folder.join(run).join("adapters.safetensors")).unwrap();
    assert_ne!(weights("second"), weights("plain"));

    again("third").args(["--method", "full"]).fail(1, &["its method is r-adapter, and this run's is full", "--model"]);
    let words = ["run cannot start this run", "adapter.rank is \"full\" in that run and 2 in this one", "config.toml"];
    again("third").args(["--set", "adapter.rank=2"]).fail(1, &words);
    again("third").args(["--resume"]).fail(2, &["--from", "--resume"]);
    again("third").args(["--arch", "ViT-B-32"]).fail(2, &["--arch is for the file of --model", "omit it"]);
    assert!(!folder.join("third").exists());
}

#[test]
fn a_suite_is_measured_after_a_training_for_the_base_the_run_and_alpha_1() {
    let folder = Folder::new();
    let train = |out: &str| training(&folder, out, "--steps 3 --batch-size 8 --lr 0.01 --set warmup=0 --set alpha=0.5");
    let suite = train("run").with("--suite", trained().suite()).args(["--json"]).succeed().json()["suite"].clone();
    let alphas: Vec<f64> = suite.as_array().unwrap().iter().map(|row| row["alpha"].as_f64().unwrap()).collect();
    assert_eq!(alphas, [0.0, 0.5, 1.0]);
    let saved: Value = serde_json::from_slice(&std::fs::read(folder.join("run/suite.json")).unwrap()).unwrap();
    assert_eq!(saved, suite);
    let page = std::fs::read_to_string(folder.join("run/report.html")).unwrap();
    for part in ["The suite at alpha = 0.5: ", ">Suite</h2>", "far", "a mean over 3 samples"] {
        assert!(page.contains(part), "{part}");
    }
    for row in suite.as_array().unwrap() {
        let alpha = row["alpha"].to_string();
        let run = folder.join("run");
        let eval = radapter("eval classification --json").with("--model", run).with("--suite", trained().suite());
        let mut expected = eval.with("--alpha", &alpha).succeed().json();
        expected.as_object_mut().unwrap().insert("alpha".to_owned(), row["alpha"].clone());
        assert_eq!(expected, *row, "alpha {alpha}");
    }
    // A finished run is measured as well.
    let again =
        radapter("train --resume").with("--out", folder.join("run")).with("--suite", trained().suite()).succeed();
    for word in ["base", "alpha = 0.5", "alpha = 1", "OOD", "radapter merge"] {
        assert!(again.stdout.contains(word), "{word}: {}", again.stdout);
    }
}

#[test]
fn a_run_to_start_from_is_checked_before_the_data_are_read() {
    let folder = Folder::new();
    let other = "train classification --method full";
    let no_data = radapter(other).with("--from", trained().run()).with("--train", folder.join("none"));
    no_data.with("--out", folder.join("run")).fail(1, &["its method is r-adapter"]);
}

#[test]
fn a_suite_that_fails_leaves_the_run_s_results_and_names_the_command_that_repeats_it() {
    let folder = Folder::new();
    let invocation = training(&folder, "run", "--steps 1 --batch-size 8");
    classes_folder(&folder.join("bad"), &CLASSES, 1, false);
    let first = std::fs::read_dir(folder.join("bad").join(CLASSES[0])).unwrap().next().unwrap().unwrap().path();
    std::fs::write(first, "no image").unwrap();
    let set = |name: &str, data: &str| format!("name = \"{name}\"\ndata = \"{data}\"\n");
    let suite = folder.file("suite.toml", format!("[id]\n{}[[ood]]\n{}", set("a", "images"), set("b", "bad")));
    let run = folder.join("run");
    let again = format!("radapter train --resume --out {} --suite {}", run.display(), suite.display());
    let done = invocation.with("--suite", &suite).fail(1, &["its suite is not measured", &again]);
    for word in ["tuned parameters", "radapter merge"] {
        assert!(done.stdout.contains(word), "{word}: {}", done.stdout);
    }
    assert!(run.join("report.json").is_file() && !run.join("suite.json").exists());
}

#[test]
fn a_suite_that_cannot_be_measured_is_refused_before_the_training() {
    let folder = Folder::new();
    let train = || training(&folder, "run", "--steps 1 --batch-size 8");
    drop(train());
    train().with("--suite", folder.join("none.toml")).fail(1, &["none.toml"]);
    classes_folder(&folder.join("other"), &["unicorn"], 1, false);
    let set = |name: &str, data: &str| format!("name = \"{name}\"\ndata = \"{data}\"\n");
    let other = format!("[id]\n{}[[ood]]\n{}", set("a", "images"), set("b", "other"));
    let refused = train().with("--suite", folder.file("other.toml", other)).fail(1, &["set `b`", "unicorn"]);
    assert!(!refused.stderr.contains("batch_size = "), "{}", refused.stderr);
    train().with("--suite", "imagenet").fail(2, &["--root"]);
    radapter("train retrieval --model embedded --captions c.json")
        .with("--suite", trained().suite())
        .with("--out", folder.join("run"))
        .fail(2, &["--suite", "retrieval has no suites", "radapter eval retrieval"]);
    assert!(!folder.join("run").exists());
}

#[test]
fn settings_without_effect_are_named() {
    let folder = Folder::new();
    let warned = |out: &str, settings: &str| {
        training(&folder, out, &format!("--steps 1 --batch-size 8 {settings}")).succeed().stderr
    };
    let said = warned("flyp", "--method flyp --set adapter.drop=0.5 --set adapter.rank=4 --set loss.margin=0.3");
    assert!(said.contains("warning: adapter.drop, adapter.rank have no effect with the method flyp"), "{said}");
    assert!(said.contains("warning: loss.margin has no effect with loss.kind = \"info-nce\""), "{said}");
    assert!(!warned("plain", "--set adapter.rank=4 --set loss.margin=0.3").contains("no effect"));
    // A run's own file has all settings, with their defaults.
    let config = folder.join("flyp/config.toml");
    let again = training(&folder, "again", "").with("--config", config).succeed();
    let warnings: Vec<&str> = again.stderr.lines().filter(|line| line.contains("no effect")).collect();
    assert_eq!(warnings.len(), 2, "{}", again.stderr);
    assert!(warnings.iter().all(|line| !line.contains("loss.smoothing")), "{}", again.stderr);
}

#[test]
fn the_usage_shows_what_a_training_needs() {
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (task, needs) in [
        ("classification", "--model <MODEL> --train <DIR> --out <RUN>"),
        ("retrieval", "--model <MODEL> --captions <FILE|DIR|PATTERN> --out <RUN>"),
        ("segmentation", "--model <MODEL> --images <DIR> --out <RUN>"),
    ] {
        let help = words(radapter(&format!("train {task} --help")).succeed().stdout);
        assert!(help.contains(&format!("Usage: radapter train {task} {needs}")), "{help}");
        assert!(help.contains("knows drawn shapes"), "{help}");
    }
    let help = radapter("train --help").succeed().stdout;
    assert!(help.contains("Usage: radapter train <TASK> --model <MODEL>"), "{help}");
}
