//! The sets of the study: what is learned, and how well a model does there and elsewhere.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use burn::tensor::Device;
use radapter::adapter::Alphas;
use radapter::classification::classes::Classes;
use radapter::classification::finetuned::ClassificationRun;
use radapter::classification::read::read_labelled;
use radapter::classification::suite::{Suite, evaluate_suite};
use radapter::classification::task::Classification;
use radapter::clip::checkpoint::Checkpoint;
use radapter::datasets::captions::{self, CaptionsOptions};
use radapter::datasets::shapes::{Domain, Split, World, class_names};
use radapter::datasets::{OnError, SkipReport, Templates};
use radapter::embedded::embedded;
use radapter::embedding::{EmbedOptions, Image};
use radapter::methods::METHODS;
use radapter::retrieval::gallery::Gallery;
use radapter::retrieval::task::Retrieval;
use radapter::segmentation::task::Segmentation;
use radapter::settings::Settings;
use radapter::training::choice::HeldOut;
use radapter::training::finetuned::FineTunedRun;
use radapter::training::plan::{Inputs, Plan};
use radapter::training::{RunDir, RunOptions, Task};

use super::Scale;
use crate::repro::camvid::{CLASSES, Masks, UNSEEN, Val};
use crate::repro::pacs;
use crate::repro::retrieval::Pacs;
use crate::repro::run::{text, train};

/// A method at a learning rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arm {
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    pub(super) lr: f64,
    /// Whether the learning rate is the documented one.
    pub(super) is_main: bool,
}

const fn arm(name: &'static str, method: &'static str, lr: f64) -> Arm {
    Arm { name, method, lr, is_main: true }
}

const R_ADAPTER: &str = "R-Adapter";
const WISE_FT: &str = "WiSE-FT";

/// The learning rates are those that held-out samples chose in the documented comparisons (`docs/results.md`).
const PACS: [Arm; 2] = [arm(R_ADAPTER, "r-adapter", 5e-3), arm(WISE_FT, "full", 3e-4)];
const DRAWN: [Arm; 2] = [arm(R_ADAPTER, "r-adapter", 1e-2), arm(WISE_FT, "full", 1e-3)];
const FLICKR8K: [Arm; 2] = [arm(R_ADAPTER, "r-adapter", 5e-3), arm(WISE_FT, "flyp", 3e-5)];
const CAMVID: [Arm; 2] = [arm(R_ADAPTER, "r-adapter", 5e-2), arm(WISE_FT, "ovseg", 5e-4)];
/// Other learning rates, to choose them together with α; the first is the default.
const JOINT: [Arm; 2] = [
    Arm { is_main: false, ..arm(R_ADAPTER, "r-adapter", 5e-4) },
    Arm { is_main: false, ..arm(R_ADAPTER, "r-adapter", 2e-3) },
];

/// What one has, and what the model is used on.
pub(super) trait Set {
    fn name(&self) -> &str;
    /// Data that count as one.
    fn data(&self) -> &str;
    fn arms(&self) -> &[Arm];
    /// The α of a user who does not choose.
    fn usual_alpha(&self) -> f64;
    fn base(&self) -> &Checkpoint;
    fn device(&self) -> &Device;
    /// Trains a run, unless it is there.
    fn train(&self, what: &str, arm: &Arm, seed: u64, folder: &Path) -> anyhow::Result<()>;
    /// Quality in and out of distribution.
    fn measure(&self, run: &FineTunedRun, alphas: &Alphas) -> anyhow::Result<(f64, f64)>;
    fn held_out(&self, folder: &Path) -> anyhow::Result<HeldOut>;
    /// Images from out of distribution, without their labels.
    fn unlabelled(&self) -> Vec<Image>;
}

/// A set whose runs are of the task `T`.
struct Of<T, M> {
    name: String,
    data: &'static str,
    arms: Vec<Arm>,
    usual_alpha: f64,
    base: Checkpoint,
    device: Device,
    settings: Settings,
    measure: M,
    unlabelled: Vec<Image>,
    task: PhantomData<T>,
}

impl<T: Task, M: Fn(&FineTunedRun, &Alphas) -> anyhow::Result<(f64, f64)>> Set for Of<T, M> {
    fn name(&self) -> &str {
        &self.name
    }

    fn data(&self) -> &str {
        self.data
    }

