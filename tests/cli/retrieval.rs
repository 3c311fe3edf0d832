//! `train retrieval`, `eval retrieval`, `sweep` of a retrieval run, and a retrieval run as a MODEL.

use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::support::{Folder, Invocation, drawn, embeddings, radapter, tiny_model};

const COLOURS: [&str; 3] = ["red", "green", "blue"];

/// Images with captions, in Karpathy's format and as TSV, and a finished run on them.
pub(super) struct Flickr(pub(super) Folder);

impl Flickr {
    fn new() -> Self {
        let folder = Folder::new();
        tiny_model(&folder.join("model"));
        std::fs::create_dir_all(folder.join("images/all")).unwrap();
        let mut images = Vec::new();
        let mut table = "filepath\ttitle\n".to_owned();
        for index in 0..36_u32 {
            let name = format!("{index:02}.png");
            drawn(index % 3, index, false).save(folder.join(&format!("images/all/{name}"))).unwrap();
            let colour = COLOURS[index as usize % 3];
            let captions = [format!("a {colour} grating number {index}"), format!("{index} stripes in {colour}")];
            for caption in &captions {
                table.push_str(&format!("images/all/{name}\t{caption}\n"));
            }
            let split = ["train", "train", "restval", "val", "test", "train"][index as usize / 3 % 6];
            let sentences = captions.map(|raw| json!({ "raw": raw }));
            images.push(json!({ "filepath": "all", "filename": name, "split": split, "sentences": sentences }));
        }
        folder.file("captions.json", json!({ "dataset": "drawn", "images": images }).to_string());
        folder.file("captions.tsv", table);
        Self(folder)
    }

    pub(super) fn captions(&self, command: Invocation) -> Invocation {
        command.with("--captions", self.0.join("captions.json")).with("--images", self.0.join("images"))
    }

    fn training(&self, out: &str, more: &str) -> Invocation {
        let command = radapter(&format!(
            "train retrieval --split train,restval --val-split val --set precision=f32 --set batch_size=8 --set lr=0.01 {more}"
        ));
        self.captions(command).with("--model", self.0.join("model")).with("--out", self.0.join(out))
    }

    fn run(&self) -> PathBuf {
        self.0.join("run")
    }
}

pub(super) fn flickr() -> &'static Flickr {
    static FLICKR: LazyLock<Flickr> = LazyLock::new(|| {
        let flickr = Flickr::new();
        flickr.training("run", "--set epochs=2 --set alpha=0.8").succeed();
        flickr
    });
    &FLICKR
}

#[test]
fn training_records_its_task_and_leaves_a_run() {
    let done = radapter("inspect --json").args([flickr().run()]).succeed().json();
    assert_eq!(done["finished"], true, "{done}");
    let config = std::fs::read_to_string(flickr().run().join("config.toml")).unwrap();
    assert!(config.contains("task = \"retrieval\"") && config.contains("split = [\"train\", \"restval\"]"), "{config}");
    assert!(config.contains("alpha = 0.8"), "{config}");
    let again = radapter("train --resume").with("--out", flickr().run()).succeed();
    assert!(again.stdout.contains("mean_recall"), "{}", again.stdout);
    radapter("train retrieval --resume --split train").with("--out", flickr().run()).fail(1, &["split"]);
    radapter("train classification --resume")
        .with("--out", flickr().run())
        .fail(1, &["is a run of task retrieval; expected task classification"]);
}

#[test]
fn a_run_is_evaluated_and_swept() {
    let evaluate = |more: &str| {
        let command = flickr().captions(radapter(&format!("eval retrieval --split test --json {more}")));
        command.with("--model", flickr().run()).succeed().json()
    };
    let own = evaluate("");
    assert_eq!(own, evaluate("--alpha 0.8"));
    let keys: Vec<&String> = own.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["n_images", "n_texts", "image_to_text", "text_to_image", "mean_recall", "precision"]);
    assert_eq!((own["n_images"].as_u64(), own["n_texts"].as_u64()), (Some(6), Some(12)));
    let six: f64 = ["image_to_text", "text_to_image"]
        .iter()
        .flat_map(|way| ["r1", "r5", "r10"].map(|k| own[way][k].as_f64().unwrap()))
        .sum();
    assert!((own["mean_recall"].as_f64().unwrap() - six / 6.0).abs() < 1e-12);
    assert_eq!(evaluate("--max-captions 1")["n_texts"], 6);

    let folder = Folder::new();
    let sweep = flickr().captions(radapter("sweep --alpha 0,0.8 --split test")).with("--run", flickr().run());
    let done = sweep.with("--out", folder.join("sweep")).succeed();
    assert!(done.stdout.contains("the run's alpha"), "{}", done.stdout);
    let points: Value = serde_json::from_slice(&std::fs::read(folder.join("sweep/sweep.json")).unwrap()).unwrap();
    let mut point = points[1].clone();
    assert_eq!(point.as_object_mut().unwrap().remove("alpha"), Some(json!(0.8)));
    assert_eq!(point, own);
    assert_eq!(folder.names("sweep"), ["report.html", "sweep.csv", "sweep.json", "sweep.svg"]);
    let report = std::fs::read_to_string(folder.join("sweep/report.html")).unwrap();
    assert!(report.contains("Recall over alpha"));
}

