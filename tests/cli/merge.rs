//! `merge`: formats, dtypes and arguments.

use std::path::Path;

use crate::support::{Folder, radapter, tiny_checkpoint, trained, training};
use radapter::clip::checkpoint::{Checkpoint, Format, SaveOptions};
use radapter::clip::state_dict::StoredDtype;
use radapter::training::method::Output;
use serde_json::json;

fn json(words: &str, model: &Path) -> serde_json::Value {
    radapter(words).args([model]).succeed().json()
}

#[test]
fn a_runs_export_evaluates_as_the_run() {
    let folder = Folder::new();
    let out = folder.join("merged");
    radapter("merge --alpha 0.7").with("--run", trained().run()).with("--out", &out).succeed();
    assert_eq!(
        folder.names("merged"),
        ["classes.json", "classifier.safetensors", "open_clip_config.json", "open_clip_model.safetensors"]
    );
    let eval = |model: &Path, words: &str| {
        radapter(&format!("eval classification --json {words}"))
            .with("--model", model)
            .with("--data", trained().images())
            .succeed()
            .json()
    };
    assert_eq!(eval(&out, ""), eval(&trained().run(), "--alpha 0.7"));
    assert_eq!(folder.names("."), ["merged"], "nothing temporary is left");
}

#[test]
fn the_export_of_each_method_evaluates_as_its_run() {
    let folder = Folder::new();
    for method in radapter::methods::METHODS {
        let name = method.name();
        let settings = format!("--method {name} --steps 3 --batch-size 8 --lr 3e-3");
        training(&folder, name, &settings).succeed();
        let (run, out) = (folder.join(name), folder.join(&format!("{name}-clip")));
        let merge = radapter("merge").with("--run", &run).with("--out", &out);
        if method.output() == Output::RuntimeOnly {
            merge.fail(1, &["cannot be merged", "--model RUN"]);
            let eval = radapter("eval classification --json --alpha 0").with("--model", &run);
            eval.with("--data", trained().images()).succeed();
            continue;
        }
        merge.succeed();
        if method.output() == Output::PromptsOnly {
            assert_eq!(folder.names(&format!("{name}-clip")), [format!("{}.safetensors", method.stem())]);
            continue;
        }
        let eval = |model: &Path| {
            let eval = radapter("eval classification --json --calibrate none").with("--model", model);
            eval.with("--data", trained().images()).succeed().json()
        };
        assert_eq!(eval(&out), eval(&run), "{name}");
    }
}

#[test]
fn learned_prompts_are_exported_as_a_classifier_and_a_file_of_their_own() {
    let folder = Folder::new();
    training(&folder, "coop", "--method coop --steps 3 --batch-size 8 --set coop.tokens=3").succeed();
    let run = folder.join("coop");
    radapter("merge").with("--run", &run).with("--out", folder.join("out")).succeed();
    let names = folder.names("out");
    assert!(names.contains(&"coop.safetensors".to_owned()) && names.contains(&"classifier.safetensors".to_owned()));
    let (base, out) =
        (Checkpoint::open(trained().model(), None).unwrap(), Checkpoint::open(folder.join("out"), None).unwrap());
    assert_eq!(base.state, out.state, "the model is the base");
    let (shape, values) = crate::support::tensor(&run.join("coop.safetensors"), "text.0.attn.tokens");
    assert!(shape[0] == 3 && values.iter().any(|value| *value != 0.0), "{shape:?}");

    let eval = radapter("eval classification --alpha 0.5").with("--model", &run).with("--data", trained().images());
    eval.fail(1, &["alpha", "a prompt is used or not"]);

    training(&folder, "maple", "--method maple --steps 3 --batch-size 8 --set maple.depth=2").succeed();
    let out = folder.join("prompts");
    let merge = radapter("merge --json").with("--run", folder.join("maple")).with("--out", &out).succeed();
    assert_eq!(merge.json()["prompts"], json!(out.join("maple.safetensors")));
    for key in ["text.1.attn.tokens", "visual.1.attn.projection.weight"] {
        let (shape, values) = crate::support::tensor(&out.join("maple.safetensors"), key);
        assert!(shape.len() == 2 && values.iter().any(|value| *value != 0.0), "{key}: {shape:?}");
    }
    let run = folder.join("maple");
    let merge = |words: &str| radapter(&format!("merge {words}")).with("--run", &run).with("--out", folder.join("no"));
    merge("--alpha 0.5").fail(2, &["the prompts of maple have no alpha"]);
    merge("--dtype f16").fail(2, &["omit --alpha, --format and --dtype"]);
    let words = "--method maple --steps 2 --batch-size 8 --set precision=bf16 --set maple.tokens=6";
    training(&folder, "rounded", words).succeed();
    // Without its prompts each run's model is the base.
    let eval = |name: &str, alpha: &str| {
        let eval = radapter("eval classification --json --calibrate none --alpha").args([alpha]);
        eval.with("--model", folder.join(name)).with("--data", trained().images()).succeed().json()
    };
    assert_eq!(eval("maple", "0"), eval("coop", "0"));
    assert_ne!(eval("maple", "1"), eval("maple", "0"));
    training(&folder, "long", "--method coop --steps 3 --set coop.tokens=90")
        .fail(1, &["coop.tokens", "class names fit"]);
    radapter("train retrieval --method coop --model embedded --captions x --out y")
        .fail(2, &["compares images with a classifier"]);
}

