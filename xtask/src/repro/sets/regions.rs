//! Regions of images: CamVid and the drawn world.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use burn::tensor::Device;
use radapter::clip::checkpoint::Checkpoint;
use radapter::datasets::shapes::{Domain, Shape, Split, World, label_names};
use radapter::embedded::embedded;
use radapter::segmentation::task::Segmentation;
use radapter::settings::Settings;

use super::{Measured, Model, Of, STREETS, Scale, Set, Sources, keep, make};
use crate::repro::camvid::{CLASSES, Masks, UNSEEN, Val};
use crate::repro::run::text;

impl Sources<'_> {
    /// Regions of streets; classes that are held out of training are out of distribution.
    pub(in crate::repro) fn camvid(&self) -> anyhow::Result<Box<dyn Set>> {
        let all = self.data.join("camvid");
        let root = match self.scale {
            Scale::Small => self.quarter_of_streets(&all)?,
            Scale::Full => all,
        };
        self.regions(STREETS, &root, &CLASSES, &UNSEEN, self.base()?)
    }

    /// Regions of drawn photos; every fourth shape is held out of training and out of distribution.
    pub(in crate::repro) fn drawn_regions(&self) -> anyhow::Result<Box<dyn Set>> {
        let (root, world) = (self.out.join("drawn-regions"), World::new(0));
        for (split, part, count) in [(Split::Train, "train", 256), (Split::Test, "val", 96)] {
            for index in 0..count {
                let scene = world.composition(split, Domain::Photo, index);
                let path = |folder: &str| root.join(folder).join(part).join(format!("{index:04}.png"));
                keep(&path("images"), scene.image)?;
                keep(&path("annotations"), scene.mask)?;
            }
        }
        let (classes, shapes) = (label_names(), Shape::ALL.len());
        let unseen: Vec<&str> = classes.iter().copied().take(shapes).skip(1).step_by(4).collect();
        self.regions("drawn-regions", &root, &classes, &unseen, embedded())
    }

    /// A folder with images and label maps, of which `unseen` classes are out of distribution.
    fn regions(
        &self,
        name: &'static str,
        root: &Path,
        classes: &[&str],
        unseen: &[&str],
        base: Checkpoint,
    ) -> anyhow::Result<Box<dyn Set>> {
        let mut settings = Settings::default();
        settings.set("images", text(&root.join("images/train"))?)?;
        settings.set("annotations", text(&root.join("annotations/train"))?)?;
        settings.set("classes", classes.to_vec())?;
        settings.set("exclude", unseen.to_vec())?;
        settings.set("val_fraction", 0.1)?;
        settings.set("epochs", self.epochs())?;
        let (val, device) = (Val::open(root, classes, unseen)?, Device::flex());
        let (model, on) = (base.clone(), device.clone());
        Ok(Box::new(Of {
            name: name.to_owned(),
            data: name,
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
