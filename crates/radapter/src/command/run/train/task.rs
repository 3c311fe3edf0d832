//! What the tasks' trainings have in common, as the command needs it.

use std::path::Path;

use anyhow::Context;
use radapter_classification::plan as classification;
use radapter_clip::checkpoint::Checkpoint;
use radapter_retrieval::plan as retrieval;
use radapter_segmentation::plan as segmentation;
use radapter_training::config::{ResolvedConfig, Settings};
use radapter_training::{RunDir, RunOptions, TrainOutcome};
use toml::Value;

use crate::command::args::{
    ArchArg, CaptionsArgs, DatasetArgs, ModelRef, TrainClassification, TrainRetrieval, TrainSegmentation,
};
use crate::command::model::{self, Task};
use crate::command::{Session, run::segment};

/// The arguments of a task's training.
#[derive(Clone, Copy)]
pub(super) enum TaskArgs<'a> {
    Classification(&'a TrainClassification),
    Retrieval(&'a TrainRetrieval),
    Segmentation(&'a TrainSegmentation),
}

impl<'a> TaskArgs<'a> {
    pub(super) fn task(&self) -> Task {
        match self {
            Self::Classification(_) => Task::Classification,
            Self::Retrieval(_) => Task::Retrieval,
            Self::Segmentation(_) => Task::Segmentation,
        }
    }

    pub(super) fn model(&self) -> Option<&'a ModelRef> {
        match self {
            Self::Classification(args) => args.model.as_ref(),
            Self::Retrieval(args) => args.model.as_ref(),
            Self::Segmentation(args) => args.model.as_ref(),
        }
    }

    pub(super) fn arch(&self) -> &'a ArchArg {
        match self {
            Self::Classification(args) => &args.arch,
            Self::Retrieval(args) => &args.arch,
            Self::Segmentation(args) => &args.arch,
        }
    }

    /// The flags that are settings, as keys and values.
    pub(super) fn settings(&self) -> anyhow::Result<Vec<(&'static str, Value)>> {
        let mut values = Vec::new();
        let is_new = match self {
            Self::Classification(args) => {
                push_path(&mut values, "train", args.train.as_deref())?;
                push_path(&mut values, "val", args.val.as_deref())?;
                values.extend(args.class_names.class_names.clone().map(|names| ("class_names", names.into())));
                !args.resume
            }
            Self::Retrieval(args) => {
                push_captions(&mut values, &args.captions)?;
                values.extend(args.val_split.clone().map(|split| ("val_split", split.into())));
                push_path(&mut values, "val_captions", args.val_captions.as_deref())?;
                push_path(&mut values, "val_image_ids", args.val_image_ids.as_deref())?;
                push_path(&mut values, "val_images", args.val_images.as_deref())?;
                !args.resume
            }
            Self::Segmentation(args) => {
                push_segments(&mut values, args)?;
                !args.resume
            }
        };
        if let (Some(model), true) = (self.model(), is_new) {
            values.push(("model", model::lasting_reference(model)?.into()));
        }
        Ok(values)
    }
}

