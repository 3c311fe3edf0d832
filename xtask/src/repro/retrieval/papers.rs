//! The paper's rows on COCO and Flickr30k, in their usual layout.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use burn::tensor::Device;
use radapter::clip::checkpoint::Checkpoint;
use radapter::clip::model::{Clip, Encoder, Precision};
use radapter::datasets::captions::{self, CaptionsOptions};
use radapter::datasets::{OnError, SkipReport, Templates};
use radapter::embedding::EmbedOptions;
use radapter::methods::METHODS;
use radapter::retrieval::gallery::Gallery;
use radapter::retrieval::task::Retrieval;
use radapter::settings::Settings;
use radapter::training::finetuned::FineTunedRun;

use super::captions::Captions;
use super::row::Row;
use super::table;
use crate::repro::run::train;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder with `coco/dataset_coco.json` and `coco/{train2014,val2014}`, or `flickr30k/dataset_flickr30k.json`
    /// and `flickr30k/flickr30k-images`, or both
    #[arg(long)]
    pub(crate) data: PathBuf,
    /// Directory of the model
    #[arg(long)]
    pub(crate) weights: PathBuf,
    /// Folder of runs and results
    #[arg(long, default_value = "target/repro-retrieval")]
    pub(crate) out: PathBuf,
    /// Seed of the runs
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// A setting for all runs that overrides the recipe, such as epochs=1
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// A set, its file, and its training splits.
const SETS: [(&str, &str, &str); 2] =
    [("coco", "dataset_coco.json", "train,restval"), ("flickr30k", "dataset_flickr30k.json", "train")];

/// Possible names of the folder of Flickr30k's images.
const FLICKR_IMAGES: [&str; 3] = ["flickr30k-images", "flickr30k_images", "images"];

/// Both methods with the paper's recipe. FLYP, which trains all weights with CLIP's own loss, overrides it with its own values.
const ARMS: [(&str, &str); 2] = [("full fine-tuning (FLYP)", "flyp"), ("R-Adapter", "r-adapter")];

/// The settings of a method: the paper's recipe, with FLYP's own values for FLYP.
fn settings(method: &str) -> anyhow::Result<Settings> {
    let mut settings = Settings::default();
    settings.set("method", method)?;
    settings.set("recipe", "paper-coco")?;
    if method == "flyp" {
        settings.set("lr", 1e-5)?;
        settings.set("weight_decay", 0.1)?;
        settings.set("ema", "none")?;
    }
    Ok(settings)
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let base = Checkpoint::open(&args.weights, None)?;
    let device = Device::flex();
    let mut rows = Vec::new();
    for (name, file, splits) in SETS {
        let folder = args.data.join(name);
        let captions = Captions { file: folder.join(file), images: images(&folder) };
        if !captions.file.is_file() {
            eprintln!("{name}: left out, because {} does not exist", captions.file.display());
            continue;
        }
        rows.extend(measure(name, &captions, splits, args, &base, &device).with_context(|| name.to_owned())?);
    }
    if rows.is_empty() {
        let looked: Vec<String> = SETS.iter().map(|(name, file, _)| format!("{name}/{file}")).collect();
        bail!("{} has none of {}", args.data.display(), looked.join(", "));
    }
    table::save(&rows, &args.out)
}

fn images(folder: &Path) -> PathBuf {
    let below = FLICKR_IMAGES.iter().map(|name| folder.join(name)).find(|path| path.is_dir());
    below.unwrap_or_else(|| folder.to_owned())
}

