//! Writing a checkpoint's directory.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use radapter_files::{IoError, Storage};

use super::open::{HUGGING_FACE_CONFIG, HUGGING_FACE_PREPROCESSOR, OPEN_CLIP_CONFIG};
use super::{Checkpoint, CheckpointError, Format, mismatch, names_hf, safetensors_file, tokenizer_files};
use crate::config::{ClipConfig, ConfigError};
use crate::state_dict::{StateDict, StoredDtype};

/// How a checkpoint is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaveOptions {
    /// Names, layouts and files.
    pub format: Format,
    /// The dtype of every tensor; `None` keeps each tensor's own.
    pub dtype: Option<StoredDtype>,
    /// Whether a directory that is not empty is replaced.
    pub overwrite: bool,
}

impl SaveOptions {
    /// Keeps each tensor's dtype and replaces nothing.
    pub fn new(format: Format) -> Self {
        Self { format, dtype: None, overwrite: false }
    }

    /// Stores every tensor in this dtype.
    pub fn with_dtype(self, dtype: StoredDtype) -> Self {
        Self { dtype: Some(dtype), ..self }
    }

    /// Whether a directory that is not empty is replaced.
    pub fn with_overwrite(self, overwrite: bool) -> Self {
        Self { overwrite, ..self }
    }
}

pub(super) fn save(
    checkpoint: &Checkpoint,
    dir: &Path,
    options: &SaveOptions,
    storage: &dyn Storage,
) -> Result<(), CheckpointError> {
    let config = &checkpoint.config;
    config.validate().map_err(CheckpointError::config(dir))?;
    mismatch::compare(config.expected_tensors(), checkpoint.state.iter().map(|(name, tensor)| (name, tensor.shape())))
        .map_err(|mismatch| CheckpointError::Mismatch { path: dir.to_owned(), mismatch })?;
    checkpoint.state.check_finite().map_err(CheckpointError::tensor(dir))?;
    let state = match options.dtype {
        Some(dtype) => checkpoint.state.cast(dtype).map_err(CheckpointError::tensor(dir))?,
        None => checkpoint.state.clone(),
    };
    radapter_files::write_dir(storage, dir, options.overwrite, |temporary| {
        let files = Files { dir: temporary, target: dir, storage };
        match options.format {
            Format::OpenClip => {
                files.write_text(OPEN_CLIP_CONFIG, &config.to_open_clip_json())?;
                files.write_tensors("open_clip_model.safetensors", &state)
            }
            Format::HuggingFace => {
                let tensors = names_hf::from_open_clip(&state).map_err(CheckpointError::tensor(dir))?;
                let texts = hugging_face_files(config, widest_dtype(&state)).map_err(CheckpointError::config(dir))?;
                for (name, text) in texts {
                    files.write_text(name, &text)?;
                }
                files.write_tensors("model.safetensors", &tensors)
            }
        }
    })
}

/// Returns names and contents of the files that transformers reads beside a model's weights: `config.json`,
/// `preprocessor_config.json` and the tokenizer's. `dtype` is that of the weights.
///
/// # Errors
/// [`ConfigError::Unsupported`] for preprocessing that transformers' processor does not have.
pub fn hugging_face_files(config: &ClipConfig, dtype: StoredDtype) -> Result<Vec<(&'static str, String)>, ConfigError> {
    let preprocessor = config.to_hugging_face_preprocessor_json()?;
    let mut files =
        vec![(HUGGING_FACE_CONFIG, config.to_hugging_face_json(dtype)), (HUGGING_FACE_PREPROCESSOR, preprocessor)];
    files.extend(tokenizer_files::contents(config.text.context_length));
    Ok(files)
}

/// The narrowest dtype that holds all tensors exactly, for a library that uses a single one.
fn widest_dtype(state: &StateDict) -> StoredDtype {
    let mut dtypes = state.iter().map(|(_, tensor)| tensor.dtype());
    match dtypes.next() {
        Some(first) if dtypes.all(|dtype| dtype == first) => first,
        _ => StoredDtype::F32,
    }
}

struct Files<'a> {
    dir: &'a Path,
    /// The directory's final name, for errors.
    target: &'a Path,
    storage: &'a dyn Storage,
}