fn push_captions(values: &mut Vec<(&'static str, Value)>, args: &CaptionsArgs) -> anyhow::Result<()> {
    push_path(values, "captions", args.captions.as_deref())?;
    push_path(values, "images", args.images.as_deref())?;
    push_path(values, "image_ids", args.image_ids.as_deref())?;
    let texts = [
        ("captions_format", args.captions_format.map(|format| format.to_string())),
        ("split", args.split.clone()),
        ("csv_img_key", args.csv_img_key.clone()),
        ("csv_caption_key", args.csv_caption_key.clone()),
        ("csv_separator", args.csv_separator.map(String::from)),
    ];
    values.extend(texts.into_iter().filter_map(|(key, text)| Some((key, text?.into()))));
    values.extend(args.max_captions.map(|count| ("max_captions", Value::Integer(count.get() as i64))));
    Ok(())
}

fn push_segments(values: &mut Vec<(&'static str, Value)>, args: &TrainSegmentation) -> anyhow::Result<()> {
    let annotated =
        segment::annotated(args.annotated.images.as_deref(), &args.annotated.label_maps, &DatasetArgs::default())?;
    push_path(values, "images", annotated.images.as_deref())?;
    push_path(values, "annotations", annotated.annotations.as_deref())?;
    push_path(values, "captions", args.captions.as_deref())?;
    push_path(values, "nouns", args.nouns.as_deref())?;
    push_path(values, "exclude", args.exclude.as_deref())?;
    push_path(values, "val_images", args.val_images.as_deref())?;
    push_path(values, "val_annotations", args.val_annotations.as_deref())?;
    let texts = [
        ("synonyms", annotated.synonyms.map(|synonyms| synonyms.to_string())),
        ("captions_format", args.captions_format.map(|format| format.to_string())),
        ("split", args.split.clone()),
        ("proposals", args.proposals.clone()),
    ];
    values.extend(texts.into_iter().filter_map(|(key, text)| Some((key, text?.into()))));
    values.extend(annotated.classes.map(|lines| ("classes", lines.into())));
    let numbers = [("label_offset", annotated.label_offset), ("ignore", annotated.ignore)];
    values.extend(numbers.into_iter().filter_map(|(key, number)| Some((key, Value::Integer(i64::from(number?))))));
    Ok(())
}

fn push_path(values: &mut Vec<(&'static str, Value)>, key: &'static str, path: Option<&Path>) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    let text = path.to_str().map(str::to_owned);
    let flag = key.replace('_', "-");
    values.push((
        key,
        text.with_context(|| format!("the path of --{flag} is not UTF-8, which a run cannot record"))?.into(),
    ));
    Ok(())
}

/// A run of any task that is ready to begin or to go on.
pub(super) enum Plan {
    Classification(Box<classification::Plan>),
    Retrieval(Box<retrieval::Plan>),
    Segmentation(Box<segmentation::Plan>),
}

impl Plan {
    pub(super) fn new(task: Task, base: Checkpoint, settings: &Settings, session: &Session) -> anyhow::Result<Self> {
        Ok(match task {
            Task::Classification => Self::Classification(classification::Plan::new(base, settings, None)?.into()),
            Task::Retrieval => Self::Retrieval(retrieval::Plan::new(base, settings, None)?.into()),
            Task::Segmentation => {
                let plan = segment::prepared(session, |preparation| {
                    segmentation::Plan::new(base, settings, None, preparation)
                });
                Self::Segmentation(plan?.into())
            }
        })
    }

    pub(super) fn of_run(task: Task, base: Checkpoint, run: &RunDir, session: &Session) -> anyhow::Result<Self> {
        Ok(match task {
            Task::Classification => Self::Classification(classification::Plan::of_run(base, run, None)?.into()),
            Task::Retrieval => Self::Retrieval(retrieval::Plan::of_run(base, run, None)?.into()),
            Task::Segmentation => {
                let plan =
                    segment::prepared(session, |preparation| segmentation::Plan::of_run(base, run, None, preparation));
                Self::Segmentation(plan?.into())
            }
        })
    }

    pub(super) fn config(&self) -> &ResolvedConfig {
        match self {
            Self::Classification(plan) => &plan.config,
            Self::Retrieval(plan) => &plan.config,
            Self::Segmentation(plan) => &plan.config,
        }
    }

    pub(super) fn warnings(&self) -> &[String] {
        match self {
            Self::Classification(plan) => &plan.warnings,
            Self::Retrieval(plan) => &plan.warnings,
            Self::Segmentation(plan) => &plan.warnings,
        }
    }

    pub(super) fn task_table(&self) -> anyhow::Result<toml::Table> {
        Ok(match self {
            Self::Classification(plan) => plan.task.to_table()?,
            Self::Retrieval(plan) => plan.task.to_table()?,
            Self::Segmentation(plan) => plan.task.to_table()?,
        })
    }

    /// What is trained on, in a line.
    pub(super) fn summary(&self) -> String {
        match self {
            Self::Classification(plan) => {
                let (train, classes) = (plan.train.samples.len(), plan.classes.len());
                let val = plan.val.as_ref().map_or(0, |val| val.samples.len());
                let steps = plan.config.total_steps(train);
                format!("{train} images of {classes} classes to train on, {val} to validate on; {steps} steps")
            }
            Self::Retrieval(plan) => {
                let (pairs, val) = (plan.split.train_pairs, plan.split.val_images);
                let images = plan.train_images.map_or("some".to_owned(), |images| images.to_string());
                let steps = plan.config.total_steps(pairs);
                format!("{pairs} pairs of {images} images to train on, {val} images to validate on; {steps} steps")
            }
            Self::Segmentation(plan) => {
                let (segments, val, images) = (plan.split.train_segments, plan.split.val_segments, plan.train_images);
                let (labels, steps) = (plan.labels.len(), plan.config.total_steps(segments));
                format!(
                    "{segments} segments of {images} images and {labels} classes to train on, {val} segments to validate on; \
                     {steps} steps"
                )
            }
        }
    }

    pub(super) fn train(self, options: RunOptions) -> anyhow::Result<TrainOutcome> {
        Ok(match self {
            Self::Classification(plan) => plan.train(options)?,
            Self::Retrieval(plan) => plan.train(options)?,
            Self::Segmentation(plan) => plan.train(options)?,
        })
    }

    pub(super) fn resume(self, options: RunOptions, from_step: Option<u64>) -> anyhow::Result<TrainOutcome> {
        Ok(match self {
            Self::Classification(plan) => plan.resume(options, from_step)?,
            Self::Retrieval(plan) => plan.resume(options, from_step)?,
            Self::Segmentation(plan) => plan.resume(options, from_step)?,
        })
    }
}

/// Checks that settings given with a resume say what the run says.
pub(super) fn check_resume(task: Task, run: &RunDir, given: &Settings) -> anyhow::Result<()> {
    match task {
        Task::Classification => classification::check_resume(run, given)?,
        Task::Retrieval => retrieval::check_resume(run, given)?,
        Task::Segmentation => segmentation::check_resume(run, given)?,
    }
    Ok(())
}
