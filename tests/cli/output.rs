//! Streams, exit statuses, and files that appear whole or not at all.

use std::process::Stdio;

use crate::support::{Done, Folder, radapter, tiny_model, trained, training};

#[test]
fn every_subcommand_has_help_with_examples() {
    let commands = [
        "quickstart",
        "devices",
        "inspect",
        "tokenize",
        "embed",
        "zero-shot",
        "predict",
        "train classification",
        "train",
        "train retrieval",
        "eval classification",
        "eval retrieval",
        "index",
        "search",
        "merge",
        "export",
        "interpolate",
        "soup",
        "stock",
        "compare",
        "compare retrieval",
        "sweep",
    ];
    for command in commands {
        let help = radapter(&format!("{command} --help")).succeed().stdout;
        assert!(help.contains("Examples:") && help.contains("--device"), "{command}:\n{help}");
    }
    let help = radapter("--help").succeed().stdout;
    assert!(help.contains("Exit status") && help.contains("130"), "{help}");
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    for words in ["", "fly", "inspect", "tokenize", "embed --out x", "train", "train --out x", "eval", "merge --out x"]
    {
        let done = radapter(words).run();
        assert_eq!(done.status, Some(2), "radapter {words}\n{}", done.stderr);
        assert_eq!(done.stdout, "", "radapter {words}");
    }
    let tasks = "the tasks are classification, retrieval, segmentation";
    for words in ["train", "train --out x", "train --from-step 3"] {
        radapter(words).fail(2, &[tasks, "`radapter train --resume --out RUN`"]);
    }
    radapter("train --resume").fail(2, &["--out <RUN>"]);
    radapter("devices --device gpu").fail(2, &["gpu", "cuda[:i]"]);
    radapter("inspect embedded --quiet --verbose").fail(2, &["--quiet"]);
}