#[test]
fn tables_are_read_and_embeddings_evaluate_as_their_model() {
    let folder = Folder::new();
    let eval = radapter("eval retrieval --json").with("--model", flickr().run());
    let whole = eval.with("--captions", flickr().0.join("captions.tsv")).succeed().json();
    assert_eq!((whole["n_images"].as_u64(), whole["n_texts"].as_u64()), (Some(36), Some(72)));

    // The same through `embed`, whose file lacks only the image of each text.
    let texts: Vec<String> = std::fs::read_to_string(flickr().0.join("captions.tsv"))
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| line.split_once('\t').unwrap().1.to_owned())
        .collect();
    let out = folder.join("embeddings.safetensors");
    radapter("embed")
        .with("--model", flickr().run())
        .with("--images", flickr().0.join("images"))
        .with("--texts", folder.file("texts.json", serde_json::to_string(&texts).unwrap()))
        .with("--out", &out)
        .succeed();
    let bytes = |rows: &[Vec<f32>]| -> Vec<u8> { rows.concat().iter().flat_map(|value| value.to_le_bytes()).collect() };
    let (images, texts) = (embeddings(&out, "image_embeddings"), embeddings(&out, "text_embeddings"));
    let (image_bytes, text_bytes) = (bytes(&images), bytes(&texts));
    let view = |rows: &[Vec<f32>], bytes| {
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![rows.len(), rows[0].len()], bytes).unwrap()
    };
    let tensors = [("image_embeddings", view(&images, &image_bytes)), ("text_embeddings", view(&texts, &text_bytes))];
    let text_image: Vec<usize> = (0..72).map(|text| text / 2).collect();
    let metadata = [("text_image".to_owned(), serde_json::to_string(&text_image).unwrap())].into();
    let file = folder.file("both.safetensors", safetensors::serialize(tensors, Some(metadata)).unwrap());
    let mut found = radapter("eval retrieval --json").with("--embeddings", file).succeed().json();
    // Of embeddings it is not known.
    assert!(found.get("precision").is_none(), "{found}");
    found["precision"] = whole["precision"].clone();
    assert_eq!(found, whole);
}

#[test]
fn a_run_of_retrieval_is_a_model_for_every_command() {
    let folder = Folder::new();
    let merged = folder.join("merged");
    radapter("merge --alpha 0.8").with("--run", flickr().run()).with("--out", &merged).succeed();
    let embed = |model: PathBuf, out: &str| {
        let command = radapter("embed").with("--model", model).with("--texts", folder.file("texts.txt", "a red one"));
        command.with("--out", folder.join(out)).succeed();
        embeddings(&folder.join(out), "text_embeddings")
    };
    assert_eq!(embed(flickr().run(), "run.safetensors"), embed(merged, "merged.safetensors"));
    for (name, index) in [("one", 0), ("two", 1)] {
        std::fs::create_dir_all(folder.join(&format!("data/{name}"))).unwrap();
        drawn(index, 0, false).save(folder.join(&format!("data/{name}/a.png"))).unwrap();
    }
    let zero_shot = radapter("zero-shot --json").with("--model", flickr().run()).with("--data", folder.join("data"));
    assert_eq!(zero_shot.succeed().json()["n"], 2);
    // The next training starts from the run's weights.
    let next = flickr().captions(radapter("train retrieval --split train --set steps=1 --set val_fraction=0"));
    next.with("--model", flickr().run()).with("--out", folder.join("next")).succeed();
}