impl Files<'_> {
    fn write_text(&self, name: &str, text: &str) -> Result<(), CheckpointError> {
        self.write(name, |out| out.write_all(text.as_bytes()))
    }

    fn write_tensors(&self, name: &str, tensors: &StateDict) -> Result<(), CheckpointError> {
        // transformers requires this key.
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        self.write(name, |mut out| safetensors_file::write_safetensors(&mut out, tensors, &metadata))
    }

    fn write(&self, name: &str, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CheckpointError> {
        radapter_files::write_synced(self.storage, &self.dir.join(name), content)
            .map_err(|error| IoError { path: self.target.join(name), ..error }.into())
    }
}

#[cfg(test)]
mod tests {
    use radapter_files::Disk;
    use radapter_files::faults::FullAt;

    use super::*;
    use crate::state_dict::RawTensor;

    fn checkpoint() -> Checkpoint {
        let Ok(mut config) = ClipConfig::preset("ViT-B-32") else { panic!("a preset") };
        (config.embed_dim, config.vision.image_size, config.vision.patch_size) = (2, 2, 2);
        (config.vision.width, config.vision.layers, config.vision.heads, config.vision.mlp_width) = (2, 1, 1, 2);
        (config.text.width, config.text.layers, config.text.heads, config.text.mlp_width) = (2, 1, 1, 2);
        let zeros = |(name, shape): (String, Vec<usize>)| {
            let count = shape.iter().product();
            (name, RawTensor::from_f32(shape, vec![0.0; count]))
        };
        let state = config.expected_tensors().into_iter().map(zeros).collect();
        Checkpoint::new(config, state, Format::OpenClip, "test").expect("the tensors are the config's")
    }

    fn save_on(storage: &dyn Storage, dir: &Path, format: Format) -> Result<(), CheckpointError> {
        save(&checkpoint(), dir, &SaveOptions::new(format).with_overwrite(true), storage)
    }

    fn entries(folder: &Path) -> Vec<String> {
        let name =
            |entry: io::Result<std::fs::DirEntry>| entry.map(|entry| entry.file_name().to_string_lossy().into_owned());
        std::fs::read_dir(folder).and_then(|entries| entries.map(name).collect()).expect("the folder can be listed")
    }

    /// Every operation of writing a checkpoint fails, first entirely, then one byte inside it; `check` is called after each.
    fn fill_up(dir: &Path, format: Format, check: &dyn Fn()) {
        for full in [FullAt::operation, FullAt::inside] {
            let mut number = 0;
            while let Err(error) = save_on(&full(number), dir, format) {
                let CheckpointError::Io(IoError { path, error: system, .. }) = &error else { panic!("{error}") };
                assert_eq!(system.kind(), io::ErrorKind::StorageFull);
                assert!(path.starts_with(dir), "its final name: {error}");
                // Once the directory has its name, only the sync of its parent is left to fail.
                match Checkpoint::open(dir, None) {
                    Ok(_) => std::fs::remove_dir_all(dir).expect("it is there"),
                    Err(_) => check(),
                }
                number += 1;
            }
            assert!(number > 20, "{number}");
            std::fs::remove_dir_all(dir).expect("it was saved");
        }
    }

    #[test]
    fn a_disk_that_fills_at_any_operation_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for format in [Format::OpenClip, Format::HuggingFace] {
            fill_up(&folder.path().join("model"), format, &|| assert!(entries(folder.path()).is_empty(), "{format}"));
        }
    }

    #[test]
    fn a_disk_that_fills_keeps_what_was_to_be_replaced() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dir = folder.path().join("model");
        let mut number = 0;
        loop {
            checkpoint().save(&dir, &SaveOptions::new(Format::OpenClip).with_overwrite(true)).expect("there is room");
            if save_on(&FullAt::inside(number), &dir, Format::HuggingFace).is_ok() {
                break;
            }
            let kept = Checkpoint::open(&dir, None).expect("a complete checkpoint");
            assert_eq!(kept.state, checkpoint().state, "{number}");
            number += 1;
        }
        assert!(number > 20, "{number}");
    }

    #[test]
    fn a_large_enough_disk_takes_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dir = folder.path().join("model");
        assert!(save_on(&Disk, &dir, Format::HuggingFace).is_ok());
        assert_eq!(entries(folder.path()), ["model"]);
    }
}