    fn arms(&self) -> &[Arm] {
        &self.arms
    }

    fn usual_alpha(&self) -> f64 {
        self.usual_alpha
    }

    fn base(&self) -> &Checkpoint {
        &self.base
    }

    fn device(&self) -> &Device {
        &self.device
    }

    fn train(&self, what: &str, arm: &Arm, seed: u64, folder: &Path) -> anyhow::Result<()> {
        let mut settings = self.settings.clone();
        settings.set("loss.temperature", "checkpoint")?;
        settings.set("method", arm.method)?;
        settings.set("lr", arm.lr)?;
        settings.set("seed", seed as i64)?;
        train::<T>(what, &settings, &self.base, folder, &self.device).map(drop)
    }

    fn measure(&self, run: &FineTunedRun, alphas: &Alphas) -> anyhow::Result<(f64, f64)> {
        (self.measure)(run, alphas)
    }

    fn held_out(&self, folder: &Path) -> anyhow::Result<HeldOut> {
        let inputs = Inputs {
            methods: METHODS,
            base: self.base.clone(),
            reference: None,
            from: None,
            data: None,
            device: self.device.clone(),
            progress: &mut |_, _| {},
        };
        let plan: Plan<T> = Plan::of_run(inputs, &RunDir::open(folder)?)?;
        Ok(plan.held_out(RunOptions::new(folder, self.device.clone()))?)
    }

    fn unlabelled(&self) -> Vec<Image> {
        self.unlabelled.clone()
    }
}

/// Test images of a domain on the small scale, and unlabelled images.
const SOME: usize = 300;

/// Where the sets are.
pub(super) struct Sources<'a> {
    pub(super) data: &'a Path,
    pub(super) weights: &'a Path,
    pub(super) out: &'a Path,
    pub(super) scale: Scale,
}

const CAPTIONED: &str = "Flickr8k";
const STREETS: &str = "CamVid";
const SHAPES: &str = "drawn";

/// Opens the named sets, or all if none is named.
pub(super) fn open(sources: &Sources<'_>, names: &[String]) -> anyhow::Result<Vec<Box<dyn Set>>> {
    let all: Vec<&str> = pacs::DOMAINS.into_iter().chain([CAPTIONED, STREETS, SHAPES]).collect();
    if let Some(unknown) = names.iter().find(|name| !all.contains(&name.as_str())) {
        bail!("--sets {unknown}: expected some of {}", all.join(", "));
    }
    let chosen = all.into_iter().filter(|name| names.is_empty() || names.iter().any(|wanted| wanted == name));
    let open = |name| match name {
        CAPTIONED => sources.flickr8k(),
        STREETS => sources.camvid(),
        SHAPES => sources.drawn(),
        domain => sources.pacs(domain),
    };
    chosen.map(open).collect()
}

