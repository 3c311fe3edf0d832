//! Streams, exit statuses, and files that appear whole or not at all.

use std::process::Stdio;

use crate::support::{Folder, radapter, tiny_model};

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
