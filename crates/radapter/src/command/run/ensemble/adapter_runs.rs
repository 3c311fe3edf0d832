//! Runs with adapters, whose soup is a run again.

use std::path::{Path, PathBuf};

use anyhow::Context;
use radapter_adapter::{AdapterFile, MapWeights, Rank, Scale};
use radapter_classification::head::CLASSES_FILE;
use radapter_clip::checkpoint::{read_safetensors, write_safetensors_file};
use radapter_clip::state_dict::{RawTensor, Spool, StateDict};
use radapter_ensemble::{Member, soup_of_adapters};
use radapter_methods::METHODS;
use radapter_training::RunRecord;
use radapter_training::finetuned::FineTunedRun;
use radapter_training::state::HEAD;

use crate::command::args::ModelRef;
use crate::command::{model, output};

/// The runs, if all models are runs with adapters.
pub(super) fn adapter_runs(models: &[ModelRef]) -> anyhow::Result<Option<Vec<FineTunedRun>>> {
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
    runs.iter().try_for_each(model::warn_of_state)?;
    Ok(Some(runs))
}

/// A run with adapters, read for a soup.
pub(super) struct AdapterRun<'a> {
    run: &'a FineTunedRun,
    name: String,
    adapters: AdapterFile,
    /// The rows of the trained classifier.
    head: Option<RawTensor>,
    classes: Option<Vec<u8>>,
}

impl<'a> AdapterRun<'a> {
    pub(super) fn open(run: &'a FineTunedRun) -> anyhow::Result<Self> {
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
    pub(super) fn check_like(&self, first: &Self) -> anyhow::Result<()> {
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
    pub(super) fn write_mean(members: &[&Self], dir: &Path) -> anyhow::Result<()> {
        let first = members[0];
        let files: Vec<(&str, &AdapterFile)> =
            members.iter().map(|member| (member.name.as_str(), &member.adapters)).collect();
        let mean = soup_of_adapters(&files)?;
        let mut record = first.run.files().record().clone();
        record.soup = members.iter().map(|member| member.path()).collect();
        // There is no best validation among its files.
        record.settings.insert("keep".to_owned(), "last".into());
        describe(&mean, &mut record)?;
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
fn describe(adapters: &AdapterFile, record: &mut RunRecord) -> anyhow::Result<()> {
    let Some((_, adapter)) = adapters.adapters.iter().next() else { return Ok(()) };
    let mut train = record.train()?;
    train.adapter.rank = match &adapter.map {
        MapWeights::Full(_) => Rank::Full,
        MapWeights::Low { down, .. } => Rank::Low(down.shape()[0]),
    };
    if let Scale::Fixed(scale) = &mut train.adapter.scale {
        *scale = adapter.scale.unwrap_or(1.0);
    }
    record.settings.insert("adapter".to_owned(), toml::Value::try_from(&train.adapter)?);
    Ok(())
}