impl Sources<'_> {
    fn epochs(&self) -> i64 {
        if self.scale.is_small() { 5 } else { 10 }
    }

    /// A domain of PACS; the other three are out of distribution.
    fn pacs(&self, domain: &str) -> anyhow::Result<Box<dyn Set>> {
        let data = self.data.join("pacs");
        let mut settings = Settings::default();
        settings.set("train", text(&data.join("train").join(domain))?)?;
        settings.set("val_fraction", 0.2)?;
        if self.scale.is_small() {
            settings.set("shots", 40)?;
        }
        settings.set("epochs", self.epochs())?;
        let joint = if domain == pacs::DOMAINS[0] { &JOINT[..] } else { &[] };
        let base = Checkpoint::open(self.weights, None)?;
        let most = if self.scale.is_small() { SOME } else { usize::MAX };
        let open = |classes: &Classes| {
            let mut suite = pacs::suite(&data, domain, classes)?;
            std::iter::once(&mut suite.id).chain(&mut suite.ood).for_each(|set| spread(&mut set.samples, most));
            Ok(suite)
        };
        classified(domain, "PACS", [&PACS[..], joint].concat(), base, settings, open)
    }

    /// Drawn photos; drawn domains in which their false cues do not hold are out of distribution.
    fn drawn(&self) -> anyhow::Result<Box<dyn Set>> {
        let (root, classes) = (self.out.join("drawn"), class_names().len());
        let world = World::new(0);
        for (split, count) in [(Split::Train, 16), (Split::Val, 4), (Split::Test, 6)] {
            let all = Domain::ALL.into_iter().filter(|domain| split == Split::Test || *domain == Domain::Photo);
            for domain in all {
                write(&world, split, domain, count * classes, &root)?;
            }
        }
        let mut settings = Settings::default();
        settings.set("train", text(&root.join("train/photo"))?)?;
        settings.set("val", text(&root.join("val/photo"))?)?;
        settings.set("epochs", 2 * self.epochs())?;
        let open = |classes: &Classes| {
            let domains = Domain::ALL.into_iter().filter(|domain| *domain != Domain::Photo);
            let set = |domain: Domain| pacs::test_set(&root, domain.name(), classes);
            Ok(Suite { id: set(Domain::Photo)?, ood: domains.map(set).collect::<anyhow::Result<_>>()? })
        };
        classified(SHAPES, "drawn world", DRAWN.to_vec(), embedded(), settings, open)
    }

    /// Captions of photos; zero-shot PACS is out of distribution.
    fn flickr8k(&self) -> anyhow::Result<Box<dyn Set>> {
        let (images, all) = (self.data.join("flickr8k/images"), self.data.join("flickr8k/dataset_flickr8k.json"));
        let file = match self.scale {
            Scale::Small => self.quarter_of_captions(&all)?,
            Scale::Full => all,
        };
        let mut settings = Settings::default();
        settings.set("captions", text(&file)?)?;
        settings.set("images", text(&images)?)?;
        settings.set("split", "train")?;
        settings.set("val_fraction", 0.1)?;
        // One of its five captions in each epoch.
        settings.set("data.pairs", "one")?;
        settings.set("epochs", self.epochs())?;
        settings.set("batch_size", 128)?;
        let options =
            CaptionsOptions { images: Some(images), splits: vec!["val".to_owned()], ..CaptionsOptions::default() };
        let val = captions::read(&file, &options, OnError::Fail, &SkipReport::default())?;
        let gallery = Gallery::new(&val, &Templates::from_list(vec!["{}".to_owned()])?);
        let (pacs, base, device) = (Pacs::open(&self.data.join("pacs"))?, self.base()?, Device::flex());
        let (model, on) = (base.clone(), device.clone());
        let mut unlabelled = pacs.images();
        spread(&mut unlabelled, SOME);
        Ok(Box::new(Of {
            name: CAPTIONED.to_owned(),
            data: CAPTIONED,
            arms: FLICKR8K.to_vec(),
            usual_alpha: 0.8,
            base,
            device,
            settings,
            measure: move |run: &FineTunedRun, alphas: &Alphas| {
                let encoder = run.model(&model, Some(alphas.clone()), &on)?.model.encoder(&on)?;
                let recall = gallery.evaluate(&*encoder, &EmbedOptions::default(), &mut |_| {})?.evaluation.mean_recall;
                Ok((recall, pacs.measure(&*encoder)?["mean"]))
            },
            unlabelled,
            task: PhantomData::<Retrieval>,
        }))
    }

    /// Regions of streets; classes that are held out of training are out of distribution.
    fn camvid(&self) -> anyhow::Result<Box<dyn Set>> {
        let all = self.data.join("camvid");
        let root = match self.scale {
            Scale::Small => self.quarter_of_streets(&all)?,
            Scale::Full => all,
        };
        let mut settings = Settings::default();
        settings.set("images", text(&root.join("images/train"))?)?;
        settings.set("annotations", text(&root.join("annotations/train"))?)?;
        settings.set("classes", CLASSES.to_vec())?;
        settings.set("exclude", UNSEEN.to_vec())?;
        settings.set("val_fraction", 0.1)?;
        settings.set("epochs", self.epochs())?;
        let (val, base, device) = (Val::open(&root)?, self.base()?, Device::flex());
        let (model, on) = (base.clone(), device.clone());
        Ok(Box::new(Of {
            name: STREETS.to_owned(),
            data: STREETS,
            arms: CAMVID.to_vec(),
            usual_alpha: 0.4,
            base,
            device,
            settings,
            measure: move |run: &FineTunedRun, alphas: &Alphas| {
                let checkpoint = run.model(&model, Some(alphas.clone()), &on)?.model.checkpoint()?;
                let measured = val.measure(&checkpoint, Masks::GroundTruth, &on)?;
                Ok((measured.seen, measured.unseen))
            },
            unlabelled: Vec::new(),
            task: PhantomData::<Segmentation>,
        }))
    }

    fn base(&self) -> anyhow::Result<Checkpoint> {
        Ok(Checkpoint::open(self.weights, None)?)
    }

    /// The file of captions with every fourth image of each split.
    fn quarter_of_captions(&self, all: &Path) -> anyhow::Result<PathBuf> {
        let quarter = self.out.join("flickr8k-quarter.json");
        let content = std::fs::read(all).with_context(|| format!("cannot read {}", all.display()))?;
        let mut table: serde_json::Value = serde_json::from_slice(&content)?;
        let images = table["images"].as_array_mut().with_context(|| format!("{} has no images", all.display()))?;
        let mut seen = std::collections::BTreeMap::<String, usize>::new();
        images.retain(|image| {
            let count = seen.entry(image["split"].to_string()).or_default();
            *count += 1;
            *count % 4 == 1
        });
        make(&quarter)?;
        crate::page::save(&quarter, &table.to_string())?;
        Ok(quarter)
    }

    /// A folder with every fourth image and its label map.
    fn quarter_of_streets(&self, all: &Path) -> anyhow::Result<PathBuf> {
        let quarter = self.out.join("camvid-quarter");
        for part in ["images/train", "images/val", "annotations/train", "annotations/val"] {
            let from = all.join(part);
            let entries = std::fs::read_dir(&from).with_context(|| format!("cannot read {}", from.display()))?;
            let mut files = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<PathBuf>>>()?;
            files.sort();
            for file in files.iter().step_by(4) {
                let to = quarter.join(part).join(file.file_name().unwrap_or_default());
                make(&to)?;
                std::fs::copy(file, &to).with_context(|| format!("cannot copy {}", file.display()))?;
            }
        }
        Ok(quarter)
    }
}

