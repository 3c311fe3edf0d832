//! `interpolate`, `soup` and `stock`: models that are mixed in weight space.

use std::path::{Path, PathBuf};

use anyhow::Context;
use burn::tensor::Device;
use radapter_adapter::{AdapterFile, Alpha};
use radapter_classification::classes::Classes;
use radapter_classification::head::{CLASSES_FILE, Head};
use radapter_classification::read::read_labelled;
use radapter_classification::suite::TestSet;
use radapter_clip::checkpoint::{Checkpoint, read_safetensors, write_safetensors_file};
use radapter_clip::model::Clip;
use radapter_clip::state_dict::{RawTensor, Spool, StateDict};
use radapter_datasets::Templates;
use radapter_embedding::Embeddings;
use radapter_ensemble::{Depth, Member, check_alike, soup_of_adapters};
use radapter_files::folder_of;
use radapter_report::percent;
use radapter_training::finetuned::FineTunedRun;
use radapter_training::state::HEAD;
use serde_json::json;

use crate::command::args::{ArchArg, EnsembleArgs, InterpolateArgs, ModelRef, SoupArgs, StockArgs};
use crate::command::export::Export;
use crate::command::failure::Usage;
use crate::command::model::{self, RunModel};
use crate::command::{Session, classes, output, suite};

/// The tensor in which a trained classifier is mixed like any other.
const CLASSIFIER: &str = "classifier";

/// `interpolate`
pub(super) fn interpolate(args: &InterpolateArgs, session: &Session) -> anyhow::Result<()> {
    let common = &args.ensemble;
    output::check_empty_dir(&common.out)?;
    if args.alpha.extrapolates() {
        tracing::warn!("alpha = {} is outside [0, 1]: it extrapolates beyond the tuned model", args.alpha);
    }
    let base = Ingredient::base(&args.base, &common.arch)?;
    let tuned = Ingredient::open(&args.tuned, Some(&base.checkpoint), common, session)?;
    let (mixed, head) = Mix { base: Some(&base), tuned: &[&tuned], session }.compute(|members| {
        let depth = Depth::from(&base.checkpoint.config);
        Ok(radapter_ensemble::interpolate(members[0], members[1], args.alpha, depth, spool(&common.out)?)?)
    })?;
    write(mixed, &base.checkpoint.state, head, common, &format!("interpolated at alpha = {}", args.alpha))
}

/// `stock`
pub(super) fn stock(args: &StockArgs, session: &Session) -> anyhow::Result<()> {
    let common = &args.ensemble;
    output::check_empty_dir(&common.out)?;
    if args.tuned.len() < 2 {
        return Err(Usage(
            "stock needs at least two tuned models after BASE; with one, use `radapter interpolate`".into(),
        )
        .into());
    }
    let base = Ingredient::base(&args.base, &common.arch)?;
    let open = |model| Ingredient::open(model, Some(&base.checkpoint), common, session);
    let tuned = args.tuned.iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
    let all: Vec<&Ingredient> = tuned.iter().collect();
    let (mixed, head) = Mix { base: Some(&base), tuned: &all, session }
        .compute(|members| Ok(radapter_ensemble::stock(members[0], &members[1..], spool(&common.out)?)?))?;
    write(mixed, &base.checkpoint.state, head, common, &format!("Model Stock of {} models", tuned.len()))
}

/// `soup`
pub(super) fn soup(args: &SoupArgs, session: &Session) -> anyhow::Result<()> {
    let common = &args.ensemble;
    output::check_empty_dir(&common.out)?;
    match adapter_runs(&args.models)? {
        Some(runs) => soup_of_runs(args, &runs, session),
        None => soup_of_models(args, session),
    }
}

