//! What the reproductions learn from, and how well a model does there and elsewhere. A set is one constructor and one name.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use burn::tensor::Device;
use radapter::adapter::Alphas;
use radapter::classification::classes::Classes;
use radapter::classification::finetuned::ClassificationRun;
use radapter::classification::head::Head;
use radapter::classification::imagenet;
use radapter::classification::read::read_labelled;
use radapter::classification::suite::{Suite, evaluate_suite};
use radapter::classification::task::Classification;
use radapter::clip::checkpoint::Checkpoint;
use radapter::clip::model::{Clip, Encoder};
use radapter::datasets::captions::{self, CaptionsOptions};
use radapter::datasets::imagenet::ImageNetSet;
use radapter::datasets::shapes::{Domain, Split, World, class_names};
use radapter::datasets::{OnError, SkipReport, Templates};
use radapter::embedded::embedded;
use radapter::embedding::{EmbedOptions, Image};
use radapter::methods::METHODS;
use radapter::retrieval::gallery::Gallery;
use radapter::retrieval::task::Retrieval;
use radapter::segmentation::task::Segmentation;
use radapter::settings::{Schema, Settings};
use radapter::training::choice::HeldOut;
use radapter::training::config::TrainSettings;
use radapter::training::finetuned::{FineTunedRun, TunedModel};
use radapter::training::plan::{Inputs, Plan};
use radapter::training::{Report, RunDir, RunOptions, Task};
use serde::{Deserialize, Serialize};

use super::camvid::{CLASSES, Masks, UNSEEN, Val};
use super::pacs;
use super::retrieval::Pacs;
use super::run::{text, train};

/// What one has, and what the model is used on.
pub(super) trait Set {
    fn name(&self) -> &str;
    /// Data that count as one.
    fn data(&self) -> &str;
    /// The α of a user who does not choose.
    fn usual_alpha(&self) -> f64;
    fn base(&self) -> &Checkpoint;
    fn device(&self) -> &Device;
    /// Trains a run with settings over those of the set, unless it is there.
    fn train(&self, what: &str, settings: Settings, folder: &Path) -> anyhow::Result<Report>;
    /// Quality of a run's model.
    fn measure(&self, run: &FineTunedRun, alphas: &Alphas) -> anyhow::Result<Measured>;
    /// Quality of the base model.
    fn zero_shot(&self) -> anyhow::Result<Measured>;
    fn held_out(&self, folder: &Path) -> anyhow::Result<HeldOut>;
    /// Images from out of distribution, without their labels.
    fn unlabelled(&self) -> Vec<Image>;
}

/// Quality of a model, as fractions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Measured {
    /// In distribution.
    pub(super) id: f64,
    /// Out of distribution, the mean.
    pub(super) ood: f64,
    /// What both are made of, in the order of the columns.
    pub(super) parts: Vec<(String, f64)>,
}

/// A model to measure: that of a run at α, or the base.
enum Model<'a> {
    Base,
    Run(&'a FineTunedRun, &'a Alphas),
}

impl Model<'_> {
    fn tuned(&self, base: &Checkpoint, device: &Device) -> anyhow::Result<TunedModel> {
        Ok(match *self {
            Self::Base => TunedModel::Merged(Box::new(base.clone())),
            Self::Run(run, alphas) => run.model(base, Some(alphas.clone()), device)?.model,
        })
    }
}

/// A set whose runs are of the task `T`.
struct Of<T, M> {
    name: String,
    data: &'static str,
    usual_alpha: f64,
    base: Checkpoint,
    device: Device,
    settings: Settings,
    measure: M,
    unlabelled: Vec<Image>,
    task: PhantomData<T>,
}

impl<T: Task, M: Fn(Model<'_>) -> anyhow::Result<Measured>> Set for Of<T, M> {
    fn name(&self) -> &str {
        &self.name
    }

    fn data(&self) -> &str {
        self.data
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

    fn train(&self, what: &str, above: Settings, folder: &Path) -> anyhow::Result<Report> {
        let mut settings = self.settings.clone();
        settings.set("loss.temperature", "checkpoint")?;
        let settings = Schema::of::<TrainSettings>().join(settings, above)?;
        train::<T>(what, &settings, &self.base, folder, &self.device)
    }

    fn measure(&self, run: &FineTunedRun, alphas: &Alphas) -> anyhow::Result<Measured> {
        (self.measure)(Model::Run(run, alphas))
    }

    fn zero_shot(&self) -> anyhow::Result<Measured> {
        (self.measure)(Model::Base)
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
pub(super) const SOME: usize = 300;

/// How much of the data is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Scale {
    Small,
    Full,
}

impl Scale {
    pub(super) fn is_small(self) -> bool {
        self == Self::Small
    }
}

/// Where the sets are.
pub(super) struct Sources<'a> {
    pub(super) data: &'a Path,
    pub(super) weights: &'a Path,
    pub(super) out: &'a Path,
    pub(super) scale: Scale,
}

pub(super) const CAPTIONED: &str = "Flickr8k";
pub(super) const STREETS: &str = "CamVid";
pub(super) const SHAPES: &str = "drawn";

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
        domain if sources.scale.is_small() => sources.pacs(domain, Some(40), SOME),
        domain => sources.pacs(domain, None, usize::MAX),
    };
    chosen.map(open).collect()
}

