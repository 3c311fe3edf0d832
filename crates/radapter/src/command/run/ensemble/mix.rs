//! Models to mix, with their classifiers.

use std::path::Path;

use anyhow::Context;
use burn::tensor::Device;
use radapter_adapter::Alpha;
use radapter_classification::head::Head;
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::{Clip, Precision};
use radapter_clip::state_dict::{RawTensor, Spool, StateDict};
use radapter_datasets::Templates;
use radapter_embedding::{EmbedOptions, Embeddings};
use radapter_ensemble::{Member, check_alike};
use radapter_files::folder_of;
use serde_json::json;

use crate::command::args::{EnsembleArgs, ModelRef};
use crate::command::export::Export;
use crate::command::model::{self, RunModel};
use crate::command::{Session, classes, output};

/// The tensor in which a trained classifier is mixed like any other.
const CLASSIFIER: &str = "classifier";

/// A model to mix.
pub(super) struct Ingredient {
    name: String,
    pub(super) checkpoint: Checkpoint,
    /// The tensors as stored, whose dtypes the result has: of a run those of its base.
    stored: StateDict,
    head: Option<Head>,
    /// Of a run the hash of the model that it was tuned from.
    base_hash: Option<String>,
}

impl Ingredient {
    /// Opens a checkpoint; a run as the base of others, at its own alpha.
    pub(super) fn base(model: &ModelRef, args: &EnsembleArgs) -> anyhow::Result<Self> {
        let checkpoint = model::checkpoint(model, &args.arch)?;
        let state = checkpoint.state.spooled(spool(&args.out)?)?;
        let head = model::head_of(model)?;
        Ok(Self {
            name: model.to_string(),
            stored: state.clone(),
            checkpoint: Checkpoint { state, ..checkpoint },
            head,
            base_hash: None,
        })
    }

    /// Opens a checkpoint, or a run's model at alpha = 1. `base` is the one a run must have been tuned from; without it
    /// the run's own is taken.
    pub(super) fn open(
        model: &ModelRef,
        base: Option<&Checkpoint>,
        args: &EnsembleArgs,
        session: &Session,
    ) -> anyhow::Result<Self> {
        let run = match model {
            ModelRef::Path(path) if model::is_run(path) => path,
            _ => return Self::base(model, args),
        };
        let name = model.to_string();
        let opened = model::open_run(run)?;
        let own = base.is_none().then(|| model::base_of(&opened)).transpose()?;
        let base = base.or(own.as_ref()).context("a run has a base")?;
        let RunModel { model, head, .. } =
            model::of_run(run, base, Some(Alpha::ONE.into()), &session.device()?, Precision::F32)?;
        let checkpoint = model.checkpoint()?;
        // Frees memory for the next model.
        let state = checkpoint.state.spooled(spool(&args.out)?)?;
        let stored = base.state.clone();
        let base_hash = Some(opened.files().record().base_hash.clone());
        Ok(Self { name, checkpoint: Checkpoint { state, ..checkpoint }, stored, head, base_hash })
    }
}

/// The file that computed tensors wait in, beside the result.
pub(super) fn spool(out: &Path) -> anyhow::Result<Spool> {
    let folder = folder_of(out);
    output::make_dir(folder)?;
    Ok(Spool::new(folder)?)
}

/// Models to mix, with their classifiers.
pub(super) struct Mix<'a> {
    pub(super) base: Option<&'a Ingredient>,
    pub(super) tuned: &'a [&'a Ingredient],
    pub(super) session: &'a Session,
}

