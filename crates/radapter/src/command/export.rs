//! Models that the command writes: a plain CLIP, with its classifier beside it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use burn::tensor::Device;
use radapter_adapter::{AdapterSet, Alphas};
use radapter_classification::head::Head;
use radapter_clip::checkpoint::{Checkpoint, Format, SaveOptions};
use radapter_clip::model::Precision;
use radapter_clip::state_dict::{StateDict, StoredDtype};
use radapter_files::Disk;
use radapter_onnx::{OnnxOptions, write_folder};
use radapter_training::finetuned::{FineTunedRun, TunedModel};
use radapter_training::method::Output;

use super::args::{ArchArg, ModelRef, StoredArgs};
use super::model::{self, RunModel};
use super::output;

/// The model to write, with what decides its form.
pub(crate) struct Export {
    /// The tensors; those that were computed are in f32.
    pub(crate) checkpoint: Checkpoint,
    /// The base's tensors, whose dtypes are the default.
    pub(crate) base: StateDict,
    pub(crate) head: Option<Head>,
    /// A file to write beside it: its name, and what it copies.
    pub(crate) beside: Option<(String, PathBuf)>,
}

impl Export {
    /// The model of a run at these α, or at its own, and the α that it has.
    pub(crate) fn of_run(
        run: &FineTunedRun,
        base: Checkpoint,
        alphas: Option<Alphas>,
        device: &Device,
    ) -> anyhow::Result<(Self, Alphas)> {
        let RunModel { model, head, alphas } =
            model::of_run(run.files().dir().path(), &base, alphas, device, Precision::F32)?;
        let (method, state) = (run.method(), base.state.clone());
        // Learned prompts are in the classifier, and in their own file; the model is the base.
        if method.output() == Output::HeadOnly
            && let TunedModel::Runtime(_) = model
        {
            let head = head.map(|head| head.with_weights(head.weights().clone())).transpose()?;
            let beside = Some((format!("{}.safetensors", method.stem()), run.files().evaluated(method.stem())));
            return Ok((Self { checkpoint: base, base: state, head, beside }, alphas));
        }
        Ok((Self { checkpoint: model.checkpoint()?, base: state, head, beside: None }, alphas))
    }

    /// A model that is no run, with the classifier that an export of a run has beside it.
    pub(crate) fn of_model(model: &ModelRef, arch: &ArchArg) -> anyhow::Result<Self> {
        let checkpoint = model::checkpoint(model, arch)?;
        let base = checkpoint.state.clone();
        Ok(Self { checkpoint, base, head: model::head_of(model)?, beside: None })
    }

    /// Writes a new directory with a checkpoint. Returns format and dtype.
    pub(crate) fn write(self, out: &Path, args: StoredArgs) -> anyhow::Result<(Format, StoredDtype)> {
        let Self { checkpoint, base, head, beside } = self;
        let options = SaveOptions::new(args.format.unwrap_or(checkpoint.format));
        let (checkpoint, options) = match args.dtype {
            Some(dtype) => (checkpoint, options.with_dtype(dtype)),
            None => {
                let state = checkpoint.state.cast_like(&base).context(
                    "the result does not fit the dtype of the models; choose another, as with `--dtype f32`",
                )?;
                (Checkpoint { dtype: state.main_dtype(), state, ..checkpoint }, options)
            }
        };
        output::write_dir(out, |dir| {
            checkpoint.save(dir, &options)?;
            if let Some((name, from)) = &beside {
                let bytes = std::fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
                output::write_file(&dir.join(name), &bytes)?;
            }
            match &head {
                Some(head) => Ok(head.save(dir)?),
                None => Ok(()),
            }
        })?;
        Ok((options.format, options.dtype.unwrap_or(checkpoint.dtype)))
    }

    /// Writes a new directory with ONNX models, in whose graphs `adapters` stay. Returns the names of the models' files.
    pub(crate) fn write_onnx(
        self,
        out: &Path,
        adapters: Option<&AdapterSet>,
        options: &OnnxOptions,
    ) -> anyhow::Result<Vec<String>> {
        let mut files = Vec::new();
        output::write_dir(out, |dir| {
            files = write_folder(&self.checkpoint, adapters, options, &Disk, dir)?;
            match &self.head {
                Some(head) => Ok(head.save(dir)?),
                None => Ok(()),
            }
        })?;
        Ok(files)
    }
}