/// A soup of plain models, and of runs at alpha = 1.
fn soup_of_models(args: &SoupArgs, session: &Session) -> anyhow::Result<()> {
    let common = &args.ensemble;
    let open = |model| Ingredient::open(model, None, common, session);
    let models = args.models.iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
    let mean = |chosen: &[usize]| -> anyhow::Result<(Checkpoint, Option<Head>)> {
        let chosen: Vec<&Ingredient> = chosen.iter().map(|&index| &models[index]).collect();
        Mix { base: None, tuned: &chosen, session }
            .compute(|members| Ok(radapter_ensemble::soup(members, spool(&common.out)?)?))
    };
    let chosen = chosen(args, session, mean)?;
    let (mixed, head) = mean(&chosen)?;
    write(mixed, &models[chosen[0]].checkpoint.state, head, common, &format!("soup of {} models", chosen.len()))
}

/// A soup of runs with adapters, which is a run again.
fn soup_of_runs(args: &SoupArgs, runs: &[FineTunedRun], session: &Session) -> anyhow::Result<()> {
    let EnsembleArgs { out, export, json, .. } = &args.ensemble;
    if export.format.is_some() || export.dtype.is_some() {
        let message = "a soup of runs with adapters is a run, which has no --format and --dtype; omit them, and give them to \
                       `radapter merge`";
        return Err(Usage(message.into()).into());
    }
    let members = runs.iter().map(AdapterRun::open).collect::<anyhow::Result<Vec<_>>>()?;
    members.iter().try_for_each(|member| member.check_like(&members[0]))?;
    let write = |dir: &Path, chosen: &[usize]| {
        let chosen: Vec<&AdapterRun> = chosen.iter().map(|&index| &members[index]).collect();
        AdapterRun::write_mean(&chosen, dir)
    };
    let base = if args.greedy { Some(model::base_of(&runs[0])?) } else { None };
    let chosen = chosen(args, session, |chosen| {
        let base = base.as_ref().context("the base is open for a greedy soup")?;
        let folder = tempfile::tempdir_in(folder_of(out))?;
        write(folder.path(), chosen)?;
        let RunModel { model, head, .. } = model::of_run(folder.path(), base, None, &session.device()?)?;
        Ok((model.checkpoint()?, head))
    })?;
    output::write_dir(out, |dir| write(dir, &chosen))?;
    tracing::info!(
        "soup of {} runs → {}, a run: choose its alpha with sweep, eval and merge",
        chosen.len(),
        out.display()
    );
    let models: Vec<String> = chosen.iter().map(|&index| args.models[index].to_string()).collect();
    match json.json {
        true => output::print_json(&json!({ "out": out, "models": models, "form": "run" })),
        false => Ok(()),
    }
}

/// Which models are in the soup: all, or those that greedy selection keeps.
fn chosen(
    args: &SoupArgs,
    session: &Session,
    mean: impl Fn(&[usize]) -> anyhow::Result<(Checkpoint, Option<Head>)>,
) -> anyhow::Result<Vec<usize>> {
    let all: Vec<usize> = (0..args.models.len()).collect();
    let Some(val) = args.val.as_ref().filter(|_| args.greedy) else { return Ok(all) };
    let names = classes::names(&args.class_names)?;
    let images = read_labelled(val, names.as_ref(), args.decode.on_error)?;
    let found = Classes::new(images.classes.clone())?;
    let options = session.embed_options(&args.decode, args.batch);
    let device = session.device()?;
    let accuracy = |chosen: &[usize]| -> anyhow::Result<f64> {
        let (checkpoint, head) = mean(chosen)?;
        let clip = Clip::from_state(&checkpoint.config, &checkpoint.state, &device)?;
        let head = match head {
            Some(head) => head,
            None => classes::zero_shot(&clip, &found, &Templates::default(), args.batch.batch_size)?,
        };
        let set = TestSet::new(val.display().to_string(), images.clone(), head.classes())?;
        Ok(suite::measure(&clip, &head, &set, &options, session)?.evaluation.top1)
    };
    let mut ranked = Vec::with_capacity(all.len());
    for index in all {
        let alone = accuracy(&[index])?;
        tracing::info!("{}: {} on {}", args.models[index], percent(alone), val.display());
        ranked.push((index, alone));
    }
    // Stable: of equal ones the first that was named comes first.
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (first, mut best) = ranked[0];
    let mut kept = vec![first];
    for (index, _) in ranked.into_iter().skip(1) {
        let with: Vec<usize> = kept.iter().copied().chain([index]).collect();
        let mixed = accuracy(&with)?;
        let keeps = mixed >= best;
        let word = if keeps { "kept" } else { "left out" };
        tracing::info!("with {}: {}, {word}", args.models[index], percent(mixed));
        if keeps {
            (kept, best) = (with, mixed);
        }
    }
    Ok(kept)
}