#[test]
fn the_export_has_the_form_and_dtype_of_its_base_or_those_asked_for() {
    let folder = Folder::new();
    let out = folder.join("hf");
    radapter("merge --alpha 0.5 --format hf --dtype bf16").with("--run", trained().run()).with("--out", &out).succeed();
    let hf = json("inspect --json", &out);
    assert_eq!((&hf["format"], &hf["dtype"]), (&"hf".into(), &"bf16".into()));
    for file in ["tokenizer.json", "preprocessor_config.json", "vocab.json", "merges.txt"] {
        assert!(out.join(file).is_file() || file == "tokenizer.json", "{file}: {:?}", folder.names("hf"));
    }

    // An f16 base gives an f16 export, and weights without an adapter after them stay the base's bit for bit.
    let f16 = folder.join("f16");
    let options = SaveOptions::new(Format::HuggingFace).with_dtype(StoredDtype::F16);
    tiny_checkpoint(0).save(&f16, &options).unwrap();
    let base = Checkpoint::open(&f16, None).unwrap();
    let adapters = folder.join("adapters.safetensors");
    std::fs::copy(trained().run().join("adapters-ema.safetensors"), &adapters).unwrap();
    // The adapters belong to the f32 model, which has another hash. A file without a hash is accepted.
    let mut file = radapter::adapter::AdapterFile::read(&adapters).unwrap();
    let merge = |out: &str| {
        radapter("merge --alpha 1").with("--model", &f16).with("--adapters", &adapters).with("--out", folder.join(out))
    };
    merge("refused").fail(1, &["another model", "adapters.safetensors"]);
    assert!(!folder.join("refused").exists());
    file.base = None;
    file.write(&adapters).unwrap();
    let done = merge("merged").succeed();
    assert!(done.stderr.contains("warning"), "{}", done.stderr);
    let merged = Checkpoint::open(folder.join("merged"), None).unwrap();
    assert_eq!((merged.format, merged.dtype), (Format::HuggingFace, StoredDtype::F16));
    let name = "visual.transformer.resblocks.0.attn.in_proj_weight";
    assert_eq!(merged.state.get(name), base.state.get(name));
    let name = "visual.transformer.resblocks.0.attn.out_proj.weight";
    assert_ne!(merged.state.get(name), base.state.get(name));
}

#[test]
fn arguments_that_do_not_belong_together_are_refused() {
    let folder = Folder::new();
    let run = trained().run();
    let merge = |words: &str| radapter(words).with("--out", folder.join("out"));
    merge("merge --alpha 0.5").fail(2, &["--run"]);
    merge("merge --alpha 0.5 --model embedded").fail(2, &["--run"]);
    merge("merge --alpha 0.5 --model embedded").with("--run", &run).fail(1, &["another model"]);
    merge("merge")
        .with("--model", trained().model())
        .with("--adapters", run.join("adapters.safetensors"))
        .fail(2, &["--alpha"]);
    merge("merge --alpha 0.5 --format onnx").with("--run", &run).fail(2, &["onnx", "open-clip"]);
    merge("merge --alpha 0.5").with("--run", trained().model()).fail(1, &["config.toml"]);
    assert!(!folder.join("out").exists());
}
