//! Sets of labelled images: PACS, ImageNet and the drawn world.

use std::marker::PhantomData;
use std::path::Path;

use anyhow::Context as _;
use burn::tensor::Device;
use radapter::classification::classes::Classes;
use radapter::classification::finetuned::ClassificationRun;
use radapter::classification::head::Head;
use radapter::classification::imagenet;
use radapter::classification::read::read_labelled;
use radapter::classification::suite::{Suite, evaluate_suite};
use radapter::classification::task::Classification;
use radapter::clip::checkpoint::Checkpoint;
use radapter::clip::model::{Clip, Encoder, Precision};
use radapter::datasets::imagenet::ImageNetSet;
use radapter::datasets::shapes::{Domain, Split, World, class_names};
use radapter::datasets::{OnError, Templates};
use radapter::embedded::embedded;
use radapter::embedding::{EmbedOptions, Image};
use radapter::methods::METHODS;
use radapter::settings::Settings;
use radapter::training::finetuned::TunedModel;

use super::{Measured, Model, Of, SHAPES, SOME, Set, Sources, keep, spread};
use crate::repro::pacs;
use crate::repro::run::text;

impl Sources<'_> {
    /// A domain of PACS; the other three are out of distribution. `shots` training images of each class, and `most` test images of
    /// each domain.
    pub(in crate::repro) fn pacs(&self, domain: &str, shots: Option<i64>, most: usize) -> anyhow::Result<Box<dyn Set>> {
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
    pub(in crate::repro) fn imagenet(&self) -> anyhow::Result<Box<dyn Set>> {
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
    pub(in crate::repro) fn drawn(&self) -> anyhow::Result<Box<dyn Set>> {
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
            let result = tuned.with_encoder(&on, Precision::F32, evaluate)??.result;
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
        keep(&path, scene.image)?;
    }
    Ok(())
}