impl Sources<'_> {
    fn epochs(&self) -> i64 {
        if self.scale.is_small() { 5 } else { 10 }
    }

    /// A domain of PACS; the other three are out of distribution. `shots` training images of each class, and `most` test images of
    /// each domain.
    pub(super) fn pacs(&self, domain: &str, shots: Option<i64>, most: usize) -> anyhow::Result<Box<dyn Set>> {
        let data = self.data.join("pacs");
        let mut settings = Settings::default();
        settings.set("train", text(&data.join("train").join(domain))?)?;
        settings.set("val_fraction", 0.2)?;
        if let Some(shots) = shots {
            settings.set("shots", shots)?;
        }
        settings.set("epochs", self.epochs())?;
        let base = Checkpoint::open(self.weights, None)?;
        let open = |classes: &Classes| {
            let mut suite = pacs::suite(&data, domain, classes)?;
            std::iter::once(&mut suite.id).chain(&mut suite.ood).for_each(|set| spread(&mut set.samples, most));
            Ok(suite)
        };
        classified(domain, "PACS", base, settings, open)
    }

    /// ImageNet, and its five variants as out of distribution, in their usual layout.
    pub(super) fn imagenet(&self) -> anyhow::Result<Box<dyn Set>> {
        let mut settings = Settings::default();
        settings.set("train", text(&self.data.join("ILSVRC2012/train"))?)?;
        settings.set("class_names", "imagenet")?;
        // The validation images of ImageNet are the test set of the table.
        settings.set("val_fraction", 0.01)?;
        let base = Checkpoint::open(self.weights, None)?;
        let classes = imagenet::classes(None)?;
        let suite = Suite::imagenet(self.data, &ImageNetSet::SHIFTED, &classes)?;
        Ok(of_images("imagenet", "ImageNet", base, settings, classes, suite))
    }

    /// Drawn photos; drawn domains in which their false cues do not hold are out of distribution.
    pub(super) fn drawn(&self) -> anyhow::Result<Box<dyn Set>> {
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
        classified(SHAPES, "drawn world", embedded(), settings, open)
    }

    /// Captions of photos; zero-shot PACS is out of distribution.
    pub(super) fn flickr8k(&self) -> anyhow::Result<Box<dyn Set>> {
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
            usual_alpha: 0.8,
            base,
            device,
            settings,
            measure: move |of: Model<'_>| {
                let encoder = of.tuned(&model, &on)?.encoder(&on)?;
                let recall = gallery.evaluate(&*encoder, &EmbedOptions::default(), &mut |_| {})?.evaluation;
                let ood = pacs.measure(&*encoder)?["mean"];
                let mut parts = Vec::new();
                for (direction, at) in [("image→text", recall.image_to_text), ("text→image", recall.text_to_image)]
                {
                    let ranks = [("R@1", at.r1), ("R@5", at.r5), ("R@10", at.r10)];
                    parts.extend(ranks.map(|(rank, value)| (format!("{direction} {rank}"), value)));
                }
                parts.push(("zero-shot PACS".to_owned(), ood));
                Ok(Measured { id: recall.mean_recall, ood, parts })
            },
            unlabelled,
            task: PhantomData::<Retrieval>,
        }))
    }

    /// Regions of streets; classes that are held out of training are out of distribution.
    pub(super) fn camvid(&self) -> anyhow::Result<Box<dyn Set>> {
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
            usual_alpha: 0.4,
            base,
            device,
            settings,
            measure: move |of: Model<'_>| {
                let checkpoint = of.tuned(&model, &on)?.checkpoint()?;
                let found = val.measure(&checkpoint, Masks::GroundTruth, &on)?;
                let parts = [("mIoU, learned classes", found.seen), ("mIoU, other classes", found.unseen)];
                let parts = parts.map(|(name, value)| (name.to_owned(), value)).to_vec();
                Ok(Measured { id: found.seen, ood: found.unseen, parts })
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
    base: Checkpoint,
    settings: Settings,
    open: impl Fn(&Classes) -> anyhow::Result<Suite>,
) -> anyhow::Result<Box<dyn Set>> {
    let train = settings.get("train").and_then(|value| value.as_str()).context("the set has no images")?;
    let classes = Classes::new(read_labelled(Path::new(train), None, OnError::Fail)?.classes)?;
    let suite = open(&classes)?;
    Ok(of_images(name, data, base, settings, classes, suite))
}

/// A set of labelled images with a suite.
fn of_images(
    name: &str,
    data: &'static str,
    base: Checkpoint,
    settings: Settings,
    classes: Classes,
    suite: Suite,
) -> Box<dyn Set> {
    let device = Device::flex();
    let (model, on) = (base.clone(), device.clone());
    let mut unlabelled: Vec<Image> = suite.ood.iter().flat_map(|set| &set.samples).map(Image::from).collect();
    spread(&mut unlabelled, SOME);
    Box::new(Of {
        name: name.to_owned(),
        data,
        usual_alpha: 0.5,
        base,
        device,
        settings,
        measure: move |of: Model<'_>| {
            let options = EmbedOptions::default();
            let (tuned, head) = match of {
                Model::Base => {
                    let clip = Clip::from_state(&model.config, &model.state, &on)?;
                    let head = Head::zero_shot(&clip, &classes, &Templates::default(), options.batch)?;
                    (TunedModel::Merged(Box::new(model.clone())), head)
                }
                Model::Run(run, alphas) => {
                    let run = ClassificationRun::open(METHODS, run.files().dir().path())?;
                    let tuned = run.model(&model, Some(alphas.clone()), &on)?;
                    (tuned.model, tuned.head)
                }
            };
            let evaluate = |encoder: &dyn Encoder| evaluate_suite(encoder, &head, &suite, &options, &mut |_, _| {});
            let result = tuned.with_encoder(&on, evaluate)??.result;
            let sets = std::iter::once(&result.id).chain(&result.ood);
            let parts = sets.map(|set| (set.name.clone(), set.evaluation.top1)).collect();
            Ok(Measured { id: result.id.evaluation.top1, ood: result.ood_average, parts })
        },
        unlabelled,
        task: PhantomData::<Classification>,
    })
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