/// A set of labelled images with a suite that its classes open.
fn classified(
    name: &str,
    data: &'static str,
    arms: Vec<Arm>,
    base: Checkpoint,
    settings: Settings,
    open: impl Fn(&Classes) -> anyhow::Result<Suite>,
) -> anyhow::Result<Box<dyn Set>> {
    let train = settings.get("train").and_then(|value| value.as_str()).context("the set has no images")?;
    let suite = open(&Classes::new(read_labelled(Path::new(train), None, OnError::Fail)?.classes)?)?;
    let device = Device::flex();
    let (model, on) = (base.clone(), device.clone());
    let mut unlabelled: Vec<Image> = suite.ood.iter().flat_map(|set| &set.samples).map(Image::from).collect();
    spread(&mut unlabelled, SOME);
    Ok(Box::new(Of {
        name: name.to_owned(),
        data,
        arms,
        usual_alpha: 0.5,
        base,
        device,
        settings,
        measure: move |run: &FineTunedRun, alphas: &Alphas| {
            let run = ClassificationRun::open(METHODS, run.files().dir().path())?;
            let model = run.model(&model, Some(alphas.clone()), &on)?;
            let outcome = model.model.with_encoder(&on, |encoder| {
                evaluate_suite(encoder, &model.head, &suite, &EmbedOptions::default(), &mut |_, _| {})
            })??;
            Ok((outcome.result.id.evaluation.top1, outcome.result.ood_average))
        },
        unlabelled,
        task: PhantomData::<Classification>,
    }))
}

/// Writes drawn images into `root/<split>/<domain>/<class>/`, unless they are there.
fn write(world: &World, split: Split, domain: Domain, count: usize, root: &Path) -> anyhow::Result<()> {
    let (folder, names) = (root.join(split.name()).join(domain.name()), class_names());
    for index in 0..count {
        let scene = world.scene(split, domain, index as u64);
        let path = folder.join(names[scene.class]).join(format!("{index:04}.png"));
        if !path.exists() {
            make(&path)?;
            scene.image.save(&path).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}

/// Keeps this many of a list at most, spread evenly over it.
fn spread<T>(all: &mut Vec<T>, most: usize) {
    let (count, mut index) = (all.len(), 0);
    all.retain(|_| {
        index += 1;
        count <= most || index * most / count != (index - 1) * most / count
    });
}

/// Creates the folder of a file.
fn make(file: &Path) -> anyhow::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}
