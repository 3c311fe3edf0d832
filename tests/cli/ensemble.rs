//! `interpolate`, `soup` and `stock`.

use std::path::{Path, PathBuf};

use crate::support::{CLASSES, Folder, SHORT, classes_folder, radapter, tensor, tiny_checkpoint, trained, training};
use radapter::clip::checkpoint::{Checkpoint, Format, SaveOptions};
use radapter::clip::state_dict::{StateDict, StoredDtype};

fn state(path: &Path) -> StateDict {
    Checkpoint::open(path, None).unwrap().state
}

fn merged(run: &Path, alpha: &str, folder: &Folder, name: &str) -> PathBuf {
    let out = folder.join(name);
    radapter("merge --alpha").args([alpha]).with("--run", run).with("--out", &out).succeed();
    out
}

/// A run like the shared one with another seed.
fn second(folder: &Folder) -> PathBuf {
    training(folder, "second", &format!("{SHORT} --seed 7")).succeed();
    folder.join("second")
}

#[test]
fn interpolating_to_a_run_ends_at_its_base_and_at_its_model_bit_for_bit() {
    let folder = Folder::new();
    let at = |alpha: &str| {
        let out = folder.join(&format!("at-{alpha}"));
        let done = radapter("interpolate --alpha").args([alpha]).args([trained().model(), trained().run()]);
        done.with("--out", &out).succeed();
        out
    };
    assert_eq!(state(&at("0")), state(&trained().model()));
    let whole = merged(&trained().run(), "1", &folder, "merged");
    let end = at("1");
    assert_eq!(state(&end), state(&whole));
    let half = merged(&trained().run(), "0.5", &folder, "half");
    for (name, tensor) in state(&at("0.5")).iter() {
        let other = state(&half).get(name).unwrap().to_f32();
        assert!(tensor.to_f32().iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-6), "{name}");
    }
    // The classifier is that of the mixed model.
    let eval = |model: PathBuf| {
        let eval = radapter("eval classification --json").with("--model", model).with("--data", trained().images());
        eval.succeed().json()
    };
    assert_eq!(eval(end), eval(whole));
    // Linear over the blocks: the first is the base's, the last the run's.
    let lines = state(&at("0..1"));
    let (base, tuned) = (state(&trained().model()), state(&folder.join("merged")));
    let block = |layer: usize| format!("visual.transformer.resblocks.{layer}.attn.out_proj.weight");
    assert_eq!(lines.get(&block(0)), base.get(&block(0)));
    assert_eq!(lines.get(&block(1)), tuned.get(&block(1)));
    let temporary = |name: &String| name.starts_with('.') || name.contains(".partial");
    assert!(!folder.names(".").iter().any(temporary), "nothing temporary is left: {:?}", folder.names("."));
}

#[test]
fn a_soup_of_adapter_runs_is_a_run_whose_model_is_the_mean_at_every_alpha() {
    let folder = Folder::new();
    let second = second(&folder);
    let soup = folder.join("soup");
    radapter("soup").args([trained().run(), second.clone()]).with("--out", &soup).succeed();
    assert_eq!(folder.names("soup"), ["adapters.safetensors", "classes.json", "config.toml"]);
    for alpha in ["0.3", "1"] {
        let [one, other, mean] = [(&trained().run(), "one"), (&second, "other"), (&soup, "mean")]
            .map(|(run, name)| state(&merged(run, alpha, &folder, &format!("{name}-{alpha}"))));
        for (name, tensor) in mean.iter() {
            let both = one.get(name).unwrap().to_f32().into_iter().zip(other.get(name).unwrap().to_f32());
            let close = both.zip(tensor.to_f32()).all(|((a, b), mean)| (f32::midpoint(a, b) - mean).abs() < 1e-5);
            assert!(close, "{name} at {alpha}");
        }
    }
    let eval =
        radapter("eval classification --alpha 0.3 --json").with("--model", &soup).with("--data", trained().images());
    let done = eval.succeed();
    assert!(!done.stderr.contains("not finished"), "{}", done.stderr);
    radapter("train --resume").with("--out", &soup).fail(1, &["soup of 2 runs", "--from"]);
    let json = radapter("inspect --json").args([&soup]).succeed().json();
    assert_eq!((&json["finished"], json["config"]["soup"].as_array().unwrap().len()), (&true.into(), 2));
    radapter("soup --format hf")
        .args([trained().run(), second])
        .with("--out", folder.join("out"))
        .fail(2, &["--format", "radapter merge"]);
}