/// A model to mix.
struct Ingredient {
    name: String,
    checkpoint: Checkpoint,
    head: Option<Head>,
}

impl Ingredient {
    fn base(model: &ModelRef, arch: &ArchArg) -> anyhow::Result<Self> {
        Ok(Self { name: model.to_string(), checkpoint: model::checkpoint(model, arch)?, head: None })
    }

    /// Opens a checkpoint, or a run's model at alpha = 1. `base` is the one a run must have been tuned from; without it
    /// the run's own is taken.
    fn open(
        model: &ModelRef,
        base: Option<&Checkpoint>,
        args: &EnsembleArgs,
        session: &Session,
    ) -> anyhow::Result<Self> {
        let name = model.to_string();
        let run = match model {
            ModelRef::Path(path) if model::is_run(path) => path,
            _ => {
                let checkpoint = model::checkpoint(model, &args.arch)?;
                return Ok(Self { name, checkpoint, head: model::head_of(model)? });
            }
        };
        let opened = model::open_run(run)?;
        let own = base.is_none().then(|| model::base_of(&opened)).transpose()?;
        let base = base.or(own.as_ref()).context("a run has a base")?;
        let RunModel { model, head, .. } = model::of_run(run, base, Some(Alpha::ONE), &session.device()?)?;
        let checkpoint = model.checkpoint()?;
        // The computed tensors go to the disk, so that the next model has the memory.
        let mut waiting = spool(&args.out)?;
        checkpoint.state.iter().try_for_each(|(name, tensor)| waiting.push(name, tensor))?;
        Ok(Self { name, checkpoint: Checkpoint { state: waiting.finish()?, ..checkpoint }, head })
    }
}

/// The file that computed tensors wait in, beside the result.
fn spool(out: &Path) -> anyhow::Result<Spool> {
    let folder = folder_of(out);
    output::make_dir(folder)?;
    Spool::new(folder).with_context(|| format!("cannot write a temporary file in {}", folder.display()))
}

/// Models to mix, with their classifiers.
struct Mix<'a> {
    base: Option<&'a Ingredient>,
    tuned: &'a [&'a Ingredient],
    session: &'a Session,
}

