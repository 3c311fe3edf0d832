//! `export`: checkpoints as `merge` writes them, and ONNX.

use std::path::Path;

use crate::support::{Folder, Invocation, radapter, trained, training};
use radapter::clip::checkpoint::{Checkpoint, Format};
use serde_json::{Value, json};

fn export(model: impl AsRef<Path>, words: &str, out: &Path) -> Invocation {
    radapter("export").args([model.as_ref()]).args(words.split_whitespace()).with("--out", out)
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_checkpoint_of_a_run_is_that_of_merge() {
    let folder = Folder::new();
    let (merged, exported) = (folder.join("merged"), folder.join("exported"));
    radapter("merge --alpha 0.7 --format hf").with("--run", trained().run()).with("--out", &merged).succeed();
    let done = export(trained().run(), "--alpha 0.7 --format hf --json", &exported).succeed();
    assert_eq!(done.json(), json!({ "out": exported, "alpha": 0.7, "format": "hf", "dtype": "f32" }));
    assert_eq!(folder.names("merged"), folder.names("exported"));
    for name in folder.names("merged") {
        let read = |dir: &Path| std::fs::read(dir.join(&name)).unwrap();
        assert!(read(&merged) == read(&exported), "{name}");
    }
    // A plain model, in another form.
    let done = export(trained().model(), "--format hf --dtype f16 --json", &folder.join("model")).succeed();
    assert_eq!((&done.json()["alpha"], &done.json()["dtype"]), (&Value::Null, &"f16".into()));
    assert_eq!(Checkpoint::open(folder.join("model"), None).unwrap().format, Format::HuggingFace);
}

#[test]
fn the_folder_of_onnx_models_is_complete() {
    let folder = Folder::new();
    let out = folder.join("onnx");
    let done = export(trained().run(), "--format onnx --json", &out).succeed();
    let files = ["onnx/vision_model.onnx", "onnx/text_model.onnx"];
    // The run's own alpha.
    assert_eq!(done.json(), json!({ "out": out, "alpha": 0.5, "format": "onnx", "dtype": "f32", "files": files }));
    assert_eq!(folder.names("onnx/onnx"), ["text_model.onnx", "vision_model.onnx"]);
    let hf = folder.join("hf");
    export(trained().run(), "--format hf", &hf).succeed();
    let mut expected = folder.names("hf");
    expected.retain(|name| name != "model.safetensors");
    let mut found = folder.names("onnx");
    found.retain(|name| name != "onnx");
    assert_eq!(found, expected);
    for name in expected.iter().filter(|name| *name != "config.json") {
        assert!(std::fs::read(out.join(name)).unwrap() == std::fs::read(hf.join(name)).unwrap(), "{name}");
    }
    let (mut config, of_hf) = (read_json(&out.join("config.json")), read_json(&hf.join("config.json")));
    let loading = config.as_object_mut().unwrap().remove("transformers.js_config");
    assert_eq!((config, loading), (of_hf, Some(json!({ "dtype": "fp32" }))));

    for (words, names) in [
        ("--dtype f16", &["text_model_fp16.onnx", "vision_model_fp16.onnx"][..]),
        ("--single", &["model.onnx"]),
        ("--single --dtype f16 --opset 21", &["model_fp16.onnx"]),
        ("--alpha input", &["text_model.onnx", "vision_model.onnx"]),
    ] {
        let name = words.replace(' ', "");
        export(trained().run(), &format!("--format onnx {words}"), &folder.join(&name)).succeed();
        assert_eq!(folder.names(&format!("{name}/onnx")), names, "{words}");
    }
    // A classifier depends on alpha.
    assert!(
        !folder.join("--alphainput/classifier.safetensors").exists() && out.join("classifier.safetensors").exists()
    );
}

#[test]
fn onnx_files_have_the_values_of_the_run() {
    let folder = Folder::new();
    let bytes = |name: &str, words: &str| {
        let out = folder.join(name);
        export(trained().run(), &format!("--format onnx {words}"), &out).succeed();
        std::fs::read(out.join("onnx/vision_model.onnx")).unwrap()
    };
    let (half, again, whole) = (bytes("a", "--alpha 0.5"), bytes("b", "--alpha 0.5"), bytes("c", "--alpha 1"));
    assert!(half == again && half != whole, "each alpha has its bytes");
    let holds = |file: &[u8], values: &[u8]| file.windows(values.len()).any(|window| window == values);
    let merged = folder.join("merged");
    radapter("merge --alpha 0.5").with("--run", trained().run()).with("--out", &merged).succeed();
    let merged = Checkpoint::open(&merged, None).unwrap();
    let weight = merged.state.get("visual.transformer.resblocks.0.attn.out_proj.weight").unwrap();
    assert!(holds(&half, weight.bytes()) && !holds(&whole, weight.bytes()));
}

#[test]
fn what_has_no_onnx_form_is_refused_with_the_next_step() {
    let folder = Folder::new();
    let out = folder.join("out");
    let run = trained().run();
    export(&run, "--format onnx --dtype bf16", &out).fail(2, &["--dtype bf16", "f32 or f16"]);
    export(&run, "--format onnx --opset 17", &out).fail(2, &["opset 17", "expected 18 to 23"]);
    export(&run, "--format hf --single", &out).fail(2, &["--single", "--format onnx"]);
    export(&run, "--format hf --alpha input", &out).fail(2, &["--alpha input", "--format onnx"]);
    export(&run, "", &out).fail(2, &["--format"]);
    export(&run, "--format tflite", &out).fail(2, &["tflite", "open-clip"]);
    export(trained().model(), "--format onnx --alpha input", &out).fail(2, &["--alpha", "plain model"]);
    export(trained().model(), "--format hf --base embedded", &out).fail(2, &["--base", "plain model"]);
    export(&run, "--format onnx --base embedded", &out).fail(1, &["another model"]);
    export(&run, "--format onnx --alpha input --base embedded", &out).fail(1, &["another model"]);

    for (method, settings, words) in [
        ("maple", "--set maple.depth=1", &["no plain CLIP", "radapter merge --run"][..]),
        ("linear-probe", "", &["trained classifier", "--format open-clip or hf"]),
        ("flyp", "", &[]),
    ] {
        let name = method.replace('-', "_");
        training(&folder, &name, &format!("--method {method} --steps 2 --batch-size 8 {settings}")).succeed();
        let export = |words: &str| export(folder.join(&name), words, &out);
        match words {
            [] => {
                export("--format onnx --alpha input").fail(1, &["--alpha input", "a run of flyp", "a number"]);
            }
            words => {
                export("--format onnx").fail(1, words);
            }
        }
    }
    assert!(!out.exists(), "nothing is left");
}
