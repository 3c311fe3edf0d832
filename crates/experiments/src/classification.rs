//! Classification on the shapes world: top-1 accuracy.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use burn::tensor::Device;
use radapter_adapter::Alpha;
use radapter_classification::classes::Classes;
use radapter_classification::finetuned::ClassificationRun;
use radapter_classification::head::Head;
use radapter_classification::suite::{Suite, SuiteResult, TestSet, evaluate_suite};
use radapter_classification::task::TrainingImages;
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::Clip;
use radapter_datasets::shapes::{Domain, Split, World, class_names};
use radapter_datasets::{Class, LabelledImages, Sample, Templates};
use radapter_embedding::EmbedOptions;
use radapter_images::{DecodeOptions, ImageSource};
use radapter_methods::METHODS;
use radapter_report::{ImageCard, Page};
use radapter_settings::Settings;
use radapter_training::{RunOptions, TrainOutcome};

use crate::run;
use crate::{Budget, Compared, Experiment, Figures, Model, page};

/// Images of each test set in the report.
const SHOWN: usize = 6;

/// The images of the comparison.
pub(crate) struct Classification {
    /// Photos to train and to validate on.
    training: TrainingImages,
    /// Test images: photos, and the other domains.
    suite: Suite,
}

impl Classification {
    pub(crate) fn draw(world: &World, budget: &Budget) -> anyhow::Result<Self> {
        let train = images(world, Split::Train, Domain::Photo, budget.train_images);
        let val = images(world, Split::Val, Domain::Photo, budget.val_images);
        let classes = Classes::new(train.classes.clone())?;
        let set = |domain: Domain| {
            TestSet::new(domain.name(), images(world, Split::Test, domain, budget.test_images), &classes)
        };
        let ood = Domain::ALL.into_iter().filter(|domain| *domain != Domain::Photo);
        let suite = Suite { id: set(Domain::Photo)?, ood: ood.map(set).collect::<Result<_, _>>()? };
        Ok(Self { training: TrainingImages { train, val: Some(val) }, suite })
    }

    /// Images of a test set with the predictions of the shown models.
    fn cards(&self, compared: &Compared, set: &TestSet) -> anyhow::Result<Vec<ImageCard>> {
        // Classes take turns in a set; an odd stride shows different ones.
        let stride = (set.samples.len() / SHOWN).max(1) | 1;
        let card = |index: usize| {
            let sample = &set.samples[index];
            let image = sample.source.load(&DecodeOptions::default()).with_context(|| sample.name.clone())?;
            let mut predictions = Vec::new();
            let mut caption = String::new();
            for shown in &compared.shown {
                let of_set = shown.figures.predictions.iter().find(|(name, _)| *name == set.name);
                if let Some(answer) = of_set.and_then(|(_, answers)| answers.get(index)) {
                    caption.clone_from(&answer.label);
                    let best = answer.best.first().map_or("", |best| best.class.as_str());
                    predictions.push((shown.method.short().to_owned(), best.to_owned(), best == answer.label));
                }
            }
            Ok(ImageCard { png: page::png(&image)?, caption, predictions })
        };
        (0..SHOWN).map(|k| card(k * stride % set.samples.len())).collect()
    }
}

impl Experiment for Classification {
    fn train(&self, base: &Checkpoint, settings: &Settings, options: RunOptions) -> anyhow::Result<TrainOutcome> {
        run::train::<radapter_classification::task::Classification>(
            Some(self.training.clone()),
            (base, run::EMBEDDED),
            settings,
            options,
        )
    }

    fn zero_shot(&self, base: &Checkpoint, device: &Device) -> anyhow::Result<Model> {
        let clip = Clip::from_state(&base.config, &base.state, device)?;
        let classes = Classes::new(self.training.train.classes.clone())?;
        let head = Head::zero_shot(&clip, &classes, &Templates::default(), EmbedOptions::default().batch)?;
        Ok(Model { checkpoint: base.clone(), head: Some(head) })
    }

    fn tuned(&self, run: &Path, base: &Checkpoint, alpha: Option<Alpha>, device: &Device) -> anyhow::Result<Model> {
        let model = ClassificationRun::open(METHODS, run)?.model(base, alpha.map(Into::into), device)?;
        Ok(Model { checkpoint: model.model.checkpoint()?, head: Some(model.head) })
    }

    fn measure(&self, Model { checkpoint, head }: &Model, device: &Device) -> anyhow::Result<Figures> {
        let clip = Clip::from_state(&checkpoint.config, &checkpoint.state, device)?;
        let head = head.as_ref().context("the model has no classifier")?;
        let outcome = evaluate_suite(&clip, head, &self.suite, &EmbedOptions::default(), &mut |_, _| {})?;
        let SuiteResult { id, ood, ood_average, .. } = outcome.result;
        Ok(Figures {
            id: id.evaluation.top1,
            ood: ood.into_iter().map(|set| (set.name, set.evaluation.top1)).collect(),
            ood_average,
            unseen: None,
            predictions: outcome.predictions,
        })
    }

    fn lead(&self) -> String {
        format!(
            "{} drawn photos of {} classes and evaluated on photos and on domains it was not tuned on.",
            self.training.train.samples.len(),
            self.training.train.classes.len(),
        )
    }

    fn illustrate(&self, page: &mut Page, compared: &Compared, _device: &Device) -> anyhow::Result<()> {
        page.section("Predictions of the models");
        page.text(
            "Test images of each domain: the true class in bold, and the predictions of the first seed's models, zero-shot, full \
             fine-tuning, and R-Adapter at alpha 0.5.",
        );
        for set in self.suite.sets() {
            let kind = if set.name == self.suite.id.name { "ID" } else { "OOD" };
            page.text(&format!("{} ({kind})", set.name));
            page.images(&self.cards(compared, set)?);
        }
        Ok(())
    }
}

fn images(world: &World, split: Split, domain: Domain, count: usize) -> LabelledImages {
    let names = class_names();
    let sample = |index: usize| {
        let scene = world.scene(split, domain, index as u64);
        Sample {
            source: ImageSource::Pixels(Arc::new(scene.image)),
            label: scene.class,
            name: format!("{}/{}/{}/{index}", split.name(), domain.name(), names[scene.class]),
        }
    };
    let class = |name: &&str| Class { folder: (*name).to_owned(), text: name.replace('_', " ") };
    LabelledImages {
        classes: names.iter().map(class).collect(),
        samples: (0..count).map(sample).collect(),
        warnings: Vec::new(),
    }
}