impl Mix<'_> {
    /// Passes the tensors of all models to `mix`, the base's first, and returns the result with its classifier.
    fn compute(
        &self,
        mix: impl FnOnce(&[Member<'_>]) -> anyhow::Result<StateDict>,
    ) -> anyhow::Result<(Checkpoint, Option<Head>)> {
        let all: Vec<&Ingredient> = self.base.into_iter().chain(self.tuned.iter().copied()).collect();
        let mut states: Vec<StateDict> = all.iter().map(|one| one.checkpoint.state.clone()).collect();
        check_alike(&members(&all, &states))?;
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
        self.tuned.iter().filter_map(|one| one.head.as_ref())
    }

    /// The classifier whose classes and templates the result has.
    fn head(&self) -> anyhow::Result<Option<Head>> {
        let with_heads = self.tuned.iter().filter_map(|one| Some((&one.name, one.head.as_ref()?)));
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
    classes::zero_shot(&clip, like.classes(), &templates, radapter_embedding::EmbedOptions::default().batch)
}

fn write(
    checkpoint: Checkpoint,
    base: &StateDict,
    head: Option<Head>,
    args: &EnsembleArgs,
    what: &str,
) -> anyhow::Result<()> {
    let out = &args.out;
    let (format, dtype) = Export { checkpoint, base: base.clone(), head }.write(out, args.export)?;
    tracing::info!("{what} → {} ({format}, {dtype})", out.display());
    match args.json.json {
        true => output::print_json(
            &json!({ "out": out, "form": "checkpoint", "format": format.to_string(), "dtype": dtype.to_string() }),
        ),
        false => Ok(()),
    }
}

/// The runs, if all models are runs with adapters.
fn adapter_runs(models: &[ModelRef]) -> anyhow::Result<Option<Vec<FineTunedRun>>> {
    let paths: Option<Vec<&PathBuf>> = models
        .iter()
        .map(|model| match model {
            ModelRef::Path(path) if model::is_run(path) => Some(path),
            _ => None,
        })
        .collect();
    let runs = paths.into_iter().flatten().map(|path| model::open_run(path)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok((!runs.is_empty() && runs.iter().all(|run| run.method().is_scaled())).then_some(runs))
}

/// A run with adapters, read for a soup.
struct AdapterRun<'a> {
    run: &'a FineTunedRun,
    name: String,
    adapters: AdapterFile,
    /// The rows of the trained classifier.
    head: Option<RawTensor>,
    classes: Option<Vec<u8>>,
}

impl<'a> AdapterRun<'a> {
    fn open(run: &'a FineTunedRun) -> anyhow::Result<Self> {
        let files = run.files();
        let adapters = AdapterFile::read(files.evaluated(run.method().stem()))?;
        let head = match run.trains_head() {
            true => {
                let path = files.evaluated(HEAD);
                let tensor = read_safetensors(&path)?.tensors.remove(HEAD);
                Some(tensor.with_context(|| format!("{} has no tensor `{HEAD}`", path.display()))?)
            }
            false => None,
        };
        let classes = files.dir().path().join(CLASSES_FILE);
        let classes =
            classes.is_file().then(|| std::fs::read(&classes)).transpose().context("cannot read the classes")?;
        Ok(Self { run, name: files.dir().path().display().to_string(), adapters, head, classes })
    }

    /// Checks that a run is of the same task, base and classes.
    fn check_like(&self, first: &Self) -> anyhow::Result<()> {
        let (a, b) = (first.run.files().record(), self.run.files().record());
        for (what, differs) in [
            ("tasks", a.task != b.task),
            ("base models", a.base_hash != b.base_hash),
            ("classes", first.classes != self.classes),
            ("losses", first.head.is_some() != self.head.is_some()),
        ] {
            anyhow::ensure!(
                !differs,
                "the runs {} and {} have different {what}; expected the same",
                first.name,
                self.name
            );
        }
        Ok(())
    }

    /// Writes the files of a run whose adapters have the mean effect of these.
    fn write_mean(members: &[&Self], dir: &Path) -> anyhow::Result<()> {
        let first = members[0];
        let files: Vec<(&str, &AdapterFile)> =
            members.iter().map(|member| (member.name.as_str(), &member.adapters)).collect();
        let mean = soup_of_adapters(&files)?;
        let files = first.run.files();
        let mut record = files.record().clone();
        record.soup = members.iter().map(|member| member.name.clone()).collect();
        // There is no best validation among its files.
        record.settings.insert("keep".to_owned(), "last".into());
        let file = |stem: &str| dir.join(format!("{stem}.safetensors"));
        mean.write(file(first.run.method().stem()))?;
        let heads: Vec<StateDict> = members
            .iter()
            .filter_map(|member| Some(StateDict::from_iter([(HEAD.to_owned(), member.head.clone()?)])))
            .collect();
        if !heads.is_empty() {
            let named: Vec<Member<'_>> =
                heads.iter().zip(members).map(|(state, member)| Member { name: &member.name, state }).collect();
            let mean = radapter_ensemble::soup(&named, Spool::new(dir)?)?;
            write_safetensors_file(file(HEAD), &mean, &Default::default())?;
        }
        if let Some(classes) = &first.classes {
            output::write_file(&dir.join(CLASSES_FILE), classes)?;
        }
        output::write_file(&dir.join("config.toml"), toml::to_string(&record)?.as_bytes())
    }
}
