//! `interpolate`, `soup` and `stock`: models that are mixed in weight space.

use std::path::{Path, PathBuf};

use anyhow::Context;
use burn::tensor::Device;
use radapter_adapter::{AdapterFile, Alpha, MapWeights, Rank, Scale};
use radapter_classification::classes::Classes;
use radapter_classification::head::{CLASSES_FILE, Head};
use radapter_classification::read::read_labelled;
use radapter_classification::suite::TestSet;
use radapter_clip::checkpoint::{Checkpoint, read_safetensors, write_safetensors_file};
use radapter_clip::model::Clip;
use radapter_clip::state_dict::{RawTensor, Spool, StateDict};
use radapter_datasets::{OnError, Templates};
use radapter_embedding::{EmbedOptions, Embeddings};
use radapter_ensemble::{Depth, Member, check_alike, soup_of_adapters};
use radapter_files::folder_of;
use radapter_methods::METHODS;
use radapter_report::percent;
use radapter_training::config::TrainSettings;
use radapter_training::finetuned::FineTunedRun;
use radapter_training::state::HEAD;
use serde_json::json;

use crate::command::args::{EnsembleArgs, InterpolateArgs, ModelRef, SoupArgs, StockArgs};
use crate::command::export::Export;
use crate::command::failure::Usage;
use crate::command::model::{self, Opened, RunModel};
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
    let base = Ingredient::base(&args.base, common)?;
    let tuned = Ingredient::open(&args.tuned, Some(&base.checkpoint), common, session)?;
    let mix = Mix { base: Some(&base), tuned: &[&tuned], session };
    let mixed = mix.compute(|members| {
        let depth = Depth::from(&base.checkpoint.config);
        Ok(radapter_ensemble::interpolate(members[0], members[1], args.alpha, depth, spool(&common.out)?)?)
    })?;
    mix.write(mixed, common, &format!("interpolated at alpha = {}", args.alpha))
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
    let base = Ingredient::base(&args.base, common)?;
    let open = |model| Ingredient::open(model, Some(&base.checkpoint), common, session);
    let tuned = args.tuned.iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
    let all: Vec<&Ingredient> = tuned.iter().collect();
    let mix = Mix { base: Some(&base), tuned: &all, session };
    let mixed = mix.compute(|members| Ok(radapter_ensemble::stock(members[0], &members[1..], spool(&common.out)?)?))?;
    mix.write(mixed, common, &format!("Model Stock of {} models", tuned.len()))
}

/// `soup`
pub(super) fn soup(args: &SoupArgs, session: &Session) -> anyhow::Result<()> {
    let common = &args.ensemble;
    output::check_empty_dir(&common.out)?;
    if args.class_names.class_names.is_some() && !args.greedy {
        return Err(Usage("--class-names is for the images of --greedy; omit it".into()).into());
    }
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
    let mean = |mix: &Mix<'_>| mix.compute(|members| Ok(radapter_ensemble::soup(members, spool(&common.out)?)?));
    let some = |chosen: &[usize]| -> Vec<&Ingredient> { chosen.iter().map(|&index| &models[index]).collect() };
    let chosen = chosen(args, session, |chosen| mean(&Mix { base: None, tuned: &some(chosen), session }))?;
    let mix = Mix { base: None, tuned: &some(&chosen), session };
    mix.write(mean(&mix)?, common, &format!("soup of {} models", chosen.len()))
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
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
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
    let images = read_labelled(val, names.as_ref(), OnError::Fail)?;
    let found = Classes::new(images.classes.clone())?;
    let options = EmbedOptions::default();
    let device = session.device()?;
    let mut set: Option<TestSet> = None;
    let mut accuracy = |chosen: &[usize]| -> anyhow::Result<f64> {
        let (checkpoint, head) = mean(chosen)?;
        let encoder = Box::new(Clip::from_state(&checkpoint.config, &checkpoint.state, &device)?);
        let opened = Opened { encoder, head, temperature: checkpoint.temperature() };
        let head = classes::head(&opened, || Ok(found.clone()), names.as_ref(), None, options.batch)?;
        // All models have the same classes, and the set warns of those without images.
        let set = match &set {
            Some(set) => set,
            None => set.insert(TestSet::new(val.display().to_string(), images.clone(), head.classes())?),
        };
        Ok(suite::measure(&*opened.encoder, &head, set, &options, session)?.evaluation.top1)
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
    /// The tensors as stored, whose dtypes the result has: of a run those of its base.
    stored: StateDict,
    head: Option<Head>,
}

impl Ingredient {
    /// Opens a model as the base of others; a run is used at its own alpha.
    fn base(model: &ModelRef, args: &EnsembleArgs) -> anyhow::Result<Self> {
        Self::plain(model, args)
    }

    fn plain(model: &ModelRef, args: &EnsembleArgs) -> anyhow::Result<Self> {
        let checkpoint = model::checkpoint(model, &args.arch)?;
        let state = checkpoint.state.spooled(spool(&args.out)?)?;
        let head = model::head_of(model)?;
        Ok(Self {
            name: model.to_string(),
            stored: state.clone(),
            checkpoint: Checkpoint { state, ..checkpoint },
            head,
        })
    }

    /// Opens a checkpoint, or a run's model at alpha = 1. `base` is the one a run must have been tuned from; without it
    /// the run's own is taken.
    fn open(
        model: &ModelRef,
        base: Option<&Checkpoint>,
        args: &EnsembleArgs,
        session: &Session,
    ) -> anyhow::Result<Self> {
        let run = match model {
            ModelRef::Path(path) if model::is_run(path) => path,
            _ => return Self::plain(model, args),
        };
        let name = model.to_string();
        let opened = model::open_run(run)?;
        let own = base.is_none().then(|| model::base_of(&opened)).transpose()?;
        let base = base.or(own.as_ref()).context("a run has a base")?;
        let RunModel { model, head, .. } = model::of_run(run, base, Some(Alpha::ONE), &session.device()?)?;
        let checkpoint = model.checkpoint()?;
        // Frees memory for the next model.
        let state = checkpoint.state.spooled(spool(&args.out)?)?;
        let stored = base.state.clone();
        Ok(Self { name, checkpoint: Checkpoint { state, ..checkpoint }, stored, head })
    }
}

/// The file that computed tensors wait in, beside the result.
fn spool(out: &Path) -> anyhow::Result<Spool> {
    let folder = folder_of(out);
    output::make_dir(folder)?;
    Ok(Spool::new(folder)?)
}

/// Models to mix, with their classifiers.
struct Mix<'a> {
    base: Option<&'a Ingredient>,
    tuned: &'a [&'a Ingredient],
    session: &'a Session,
}