#[test]
fn devices_are_listed_and_missing_ones_name_their_feature() {
    let json = radapter("devices --json").succeed().json();
    let kinds: Vec<&str> = json.as_array().unwrap().iter().map(|kind| kind["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["cpu", "cuda", "metal", "vulkan", "wgpu"]);
    assert_eq!(json[0]["devices"][0]["name"], "cpu");
    let folder = Folder::new();
    let model = tiny_model(&folder.join("model"));
    let embed = || {
        radapter("embed")
            .with("--model", &model)
            .with("--texts", folder.file("texts.txt", "a cat"))
            .with("--out", folder.join("out.safetensors"))
    };
    let done = embed().succeed();
    assert!(done.stderr.contains("device: cpu"), "{}", done.stderr);
    for kind in json.as_array().unwrap().iter().filter(|kind| kind["compiled_in"] == false) {
        let name = kind["kind"].as_str().unwrap();
        embed().with("--device", name).fail(1, &[name, "--features"]);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::new();
    let model = tiny_model(&folder.join("model"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let done = radapter("inspect").args([model]).stdout(writer).run();
    assert_eq!((done.status, done.stderr.as_str()), (Some(0), ""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_stdout_is_an_error() {
    let folder = Folder::new();
    let model = tiny_model(&folder.join("model"));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    radapter("inspect").args([model]).stdout(Stdio::from(full)).fail(1, &["stdout", "No space left"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let folder = Folder::new();
    let texts = folder.file("texts.txt", "a cat");
    radapter("tokenize").with("--texts", texts).with("--out", "/dev/full").fail(1, &["/dev/full", "No space left"]);
}

#[test]
fn results_can_go_to_a_pipe() {
    let folder = Folder::new();
    let texts = folder.file("texts.txt", "a cat");
    let done = radapter("tokenize").with("--texts", texts).with("--out", "/dev/stdout").succeed();
    assert!(done.stdout.starts_with("[[49406,"), "{}", done.stdout);
}

#[test]
fn unwritable_outputs_are_found_before_the_work() {
    let folder = Folder::new();
    let texts = folder.file("texts.txt", "a cat");
    let tokenize = |out: &std::path::Path| radapter("tokenize").with("--texts", &texts).with("--out", out);
    tokenize(folder.path()).fail(1, &["is a directory"]);
    tokenize(&folder.join("absent/out.json")).fail(1, &["absent"]);
    let model = tiny_model(&folder.join("model"));
    let merge =
        || radapter("merge --alpha 1").with("--model", &model).with("--adapters", folder.join("absent.safetensors"));
    merge().with("--out", &model).fail(1, &["model", "not empty"]);
    merge().with("--out", &texts).fail(1, &["texts.txt"]);
    assert_eq!(folder.names("model").len(), 2, "nothing was added");
}

#[test]
fn nothing_but_results_is_on_stdout() {
    let folder = Folder::new();
    let model = tiny_model(&folder.join("model"));
    let texts = folder.file("texts.txt", "a cat");
    let done = radapter("embed --verbose")
        .with("--model", model)
        .with("--texts", texts)
        .with("--out", folder.join("out.safetensors"))
        .succeed();
    assert_eq!(done.stdout, "");
    assert!(!done.stderr.is_empty());
}

#[test]
fn verbose_shows_files_models_and_phases_of_every_command() {
    let folder = Folder::new();
    let (model, images, run) = (trained().model(), trained().images(), trained().run());
    let texts = folder.file("texts.txt", "a dog\n");
    let show = |path: &std::path::Path| path.display().to_string();
    let weights = format!("from {}", model.display());
    for (invocation, parts) in [
        (radapter("inspect").args([&model]), vec![weights.clone()]),
        (
            radapter("tokenize").with("--texts", &texts).with("--out", folder.join("tokens.json")),
            vec![format!("reading the texts {}", show(&texts)), format!("wrote {}", show(&folder.join("tokens.json")))],
        ),
        (
            radapter("embed")
                .with("--model", &model)
                .with("--texts", &texts)
                .with("--out", folder.join("e.safetensors")),
            vec![weights.clone(), "embedding 1 texts".to_owned(), "wrote ".to_owned()],
        ),
        (
            radapter("zero-shot").with("--model", &model).with("--data", &images),
            vec![format!("reading the folder {}", show(&images)), "embedding 30 images".to_owned()],
        ),
        (
            radapter("predict").with("--model", &run).with("--images", images.join("dog")),
            vec!["by the method r-adapter".to_owned(), "merging ".to_owned(), "embedding 10 images".to_owned()],
        ),
        (
            radapter("merge").with("--run", &run).with("--out", folder.join("merged")),
            vec!["adapters-ema.safetensors".to_owned(), "wrote the directory ".to_owned()],
        ),
        (
            radapter("index").with("--model", &model).with("--images", &images).with("--out", folder.join("index")),
            vec![weights.clone(), "embedding 30 images".to_owned()],
        ),
        (
            training(&folder, "run", "--steps 1 --batch-size 8"),
            vec![
                "trained parameters, 1 steps".to_owned(),
                "validating step 0".to_owned(),
                "saved the state of step 1".to_owned(),
            ],
        ),
    ] {
        let done = invocation.args(["-v"]).succeed();
        for part in parts.iter().map(String::as_str).chain(["debug: radapter ", "debug: done in "]) {
            assert!(done.stderr.contains(part), "{part}:\n{}", done.stderr);
        }
        assert!(!done.stderr.contains("trace: "), "{}", done.stderr);
    }
}

#[test]
fn more_verbose_shows_steps_and_the_variable_overrides_the_flags() {
    let folder = Folder::new();
    let train = |out: &str| training(&folder, out, "--steps 1 --batch-size 8");
    let more = train("more").args(["-vv"]).succeed().stderr;
    assert!(more.contains("trace: step 1 of 1, epoch 1: loss ") && !more.contains(" { "), "{more}");
    assert_eq!(more.matches("device: ").count(), 1, "{more}");
    let inspect = || radapter("inspect").args([trained().model()]);
    let debug = |done: &Done| done.stderr.contains("debug: ");
    assert!(!debug(&inspect().succeed()));
    assert!(debug(&inspect().env("RADAPTER_LOG", "debug").succeed()));
    assert!(!debug(&inspect().args(["-v"]).env("RADAPTER_LOG", "warn").succeed()));
    let one = inspect().env("RADAPTER_LOG", "error,radapter_clip=debug").succeed();
    assert!(one.stderr.contains("debug: read ") && !one.stderr.contains("debug: radapter "), "{}", one.stderr);
    for value in ["radapter=loud", "waring"] {
        let wrong = inspect().env("RADAPTER_LOG", value).succeed();
        assert!(wrong.stderr.contains(&format!("warning: RADAPTER_LOG={value} is ignored")), "{}", wrong.stderr);
    }
    let help = radapter("inspect --help").succeed().stdout;
    assert!(help.contains("RADAPTER_LOG") && help.contains("-vv"), "{help}");
}

#[test]
fn lists_may_be_given_inline() {
    let folder = Folder::new();
    let tokens = |texts: &str| {
        let out = folder.join("tokens.json");
        radapter("tokenize").with("--texts", texts).with("--out", &out).succeed();
        std::fs::read_to_string(out).unwrap()
    };
    let file = folder.file("texts.txt", "a dog, black\nthe sky\n");
    assert_eq!(tokens(r#"["a dog, black", "the sky"]"#), tokens(file.to_str().unwrap()));
    assert_eq!(tokens("a dog, the sky"), tokens(r#"["a dog", "the sky"]"#));
    radapter("tokenize --texts [] --out x").fail(2, &["--texts", "no texts"]);
    radapter("tokenize --texts [a --out x").fail(2, &["--texts", "is not JSON"]);

    let zero_shot = |templates: &std::ffi::OsStr| {
        let command =
            radapter("zero-shot --json").with("--model", trained().model()).with("--data", trained().images());
        command.with("--templates", templates).succeed().stdout
    };
    let file = folder.file("templates.txt", "a {}, drawn\nthe {}\n");
    assert_eq!(zero_shot(r#"["a {}, drawn", "the {}"]"#.as_ref()), zero_shot(file.as_os_str()));
}
