//! Captions: Flickr8k and the drawn world.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use burn::tensor::Device;
use radapter::clip::model::Precision;
use radapter::datasets::captions::{self, CaptionsOptions};
use radapter::datasets::shapes::{Domain, Split, World};
use radapter::datasets::{CaptionedImages, OnError, SkipReport, Templates};
use radapter::embedded::embedded;
use radapter::embedding::EmbedOptions;
use radapter::retrieval::gallery::Gallery;
use radapter::retrieval::recall::Evaluation;
use radapter::retrieval::task::Retrieval;
use radapter::settings::Settings;
use serde_json::{Value, json};

use super::{CAPTIONED, Measured, Model, Of, SOME, Scale, Set, Sources, keep, make, spread};
use crate::page;
use crate::repro::retrieval::Pacs;
use crate::repro::run::text;

impl Sources<'_> {
    /// Captions of photos; zero-shot PACS is out of distribution.
    pub(in crate::repro) fn flickr8k(&self) -> anyhow::Result<Box<dyn Set>> {
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
        let gallery = gallery(&val)?;
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
                let encoder = of.tuned(&model, &on)?.encoder(&on, Precision::F32)?;
                let recall = gallery.evaluate(&*encoder, &EmbedOptions::default(), &mut |_| {})?.evaluation;
                let ood = pacs.measure(&*encoder)?["mean"];
                let mut parts = columns(&recall);
                parts.push(("zero-shot PACS".to_owned(), ood));
                Ok(Measured { id: recall.mean_recall, ood, parts })
            },
            unlabelled,
            task: PhantomData::<Retrieval>,
        }))
    }

    /// Captions of drawn photos; drawn scenes of other domains are out of distribution.
    pub(in crate::repro) fn drawn_captions(&self) -> anyhow::Result<Box<dyn Set>> {
        let (root, world) = (self.out.join("drawn-captions"), World::new(0));
        let mut entries = Vec::new();
        let mut draw = |split: Split, domain: Domain, count: u64| -> anyhow::Result<()> {
            let name = format!("{}-{}", split.name(), domain.name());
            for index in 0..count {
                let scene = world.composition(split, domain, index);
                let filename = format!("{name}/{index:04}.png");
                keep(&root.join(&filename), scene.image)?;
                let sentences: Vec<Value> = scene.captions.iter().map(|text| json!({ "raw": text })).collect();
                entries.push(json!({ "filename": filename, "split": name, "sentences": sentences }));
            }
            Ok(())
        };
        draw(Split::Train, Domain::Photo, 512)?;
        Domain::ALL.into_iter().try_for_each(|domain| draw(Split::Test, domain, 96))?;
        let file = root.join("captions.json");
        page::save(&file, &json!({ "images": entries }).to_string())?;

        let mut settings = Settings::default();
        settings.set("captions", text(&file)?)?;
        settings.set("images", text(&root)?)?;
        settings.set("split", format!("{}-{}", Split::Train.name(), Domain::Photo.name()))?;
        settings.set("val_fraction", 0.1)?;
        settings.set("data.pairs", "one")?;
        settings.set("epochs", 2 * self.epochs())?;
        let gallery_of = |domain: Domain| -> anyhow::Result<(&str, Gallery)> {
            let splits = vec![format!("{}-{}", Split::Test.name(), domain.name())];
            let options = CaptionsOptions { images: Some(root.clone()), splits, ..CaptionsOptions::default() };
            Ok((domain.name(), gallery(&captions::read(&file, &options, OnError::Fail, &SkipReport::default())?)?))
        };
        let photos = gallery_of(Domain::Photo)?.1;
        let others = Domain::ALL.into_iter().filter(|domain| *domain != Domain::Photo).map(gallery_of);
        let others = others.collect::<anyhow::Result<Vec<_>>>()?;
        let (base, device) = (embedded(), Device::flex());
        let (model, on) = (base.clone(), device.clone());
        Ok(Box::new(Of {
            name: "drawn-captions".to_owned(),
            data: "drawn captions",
            usual_alpha: 0.8,
            base,
            device,
            settings,
            measure: move |of: Model<'_>| {
                let encoder = of.tuned(&model, &on)?.encoder(&on, Precision::F32)?;
                let recall = |gallery: &Gallery| -> anyhow::Result<Evaluation> {
                    Ok(gallery.evaluate(&*encoder, &EmbedOptions::default(), &mut |_| {})?.evaluation)
                };
                let id = recall(&photos)?;
                let mut parts = columns(&id);
                for (name, gallery) in &others {
                    parts.push(((*name).to_owned(), recall(gallery)?.mean_recall));
                }
                let shifted = parts[parts.len() - others.len()..].iter().map(|(_, value)| value);
                let ood = shifted.sum::<f64>() / others.len() as f64;
                Ok(Measured { id: id.mean_recall, ood, parts })
            },
            unlabelled: Vec::new(),
            task: PhantomData::<Retrieval>,
        }))
    }

    /// The file of captions with every fourth image of each split.
    fn quarter_of_captions(&self, all: &Path) -> anyhow::Result<PathBuf> {
        let quarter = self.out.join("flickr8k-quarter.json");
        let content = std::fs::read(all).with_context(|| format!("cannot read {}", all.display()))?;
        let mut table: serde_json::Value = serde_json::from_slice(&content)?;
        let images = table["images"].as_array_mut().with_context(|| format!("{} has no images", all.display()))?;
        let mut seen = BTreeMap::<String, usize>::new();
        images.retain(|image| {
            let count = seen.entry(image["split"].to_string()).or_default();
            *count += 1;
            *count % 4 == 1
        });
        make(&quarter)?;
        page::save(&quarter, &table.to_string())?;
        Ok(quarter)
    }
}

/// Captions as they are, without a template.
fn gallery(images: &CaptionedImages) -> anyhow::Result<Gallery> {
    Ok(Gallery::new(images, &Templates::from_list(vec!["{}".to_owned()])?))
}

/// Recall at K in both directions.
fn columns(recall: &Evaluation) -> Vec<(String, f64)> {
    let directions = [("image→text", recall.image_to_text), ("text→image", recall.text_to_image)];
    let ranks = directions.map(|(direction, at)| {
        [("R@1", at.r1), ("R@5", at.r5), ("R@10", at.r10)].map(|(rank, value)| (format!("{direction} {rank}"), value))
    });
    ranks.into_iter().flatten().collect()
}