#[test]
fn bad_captions_are_reported() {
    let folder = Folder::new();
    let model = tiny_model(&folder.join("model"));
    let eval = |captions: PathBuf, more: &str| {
        let command = radapter(&format!("eval retrieval {more}")).with("--model", &model);
        command.with("--captions", captions).with("--images", flickr().0.join("images"))
    };
    let karpathy = |sentences: Value, name: &str| {
        let images = json!([
            { "filepath": "all", "filename": name, "split": "test", "sentences": sentences },
            { "filepath": "all", "filename": "01.png", "split": "test", "sentences": [{ "raw": "a good one" }] },
            { "filepath": "all", "filename": "02.png", "split": "test", "sentences": [{ "raw": "another" }] },
        ]);
        folder.file("captions.json", json!({ "images": images }).to_string())
    };
    eval(folder.file("no.json", "{\"a\": 1}"), "").fail(1, &["no.json"]);
    eval(folder.file("list.json", "[1, 2]"), "--captions-format karpathy").fail(1, &["list.json"]);
    let one = json!([{ "raw": "one" }]);
    eval(karpathy(one.clone(), "99.png"), "").fail(1, &["99.png"]);
    eval(karpathy(one.clone(), "00.png"), "--split tset").fail(1, &["tset", "test"]);
    for (sentences, words) in [(json!([]), "no caption"), (json!([{ "raw": "" }]), "empty")] {
        eval(karpathy(sentences.clone(), "00.png"), "").fail(1, &["00.png", words]);
        let done = eval(karpathy(sentences, "00.png"), "--on-error skip --json").succeed();
        assert_eq!(done.json()["n_images"], 2);
        assert!(done.stderr.contains("00.png"), "{}", done.stderr);
    }
    let table = folder.file("t.csv", "path,words\nall/00.png,a thing\n");
    eval(table.clone(), "--csv-caption-key caption").fail(1, &["`caption`", "`words`"]);
    eval(table, "--csv-separator ab").fail(2, &["separator"]);
    eval(folder.file("a.tar", "no tar"), "").fail(1, &["a.tar"]);
    radapter("eval retrieval").with("--model", &model).fail(2, &["--captions"]);
    radapter("eval retrieval --per-image ranks.txt").with("--model", &model).fail(2, &["ranks.txt", ".csv"]);
    radapter("eval retrieval").with("--embeddings", folder.file("e.safetensors", "x")).fail(1, &["e.safetensors"]);
    // A batch of 1 has no negatives.
    flickr().training("one", "--set batch_size=1 --set epochs=1").fail(1, &["batch"]);
}

#[test]
fn the_quickstart_on_retrieval_gives_its_rows() {
    let folder = Folder::new();
    let out = folder.join("quick");
    let done = radapter("quickstart --task retrieval --reduced").with("--out", &out).succeed();
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    for text in [&done.stdout, &page] {
        assert!(text.contains("its figures mean nothing"), "{text}");
    }
    let rows: Value = serde_json::from_slice(&std::fs::read(out.join("results.json")).unwrap()).unwrap();
    let methods: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["zero-shot", "full-fine-tuning", "r-adapter", "r-adapter"]);
    // α = 0 is the base model.
    assert_eq!((&rows[0]["id"], &rows[0]["ood"]), (&rows[2]["id"], &rows[2]["ood"]));
    assert_eq!(rows[3]["alpha"], 0.8);
    assert_eq!(rows[0]["ood"].as_object().unwrap().len(), 5);
    assert!(out.join("merged/open_clip_model.safetensors").is_file() && out.join("report.html").is_file());
}

#[test]
fn validation_captions_may_have_another_format() {
    let folder = Folder::new();
    let flickr = flickr();
    let tsv = flickr.0.join("captions.tsv");
    let training = |out: &str, more: &str| {
        let words = format!("train retrieval --csv-img-key filepath --set batch_size=8 --set steps=1 {more}");
        let command = radapter(&words).with("--model", flickr.0.join("model")).with("--captions", &tsv);
        command.with("--images", flickr.0.join("images/..")).with("--out", folder.join(out))
    };
    // Trains on a table, validates on one split of Karpathy's JSON.
    let val = |command: Invocation| command.with("--val-captions", flickr.0.join("captions.json"));
    let done = val(training("karpathy", "--val-split test")).with("--val-images", flickr.0.join("images")).succeed();
    assert!(done.stderr.contains("6 images to validate on"), "{}", done.stderr);
    assert!(done.stderr.contains("are also training images"), "{}", done.stderr);
    training("split", "--val-split test").fail(1, &["`val_split`", "karpathy"]);

    // Trains on some image ids of COCO's JSON, validates on others.
    let ids: Vec<u32> = (0..12).collect();
    let image = |id: &u32| json!({ "id": id, "file_name": format!("all/{id:02}.png") });
    let caption =
        |id: &u32| json!({ "image_id": id, "caption": format!("{} stripes {id}", COLOURS[*id as usize % 3]) });
    let coco = json!({ "images": ids.iter().map(image).collect::<Vec<_>>(), "annotations": ids.iter().map(caption).collect::<Vec<_>>() });
    let coco = folder.file("coco.json", coco.to_string());
    let few = folder.file("few.json", "[0, 1, 2, 3, 4, 5, 6, 7]");
    let command = radapter("train retrieval --set batch_size=4 --set steps=1").with("--model", flickr.0.join("model"));
    let command = command.with("--captions", coco).with("--images", flickr.0.join("images"));
    let done =
        command.with("--image-ids", few).with("--val-image-ids", "8, 9").with("--out", folder.join("coco")).succeed();
    assert!(done.stderr.contains("8 images to train on, 2 images to validate on"), "{}", done.stderr);
}

