//! Run directories that cannot be used as a model.

use std::path::{Path, PathBuf};

use crate::support::{Folder, radapter, trained};

/// A copy of the shared run.
fn copy(folder: &Folder) -> PathBuf {
    fn walk(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                walk(&entry.path(), &target);
            } else {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    let run = folder.join("run");
    walk(&trained().run(), &run);
    run
}

/// Writes another location of the base model into the copied run.
fn point_to(run: &Path, base: &str) {
    let config = std::fs::read_to_string(trained().run().join("config.toml")).unwrap();
    let model = trained().model().canonicalize().unwrap();
    let changed = config.replace(model.to_str().unwrap(), base);
    assert_ne!(changed, config);
    std::fs::write(run.join("config.toml"), changed).unwrap();
}

#[test]
fn a_run_whose_base_is_gone_or_another_says_so() {
    let folder = Folder::new();
    let run = copy(&folder);
    let with_model = |other: &str| {
        point_to(&run, other);
        radapter("eval classification").with("--model", &run).with("--data", trained().images())
    };
    with_model("/nowhere/model").fail(1, &["base model of the run", "/nowhere/model"]);
    let other = folder.join("other");
    let checkpoint = crate::support::tiny_checkpoint(1);
    let options = radapter::clip::checkpoint::SaveOptions::new(checkpoint.format);
    checkpoint.save(&other, &options).unwrap();
    with_model(other.to_str().unwrap()).fail(1, &["another model", &checkpoint.state.hash()]);
}

#[test]
fn a_base_that_was_moved_is_named_anew() {
    let folder = Folder::new();
    let run = copy(&folder);
    point_to(&run, "/nowhere/model");
    let merge = |out: &str| radapter("merge").with("--run", &run).with("--out", folder.join(out));
    merge("without").fail(1, &["/nowhere/model", "--model MODEL"]);
    merge("with").with("--model", trained().model()).succeed();
}

#[test]
fn a_run_without_a_model_says_how_to_get_one() {
    let folder = Folder::new();
    let run = copy(&folder);
    for file in ["report.json", "adapters.safetensors", "adapters-ema.safetensors"] {
        std::fs::remove_file(run.join(file)).unwrap();
    }
    radapter("eval classification")
        .with("--model", &run)
        .with("--data", trained().images())
        .fail(1, &["not finished", "train --resume --out"]);
}

#[test]
fn the_model_of_a_run_that_is_not_finished_is_used_with_a_warning() {
    let folder = Folder::new();
    let run = copy(&folder);
    let warned = |invocation: crate::support::Invocation, words: &str| {
        let stderr = invocation.succeed().stderr;
        assert_eq!(stderr.matches("is not finished").count(), usize::from(!words.is_empty()), "{stderr}");
        assert!(stderr.contains(words), "{stderr}");
    };
    let eval = || radapter("eval classification").with("--model", &run).with("--data", trained().images());
    warned(eval(), "");
    std::fs::remove_file(run.join("report.json")).unwrap();
    let words = format!(
        "(9 of 9 steps), and its model is that of the last interruption that was saved, which may be of an earlier step; continue it with `radapter train --resume --out {}`",
        run.display()
    );
    warned(eval(), &words);
    warned(radapter("merge").with("--run", &run).with("--out", folder.join("merged")), &words);
    let sweep = radapter("sweep --alpha 0:1:1").with("--run", &run).with("--suite", trained().suite());
    warned(sweep.with("--out", folder.join("sweep")), &words);
}

#[test]
fn a_finished_run_is_checked_and_completed_when_resumed() {
    let folder = Folder::new();
    let run = copy(&folder);
    std::fs::remove_file(run.join("report.html")).unwrap();
    radapter("train --resume").with("--out", &run).succeed();
    assert!(run.join("report.html").is_file());
    let other = folder.join("other");
    let checkpoint = crate::support::tiny_checkpoint(1);
    checkpoint.save(&other, &radapter::clip::checkpoint::SaveOptions::new(checkpoint.format)).unwrap();
    radapter("train classification --resume").with("--out", &run).with("--model", &other).fail(1, &["base model"]);
    radapter("train --resume --from-step 1").with("--out", &run).fail(1, &["is finished"]);
}

#[test]
fn damaged_files_of_a_run_are_named() {
    for (file, content) in [
        ("config.toml", "format = \"radapter-run-v1\"\n"),
        ("adapters-ema.safetensors", "text"),
        ("classes.json", "[]"),
    ] {
        let folder = Folder::new();
        let run = copy(&folder);
        std::fs::write(run.join(file), content).unwrap();
        radapter("eval classification").with("--model", &run).with("--data", trained().images()).fail(1, &[file]);
    }
}

#[test]
fn an_edited_record_is_checked_as_settings_are() {
    let folder = Folder::new();
    let run = copy(&folder);
    let record = std::fs::read_to_string(run.join("config.toml")).unwrap();
    let edit = |own: &str, edited: &str| {
        let first = record.lines().position(|line| line.starts_with(own));
        let lines = record.lines().enumerate().map(|(at, line)| if Some(at) == first { edited } else { line });
        std::fs::write(run.join("config.toml"), lines.collect::<Vec<_>>().join("\n")).unwrap();
    };
    let resume = || radapter("train --resume").with("--out", &run);
    edit("lr = ", "lr = -1.0");
    resume().fail(1, &["lr = -1.0", "config.toml", "above 0"]);
    edit("lr = ", "lr = 5e-4\nlearning = 1");
    resume().fail(1, &["unknown setting `learning`", "config.toml"]);
    edit("method = ", "method = \"prompt\"");
    let merge = radapter("merge").with("--run", &run).with("--out", folder.join("merged"));
    merge.fail(1, &["method = \"prompt\"", "config.toml", "r-adapter"]);
    edit("task = ", "task = \"detection\"");
    resume().fail(1, &["a task unknown to this version: detection"]);
}

#[test]
fn a_run_of_an_earlier_version_has_the_defaults_of_the_settings_that_it_lacks() {
    let folder = Folder::new();
    let run = copy(&folder);
    let config = run.join("config.toml");
    let mut record: toml::Table = std::fs::read_to_string(&config).unwrap().parse().unwrap();
    let settings = record["settings"].as_table_mut().unwrap();
    for key in ["spd", "head", "on_error"] {
        settings.remove(key).unwrap();
    }
    std::fs::write(&config, record.to_string()).unwrap();
    let warned = |invocation: crate::support::Invocation| {
        let done = invocation.succeed();
        let words =
            "lacks 4 settings, which have their defaults: spd = 0.0, head.share = 0.5, head.lr = 0.001, on_error =";
        assert!(done.stderr.contains(words), "{}", done.stderr);
        done
    };
    let eval = |run: &std::path::Path| {
        radapter("eval classification --json").with("--model", run).with("--data", trained().images())
    };
    assert_eq!(warned(eval(&run)).json(), eval(&trained().run()).succeed().json());
    warned(radapter("merge").with("--run", &run).with("--out", folder.join("merged")));
    warned(radapter("train --resume").with("--out", &run));
    warned(radapter("train --resume --set spd=0").with("--out", &run));
    radapter("train --resume --set spd=0.1").with("--out", &run).fail(1, &["cannot change `spd`", "the run has 0.0"]);
    radapter("inspect").args([&run]).succeed();
    // Not yet finished, it goes on.
    std::fs::remove_file(run.join("report.json")).unwrap();
    warned(radapter("train --resume").with("--out", &run));
}
