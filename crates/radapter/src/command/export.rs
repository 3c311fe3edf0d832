//! Checkpoints that the command writes: a plain CLIP, with its classifier beside it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use radapter_classification::head::Head;
use radapter_clip::checkpoint::{Checkpoint, Format, SaveOptions};
use radapter_clip::state_dict::{StateDict, StoredDtype};

use super::args::ExportArgs;
use super::output;

/// The checkpoint to write, with what decides its form.
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
    /// Writes a new directory. Returns format and dtype.
    pub(crate) fn write(self, out: &Path, args: ExportArgs) -> anyhow::Result<(Format, StoredDtype)> {
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
}