#[test]
fn naming_only_the_validation_split_trains_on_the_others() {
    let folder = Folder::new();
    let words = "train retrieval --val-split val --set batch_size=8 --set steps=1";
    let command = flickr().captions(radapter(words)).with("--model", flickr().0.join("model"));
    let done = command.with("--out", folder.join("run")).succeed();
    assert!(done.stderr.contains("30 images to train on, 6 images to validate on"), "{}", done.stderr);
    // The limit on captions per image applies to evaluation too.
    let words = "train retrieval --split train --max-captions 1 --set batch_size=8 --set steps=1";
    let command = flickr().captions(radapter(words)).with("--model", flickr().0.join("model"));
    command.with("--out", folder.join("first")).succeed();
    let eval = |more: &str| {
        let command = flickr().captions(radapter(&format!("eval retrieval --split test --json {more}")));
        command.with("--model", folder.join("first")).succeed().json()["n_texts"].clone()
    };
    assert_eq!((eval(""), eval("--max-captions 9")), (json!(6), json!(12)));
}

#[test]
fn tar_shards_are_trained_on_resumed_and_evaluated() {
    let folder = Folder::new();
    for shard in 0..2_u32 {
        let place = ["shards", "more"][shard as usize];
        std::fs::create_dir(folder.join(place)).unwrap();
        let mut tar = tar::Builder::new(std::fs::File::create(folder.join(&format!("{place}/0.tar"))).unwrap());
        for index in 10 * shard..10 * shard + 10 {
            let mut png = std::io::Cursor::new(Vec::new());
            drawn(index % 3, index, false).write_to(&mut png, image::ImageFormat::Png).unwrap();
            let caption = format!("{} grating {index}", COLOURS[index as usize % 3]);
            for (end, bytes) in [("png", png.into_inner()), ("txt", caption.into_bytes())] {
                let mut header = tar::Header::new_gnu();
                header.set_size(bytes.len() as u64);
                header.set_mode(0o644);
                tar.append_data(&mut header, format!("{index:04}.{end}"), &bytes[..]).unwrap();
            }
        }
        tar.finish().unwrap();
    }
    tiny_model(&folder.join("model"));
    // Braces in the folder's name, given relative to the folder above. The run is resumed from another directory.
    let train = |out: &str| {
        let words =
            "train retrieval --captions {shards,more}/0.tar --set batch_size=6 --set epochs=6 --set save_every=2";
        radapter(words).in_dir(folder.path()).with("--model", folder.join("model")).with("--out", folder.join(out))
    };
    train("whole").succeed();
    let mut child = train("killed").spawn();
    super::resume::wait_for(&folder.join("killed"), 5, &mut child);
    let _ = child.kill();
    let _ = child.wait();
    radapter("train --resume").with("--out", folder.join("killed")).succeed();
    let adapters = |run: &str| std::fs::read(folder.join(run).join("adapters-ema.safetensors")).unwrap();
    assert_eq!(adapters("killed"), adapters("whole"));
    let eval = radapter("eval retrieval --json --captions {shards,more}/0.tar").in_dir(folder.path());
    assert_eq!(eval.with("--model", folder.join("whole")).succeed().json()["n_texts"], 20);
    // A truncated shard in the middle of the set.
    let bytes = std::fs::read(folder.join("shards/0.tar")).unwrap();
    std::fs::write(folder.join("shards/0.tar"), &bytes[..bytes.len() / 2]).unwrap();
    let eval = |more: &str| {
        let command = radapter(&format!("eval retrieval --json --captions {{shards,more}}/0.tar {more}"));
        command.in_dir(folder.path()).with("--model", folder.join("model"))
    };
    eval("").fail(1, &["0.tar"]);
    let rest = eval("--on-error skip").succeed();
    assert!(rest.json()["n_images"].as_u64() < Some(20) && rest.stderr.contains("0.tar"), "{}", rest.stderr);
}

#[test]
fn alpha_is_chosen_by_held_out_captions() {
    let folder = Folder::new();
    let select = radapter("sweep --json --alpha 0,1 --select all").with("--run", flickr().run());
    let select = select.with("--unlabelled", flickr().0.join("images")).with("--out", folder.join("out"));
    let all = select.succeed().json();
    for (rule, choice) in all.as_array().unwrap().iter().enumerate() {
        let is_stock = rule == 6;
        assert_eq!(choice["alpha"].is_null(), is_stock, "{choice}");
        assert!(is_stock || choice["validation"]["image_to_text_r1"].is_number(), "{choice}");
    }
}