#[test]
fn a_greedy_soup_is_no_worse_than_its_best_model_on_the_data_it_chooses_by() {
    let folder = Folder::new();
    let second = second(&folder);
    let accuracy = |model: &Path| {
        let eval = radapter("eval classification --json").with("--model", model).with("--data", trained().images());
        eval.succeed().json()["top1"].as_f64().unwrap()
    };
    let best = accuracy(&trained().run()).max(accuracy(&second));
    let greedy = |models: [PathBuf; 2], out: &str| {
        let out = folder.join(out);
        let done = radapter("soup --greedy --json").args(models).with("--val", trained().images()).with("--out", &out);
        (done.succeed(), out)
    };
    let (done, soup) = greedy([trained().run(), second.clone()], "runs");
    assert!(["kept", "left out"].iter().any(|word| done.stderr.contains(word)), "{}", done.stderr);
    assert!(accuracy(&soup) >= best);
    // A model that knows nothing is left out.
    let export = merged(&second, "1", &folder, "export");
    let random = folder.join("random");
    tiny_checkpoint(5).save(&random, &SaveOptions::new(Format::OpenClip)).unwrap();
    let (done, soup) = greedy([random, export.clone()], "models");
    assert!(done.stderr.contains("left out"), "{}", done.stderr);
    let json = done.json();
    assert_eq!((&json["form"], json["models"].as_array().unwrap().len()), (&"checkpoint".into(), 1));
    assert_eq!(state(&soup), state(&export));
}

#[test]
fn stock_lies_between_the_base_and_the_mean() {
    let folder = Folder::new();
    let second = second(&folder);
    let [stock, soup] = ["stock", "soup"].map(|name| folder.join(name));
    let models = [(&trained().run(), "a"), (&second, "b")].map(|(run, name)| merged(run, "1", &folder, name));
    radapter("stock").args([trained().model(), trained().run(), second]).with("--out", &stock).succeed();
    radapter("soup").args(models).with("--out", &soup).succeed();
    let (base, stock, soup) = (state(&trained().model()), state(&stock), state(&soup));
    let mut moved = 0;
    for (name, tensor) in stock.iter() {
        let (base, soup) = (base.get(name).unwrap().to_f32(), soup.get(name).unwrap().to_f32());
        for ((base, found), mean) in base.iter().zip(tensor.to_f32()).zip(soup) {
            let (low, high) = (base.min(mean) - 1e-6, base.max(mean) + 1e-6);
            assert!((low..=high).contains(&found), "{name}: {found} is not between {base} and {mean}");
            moved += usize::from(found != *base);
        }
    }
    assert!(moved > 0, "nothing moved");
}

#[test]
fn models_that_do_not_fit_are_refused_by_name_and_nothing_is_written() {
    let folder = Folder::new();
    let out = folder.join("out");
    let other = folder.join("other");
    tiny_checkpoint(1).save(&other, &SaveOptions::new(Format::OpenClip)).unwrap();
    let (model, run) = (trained().model(), trained().run());
    let call = |words: &str, models: &[&Path]| radapter(words).args(models.iter().copied()).with("--out", &out);
    call("interpolate --alpha 0.5", &[&other, &run]).fail(1, &["another model", "run"]);
    call("interpolate --alpha 2", &[&model, &run]).fail(2, &["--alpha", "from 0"]);
    call("interpolate --alpha 0.5", &[&model, Path::new("embedded")]).fail(1, &["embedded", "tensor `"]);
    call("soup", &[&model, Path::new("embedded")]).fail(1, &["embedded", "tensor `"]);
    call("stock", &[&model, &run]).fail(2, &["two tuned models", "radapter interpolate"]);
    call("stock", &[&model, &run, &run]).fail(2, &["twice; it needs different tuned models"]);
    call("soup --greedy", &[&run]).fail(2, &["--val"]);
    call("soup", &[]).fail(2, &["RUN|CHECKPOINT"]);
    assert!(!out.exists());
}