impl Mix<'_> {
    fn all(&self) -> Vec<&Ingredient> {
        self.base.into_iter().chain(self.tuned.iter().copied()).collect()
    }

    /// Passes the tensors of all models to `mix`, the base's first, and returns the result with its classifier.
    pub(super) fn compute(
        &self,
        mix: impl FnOnce(&[Member<'_>]) -> anyhow::Result<StateDict>,
    ) -> anyhow::Result<(Checkpoint, Option<Head>)> {
        let all = self.all();
        let mut states: Vec<StateDict> = all.iter().map(|one| one.checkpoint.state.clone()).collect();
        check_alike(&members(&all, &states))?;
        check_bases(&all)?;
        if let Some(other) = all.iter().find(|one| one.checkpoint.config != all[0].checkpoint.config) {
            anyhow::bail!(
                "`{}` and `{}` have tensors of the same shapes, but other configs (activation, heads or preprocessing); expected \
                 models of the same architecture",
                all[0].name,
                other.name
            );
        }
        let head = self.head()?;
        let trained = head.as_ref().filter(|_| self.heads().any(Head::is_trained));
        if let Some(like) = trained {
            let device = self.session.device()?;
            for (one, state) in all.iter().zip(&mut states) {
                let rows = rows(one, like, &device)?;
                let shape = [rows.len(), rows.dim()];
                state.insert(CLASSIFIER, RawTensor::from_f32(shape, rows.values().to_vec()));
            }
        }
        let mut state = mix(&members(&all, &states))?;
        let rows = state.remove(CLASSIFIER);
        let checkpoint = Checkpoint { dtype: state.main_dtype(), state, ..all[0].checkpoint.clone() };
        let head = match (head, rows) {
            (Some(head), Some(rows)) => Some(head.with_weights(Embeddings::new(rows.shape()[1], rows.to_f32()))?),
            (Some(head), None) => Some(zero_shot(&checkpoint, &head, &self.session.device()?)?),
            (None, _) => None,
        };
        Ok((checkpoint, head))
    }

    fn heads(&self) -> impl Iterator<Item = &Head> {
        self.all().into_iter().filter_map(|one| one.head.as_ref())
    }

    /// The classifier whose classes and templates the result has.
    fn head(&self) -> anyhow::Result<Option<Head>> {
        let all = self.all();
        let with_heads = all.iter().filter_map(|one| Some((&one.name, one.head.as_ref()?)));
        let mut first: Option<(&String, &Head)> = None;
        for (name, head) in with_heads {
            match first {
                Some((other, one)) if one.classes() != head.classes() => anyhow::bail!(
                    "the classifiers of `{other}` ({} classes) and of `{name}` ({}) have other classes, texts or another order; \
                     expected the same",
                    one.classes().len(),
                    head.classes().len()
                ),
                Some(_) => {}
                None => first = Some((name, head)),
            }
        }
        Ok(first.map(|(_, head)| head.clone()))
    }

    /// Writes the result, in the dtypes of the models unless others are asked for.
    pub(super) fn write(
        &self,
        (checkpoint, head): (Checkpoint, Option<Head>),
        args: &EnsembleArgs,
        what: &str,
    ) -> anyhow::Result<()> {
        let out = &args.out;
        let (format, dtype) = Export { checkpoint, base: self.stored(), head, beside: None }.write(out, args.stored)?;
        tracing::info!("{what} → {} ({format}, {dtype})", out.display());
        if args.json.json {
            let models: Vec<&str> = self.all().iter().map(|one| one.name.as_str()).collect();
            let (format, dtype) = (format.to_string(), dtype.to_string());
            let object =
                json!({ "out": out, "models": models, "form": "checkpoint", "format": format, "dtype": dtype });
            return output::print_json(&object);
        }
        Ok(())
    }

    /// For each tensor one of the dtype that holds those of all models: theirs if it is the same, else f32.
    fn stored(&self) -> StateDict {
        let all = self.all();
        let of = |(name, first): (&str, &RawTensor)| {
            let same = all.iter().filter_map(|one| one.stored.get(name)).all(|other| other.dtype() == first.dtype());
            let tensor = if same { first.clone() } else { RawTensor::from_f32([0], Vec::new()) };
            (name.to_owned(), tensor)
        };
        all[0].stored.iter().map(of).collect()
    }
}

/// Checks that all runs were tuned from the same model. What a plain checkpoint was tuned from is not known.
fn check_bases(all: &[&Ingredient]) -> anyhow::Result<()> {
    let mut first: Option<(&str, &String)> = None;
    for (name, base) in all.iter().filter_map(|one| Some((one.name.as_str(), one.base_hash.as_ref()?))) {
        match first {
            Some((other, hash)) if hash != base => {
                anyhow::bail!("the runs {other} and {name} have different base models; expected the same")
            }
            Some(_) => {}
            None => first = Some((name, base)),
        }
    }
    Ok(())
}

fn members<'a>(all: &[&'a Ingredient], states: &'a [StateDict]) -> Vec<Member<'a>> {
    all.iter().zip(states).map(|(one, state)| Member { name: &one.name, state }).collect()
}

/// The rows of a model's trained classifier, or of the zero-shot classifier that training starts from.
fn rows(one: &Ingredient, like: &Head, device: &Device) -> anyhow::Result<Embeddings> {
    match &one.head {
        Some(head) if head.is_trained() => Ok(head.weights().clone()),
        _ => Ok(zero_shot(&one.checkpoint, like, device)?.weights().clone()),
    }
}

fn zero_shot(checkpoint: &Checkpoint, like: &Head, device: &Device) -> anyhow::Result<Head> {
    let clip = Clip::from_state(&checkpoint.config, &checkpoint.state, device)?;
    let templates = Templates::from_list(like.templates().to_vec())?;
    classes::zero_shot(&clip, like.classes(), &templates, EmbedOptions::default().batch)
}
