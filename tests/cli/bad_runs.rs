//! Run directories that cannot be used as a model.

use crate::support::{Folder, radapter, trained};

/// A copy of the shared run.
fn copy(folder: &Folder) -> std::path::PathBuf {
    fn walk(from: &std::path::Path, to: &std::path::Path) {
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

#[test]
fn a_run_whose_base_is_gone_or_another_says_so() {
    let folder = Folder::new();
    let run = copy(&folder);
    let config = std::fs::read_to_string(run.join("config.toml")).unwrap();
    let model = trained().model().canonicalize().unwrap();
    let with_model = |other: &str| {
        let changed = config.replace(model.to_str().unwrap(), other);
        assert_ne!(changed, config);
        std::fs::write(run.join("config.toml"), changed).unwrap();
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