#[test]
fn a_soup_of_low_rank_runs_starts_a_run_of_their_ranks_together() {
    let folder = Folder::new();
    let short = format!("{SHORT} --set adapter.rank=2");
    for (name, seed) in [("a", 1), ("b", 2)] {
        training(&folder, name, &format!("{short} --seed {seed}")).succeed();
    }
    let soup = folder.join("soup");
    radapter("soup").args([folder.join("a"), folder.join("b")]).with("--out", &soup).succeed();
    training(&folder, "wrong", &short).with("--from", &soup).fail(1, &["adapter.rank", "4"]);
    training(&folder, "next", &format!("{SHORT} --set adapter.rank=4")).with("--from", &soup).succeed();
}

#[test]
fn trained_classifiers_are_mixed_and_the_dtypes_are_those_of_the_base() {
    let folder = Folder::new();
    let base = folder.join("model");
    let f16 = SaveOptions::new(Format::OpenClip).with_dtype(StoredDtype::F16);
    tiny_checkpoint(0).save(&base, &f16).unwrap();
    classes_folder(&folder.join("images"), &CLASSES, 10, false);
    let full = "--method full --lr 0.001 --steps 4 --batch-size 8 --set warmup=0";
    let runs = ["a", "b"].map(|name| {
        training(&folder, name, &format!("{full} --seed {}", name.len() + usize::from(name == "b"))).succeed();
        folder.join(name)
    });
    let rows = |model: &Path| tensor(&model.join("classifier.safetensors"), "weight").1;
    let exports = ["0", "1"].map(|alpha| merged(&runs[0], alpha, &folder, &format!("export-{alpha}")));
    let other = merged(&runs[1], "1", &folder, "other");
    let out = folder.join("half");
    radapter("interpolate --alpha 0.5").args([&base, &runs[0]]).with("--out", &out).succeed();
    let (start, end) = (rows(&exports[0]), rows(&exports[1]));
    for ((start, end), found) in start.iter().zip(&end).zip(rows(&out)) {
        assert!((f32::midpoint(*start, *end) - found).abs() < 1e-5, "{found} between {start} and {end}");
    }
    assert!(state(&out).iter().all(|(_, tensor)| tensor.dtype() == StoredDtype::F16));
    let soup = folder.join("soup");
    radapter("soup").args(&runs).with("--out", &soup).succeed();
    for ((one, other), found) in end.iter().zip(rows(&other)).zip(rows(&soup)) {
        assert!((f32::midpoint(*one, other) - found).abs() < 1e-5, "{found} between {one} and {other}");
    }
    let stock = folder.join("stock");
    radapter("stock").args([&base]).args(&runs).with("--out", &stock).succeed();
    let eval = radapter("eval classification --json").with("--model", &stock).with("--data", folder.join("images"));
    assert!(eval.succeed().json()["top1"].as_f64().unwrap() > 0.0);
}

#[test]
fn classifiers_of_adapter_runs_are_in_their_soup_and_runs_of_other_bases_are_refused() {
    let folder = Folder::new();
    let train = |name: &str, more: &str| {
        training(&folder, name, &format!("{SHORT} {more}")).succeed();
        folder.join(name)
    };
    let head = "--set loss.kind=cross-entropy";
    let runs = [train("a", &format!("{head} --seed 1")), train("b", &format!("{head} --seed 2"))];
    let soup = folder.join("soup");
    radapter("soup").args(&runs).with("--out", &soup).succeed();
    let rows = |run: &Path| {
        let average = run.join("head-ema.safetensors");
        let file = if average.exists() { average } else { run.join("head.safetensors") };
        tensor(&file, "head").1
    };
    for ((one, other), mean) in rows(&runs[0]).iter().zip(rows(&runs[1])).zip(rows(&soup)) {
        assert!((f32::midpoint(*one, other) - mean).abs() < 1e-6, "{mean} of {one} and {other}");
    }

    let base = folder.join("base");
    tiny_checkpoint(1).save(&base, &SaveOptions::new(Format::OpenClip)).unwrap();
    let of_other = |name: &str, more: &str| {
        let words = format!("train classification {SHORT} {more}");
        let command = radapter(&words).with("--model", &base).with("--train", trained().images());
        command.with("--out", folder.join(name)).succeed();
        folder.join(name)
    };
    let (adapters, full) = (of_other("adapters", ""), of_other("full", "--method full"));
    for other in [adapters, full] {
        let soup = radapter("soup").args([trained().run(), other]).with("--out", folder.join("out"));
        soup.fail(1, &["have different base models"]);
    }
    assert!(!folder.join("out").exists());
}