fn measure(
    set: &str,
    captions: &Captions,
    splits: &str,
    args: &Args,
    base: &Checkpoint,
    device: &Device,
) -> anyhow::Result<Vec<Row>> {
    let options = CaptionsOptions {
        images: Some(captions.images.clone()),
        splits: vec!["test".to_owned()],
        max_captions: Some(5),
        ..CaptionsOptions::default()
    };
    let test = captions::read(&captions.file, &options, OnError::Fail, &SkipReport::default())?;
    let gallery = Gallery::new(&test, &Templates::from_list(vec!["{}".to_owned()])?);
    let row = |method: &str, model: &dyn Encoder| -> anyhow::Result<Row> {
        Ok(Row {
            set: set.to_owned(),
            method: method.to_owned(),
            lr: None,
            temperature: None,
            alpha: None,
            seed: args.seed,
            validation: None,
            recall: gallery.evaluate(model, &EmbedOptions::default(), &mut |_| {})?.evaluation,
            forgetting: std::collections::BTreeMap::new(),
            tuned_parameters: 0,
            seconds: 0.0,
        })
    };
    let mut rows = vec![row("zero-shot", &Clip::from_state(&base.config, &base.state, device)?)?];
    for (name, method) in ARMS {
        let mut given = settings(method)?;
        captions.set(&mut given, splits)?;
        given.set("val_split", "val")?;
        given.set("seed", args.seed as i64)?;
        for assignment in &args.set {
            given.assign(assignment)?;
        }
        let folder = args.out.join(format!("runs/{set}-{method}-seed{}", args.seed));
        let report = train::<Retrieval>(&format!("{set}: {name}"), &given, base, &folder, device)?;
        let run = FineTunedRun::open(METHODS, &folder)?;
        let tuned = run.model(base, None, device)?;
        let alpha = run.method().is_scaled().then(|| tuned.alphas.outside_blocks().get());
        rows.push(Row {
            lr: Some(run.files().train().lr),
            temperature: Some(run.files().temperature()),
            alpha,
            validation: report.best.as_ref().map(|best| best.value),
            tuned_parameters: report.tuned_parameters,
            seconds: report.seconds,
            ..row(name, &*tuned.model.encoder(device, Precision::F32)?)?
        });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use radapter::clip::checkpoint::{Format, SaveOptions};
    use radapter_test_support::small_config;
    use serde_json::{Value, json};

    use super::*;

    /// Writes a set of small images in Karpathy's layout: the file, and the images in `folders` in turn.
    fn miniature(root: &Path, file: &str, folders: &[Option<&str>], images: &Path) {
        let mut entries = Vec::new();
        for index in 0..20_u8 {
            let folder = folders[usize::from(index) % folders.len()];
            let name = format!("{index:012}.png");
            let place = folder.map_or_else(|| images.to_owned(), |folder| images.join(folder));
            std::fs::create_dir_all(&place).unwrap();
            image::RgbImage::from_pixel(16, 16, image::Rgb([12 * index, 100, 200])).save(place.join(&name)).unwrap();
            let split = ["train", "restval", "train", "val", "test"][usize::from(index) % 5];
            let split = if split == "restval" && folders.len() == 1 { "train" } else { split };
            let sentences: Vec<Value> = (0..6).map(|n| json!({ "raw": format!("caption {n} of {index}") })).collect();
            let mut entry = json!({ "filename": name, "split": split, "sentences": sentences });
            if let Some(folder) = folder {
                entry["filepath"] = json!(folder);
            }
            entries.push(entry);
        }
        std::fs::write(root.join(file), json!({ "images": entries }).to_string()).unwrap();
    }

    #[test]
    fn both_sets_in_their_usual_layout_give_the_papers_rows() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let (coco, flickr) = (data.join("coco"), data.join("flickr30k"));
        miniature_folders(&[&coco, &flickr]);
        miniature(&coco, "dataset_coco.json", &[Some("train2014"), Some("val2014")], &coco);
        miniature(&flickr, "dataset_flickr30k.json", &[None], &flickr.join("flickr30k-images"));

        let config = small_config(16, 77);
        let state = config.random_state(0);
        let weights = folder.path().join("weights");
        let checkpoint = Checkpoint::new(config, state, Format::OpenClip, "random").unwrap();
        checkpoint.save(&weights, &SaveOptions::new(Format::OpenClip)).unwrap();

        let out = folder.path().join("out");
        let set = ["epochs = 1", "batch_size = 16", "warmup = 0"].map(str::to_owned).to_vec();
        let args = Args { data: data.clone(), weights, out: out.clone(), seed: 0, set };
        run(&args).unwrap();
        let rows: Vec<Row> = serde_json::from_slice(&std::fs::read(out.join("results.json")).unwrap()).unwrap();
        let names: Vec<(&str, &str)> = rows.iter().map(|row| (row.set.as_str(), row.method.as_str())).collect();
        let methods = ["zero-shot", "full fine-tuning (FLYP)", "R-Adapter"];
        let expected: Vec<(&str, &str)> =
            ["coco", "flickr30k"].into_iter().flat_map(|set| methods.map(|method| (set, method))).collect();
        assert_eq!(names, expected);
        for row in &rows {
            // The protocol uses five captions of each image.
            assert_eq!((row.recall.n_images, row.recall.n_texts), (4, 20), "{}", row.method);
        }
        assert_eq!((rows[2].alpha, rows[2].temperature, rows[1].lr), (Some(0.8), Some(0.01), Some(1e-5)));
        assert!(rows[1].tuned_parameters > rows[2].tuned_parameters);
        // The finished runs are reused.
        run(&args).unwrap();

        std::fs::remove_dir_all(&data).unwrap();
        assert!(run(&args).unwrap_err().to_string().contains("dataset_coco.json"));
    }

    fn miniature_folders(folders: &[&Path]) {
        folders.iter().for_each(|folder| std::fs::create_dir_all(folder).unwrap());
    }
}
