//! What the reproductions learn from, and how well a model does there and elsewhere. A set is one constructor and one name.

mod captions;
mod images;
mod regions;

use std::marker::PhantomData;
use std::path::Path;

use anyhow::{Context as _, bail};
use burn::tensor::Device;
use image::DynamicImage;
use radapter::adapter::Alphas;
use radapter::clip::checkpoint::Checkpoint;
use radapter::embedding::Image;
use radapter::methods::METHODS;
use radapter::settings::{Schema, Settings};
use radapter::training::choice::HeldOut;
use radapter::training::config::TrainSettings;
use radapter::training::finetuned::{FineTunedRun, TunedModel};
use radapter::training::plan::{Inputs, Plan};
use radapter::training::{Report, RunDir, RunOptions, Task};
use serde::{Deserialize, Serialize};

use super::pacs;
use super::run::train;

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

    fn base(&self) -> anyhow::Result<Checkpoint> {
        Ok(Checkpoint::open(self.weights, None)?)
    }
}

/// Keeps this many of a list at most, spread evenly over it.
fn spread<T>(all: &mut Vec<T>, most: usize) {
    let (count, mut index) = (all.len(), 0);
    all.retain(|_| {
        index += 1;
        count <= most || index * most / count != (index - 1) * most / count
    });
}

/// Writes a drawn picture, unless it is there.
fn keep(path: &Path, picture: impl Into<DynamicImage>) -> anyhow::Result<()> {
    if path.exists() {
        return Ok(());
    }
    make(path)?;
    picture.into().save(path).with_context(|| format!("cannot write {}", path.display()))
}

/// Creates the folder of a file.
fn make(file: &Path) -> anyhow::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}