impl Mix<'_> {
    fn all(&self) -> Vec<&Ingredient> {
        self.base.into_iter().chain(self.tuned.iter().copied()).collect()
    }

    /// Passes the tensors of all models to `mix`, the base's first, and returns the result with its classifier.
    fn compute(
        &self,
        mix: impl FnOnce(&[Member<'_>]) -> anyhow::Result<StateDict>,
    ) -> anyhow::Result<(Checkpoint, Option<Head>)> {
        let all = self.all();
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
        self.base.into_iter().chain(self.tuned.iter().copied()).filter_map(|one| one.head.as_ref())
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
    fn write(
        &self,
        (checkpoint, head): (Checkpoint, Option<Head>),
        args: &EnsembleArgs,
        what: &str,
    ) -> anyhow::Result<()> {
        let out = &args.out;
        let (format, dtype) = Export { checkpoint, base: self.stored(), head }.write(out, args.export)?;
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

/// The runs, if all models are runs with adapters.
fn adapter_runs(models: &[ModelRef]) -> anyhow::Result<Option<Vec<FineTunedRun>>> {
    let paths: Option<Vec<&PathBuf>> = models
        .iter()
        .map(|model| match model {
            ModelRef::Path(path) if model::is_run(path) => Some(path),
            _ => None,
        })
        .collect();
    let Some(paths) = paths else { return Ok(None) };
    let open = |path: &&PathBuf| FineTunedRun::open(METHODS, path.as_path());
    let runs = paths.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    if !runs.iter().all(|run| run.method().is_scaled()) {
        return Ok(None);
    }
    runs.iter().try_for_each(model::warn_if_unfinished)?;
    Ok(Some(runs))
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
        run.check_has_model()?;
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

    /// The folder, from the root where that is possible.
    fn path(&self) -> String {
        let path = self.run.files().dir().path();
        path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string()
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
        let mut record = first.run.files().record().clone();
        record.soup = members.iter().map(|member| member.path()).collect();
        // There is no best validation among its files.
        record.settings.insert("keep".to_owned(), "last".into());
        describe(&mean, &mut record.settings)?;
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

/// Sets the settings of a run that its adapters have: the rank, and the scale where it is fixed.
fn describe(adapters: &AdapterFile, settings: &mut toml::Table) -> anyhow::Result<()> {
    let Some((_, adapter)) = adapters.adapters.iter().next() else { return Ok(()) };
    let mut train: TrainSettings = radapter_settings::schema::part(settings)?;
    train.adapter.rank = match &adapter.map {
        MapWeights::Full(_) => Rank::Full,
        MapWeights::Low { down, .. } => Rank::Low(down.shape()[0]),
    };
    if let Scale::Fixed(scale) = &mut train.adapter.scale {
        *scale = adapter.scale.unwrap_or(1.0);
    }
    settings.insert("adapter".to_owned(), toml::Value::try_from(&train.adapter)?);
    Ok(())
}
