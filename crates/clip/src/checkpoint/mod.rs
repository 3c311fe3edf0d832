//! Checkpoints: reading them from every form they are published in, and writing OpenCLIP's and Hugging Face's.
//!
//! Whatever the form, a [`Checkpoint`] is a config and tensors under OpenCLIP's names in the stored dtype. Reading is
//! strict: every tensor of the config is present in its shape, no other is (except [known
//! buffers](crate::config::is_ignored_buffer)), and all values are finite. Nothing in a file is executed: pickles are
//! parsed, not run.
//!
//! A directory is written under another name beside the target, synced and renamed, so that it appears whole or not at
//! all.

mod archive;
mod error;
#[cfg(feature = "hub")]
pub mod hub;
mod mismatch;
mod names_hf;
mod open;
mod positions;
mod safetensors_file;
mod stored_tensor;
mod text_file;
mod tokenizer_check;
mod tokenizer_files;
mod weights_file;
mod write;

use std::path::Path;

use crate::config::{ClipConfig, is_ignored_buffer};
use crate::state_dict::{StateDict, StoredDtype};

pub use error::CheckpointError;
pub use mismatch::Mismatch;
pub use open::{HUGGING_FACE_CONFIG, architecture};
pub use safetensors_file::{
    SafetensorsFile, read_safetensors, read_safetensors_bytes, write_safetensors, write_safetensors_file,
};
pub use write::{SaveOptions, hugging_face_files};

/// The two ways of naming and laying out a CLIP's tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// OpenCLIP: `open_clip_config.json` and `open_clip_model.safetensors`.
    OpenClip,
    /// Hugging Face transformers: `config.json`, `model.safetensors`, preprocessor and tokenizer files.
    HuggingFace,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::OpenClip => "open-clip",
            Self::HuggingFace => "hf",
        })
    }
}

/// A CLIP as stored: config and tensors.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Sizes, activation, preprocessing.
    pub config: ClipConfig,
    /// The tensors under OpenCLIP's names, as stored.
    pub state: StateDict,
    /// The dtype that holds most of the values. OpenAI's files mix f16 and f32; `state` keeps each tensor's own.
    pub dtype: StoredDtype,
    /// The form it was read from.
    pub format: Format,
}

impl Checkpoint {
    /// Creates a checkpoint from its tensors.
    ///
    /// # Errors
    /// [`CheckpointError`] if the config is invalid, the tensors are not exactly the config's, or a value is not
    /// finite. Errors name `origin`, which need not be a path that exists.
    pub fn new(
        config: ClipConfig,
        state: StateDict,
        format: Format,
        origin: impl AsRef<Path>,
    ) -> Result<Self, CheckpointError> {
        let origin = origin.as_ref();
        config.validate().map_err(CheckpointError::config(origin))?;
        let found = state.iter().map(|(name, tensor)| (name, tensor.shape()));
        mismatch::compare(config.expected_tensors(), found)
            .map_err(|mismatch| CheckpointError::Mismatch { path: origin.to_owned(), mismatch })?;
        state.check_finite().map_err(CheckpointError::tensor(origin))?;
        let dtype = state.main_dtype();
        Ok(Self { config, state, dtype, format })
    }

    /// Returns the checkpoint's own softmax temperature: exp(−logit_scale).
    pub fn temperature(&self) -> f64 {
        let scale = self.state.get("logit_scale").and_then(|scale| scale.to_f32().first().copied());
        // Strict reading has checked that the scale exists and has one value.
        (-f64::from(scale.unwrap_or_default())).exp()
    }

    /// Reads a checkpoint from a directory (OpenCLIP's or Hugging Face's) or from one file of weights with `architecture`.
    ///
    /// * An OpenCLIP directory: `open_clip_config.json`, and `open_clip_model.safetensors` or
    ///   `open_clip_pytorch_model.bin`.
    /// * A Hugging Face directory: `config.json`, and `model.safetensors`, or its shards with
    ///   `model.safetensors.index.json`, or `pytorch_model.bin`; `preprocessor_config.json` where there is one. The files
    ///   of its tokenizer, where there are any, must be CLIP's.
    /// * A file: safetensors or `torch.save`d, a state dict under OpenCLIP's or transformers' names, or a training
    ///   checkpoint with the state dict under `state_dict`; prefixes `module.` and `_orig_mod.` are removed.
    ///
    /// Under OpenCLIP's names, position embeddings of another length are resized to the config's, as open_clip does, with
    /// a warning; transformers' are refused, as transformers does.
    ///
    /// Values are f32, f16 or bf16; doubles are refused rather than rounded.
    ///
    /// # Errors
    /// [`CheckpointError`], which names the file and key, what was expected and found, and what to do.
    pub fn open(path: impl AsRef<Path>, architecture: Option<&ClipConfig>) -> Result<Self, CheckpointError> {
        open::open(path.as_ref(), architecture)
    }

    /// Reads OpenCLIP's tensors from a safetensors file in memory, such as one compiled into the program.
    ///
    /// # Errors
    /// As [`Checkpoint::open`]; errors name `origin`.
    pub fn from_safetensors(
        config: ClipConfig,
        bytes: Vec<u8>,
        origin: impl AsRef<Path>,
    ) -> Result<Self, CheckpointError> {
        let origin = origin.as_ref();
        let mut state = read_safetensors_bytes(bytes, origin)?.tensors;
        let buffers: Vec<String> =
            state.iter().map(|(name, _)| name).filter(|name| is_ignored_buffer(name)).map(str::to_owned).collect();
        buffers.iter().for_each(|name| drop(state.remove(name)));
        Self::new(config, state, Format::OpenClip, origin)
    }

    /// Writes a directory that open_clip or transformers loads.
    ///
    /// # Errors
    /// [`CheckpointError::Exists`] for a directory that is not empty (unless it may be replaced),
    /// [`CheckpointError::Tensor`] for values that do not fit the dtype asked for, [`CheckpointError::Config`] for a
    /// config that the format cannot express, and [`CheckpointError::Io`]. After an error nothing is left behind.
    pub fn save(&self, dir: impl AsRef<Path>, options: &SaveOptions) -> Result<(), CheckpointError> {
        write::save(self, dir.as_ref(), options, &radapter_files::Disk)
    }

    /// Adapts the model to images of another size: the position embeddings are resized, bicubic and antialiased, as
    /// open_clip does.
    ///
    /// # Errors
    /// [`CheckpointError::Config`] if the patch size does not divide the new size.
    pub fn with_image_size(mut self, image_size: usize) -> Result<Self, CheckpointError> {
        self.config.vision.image_size = image_size;
        self.config.validate().map_err(CheckpointError::config(Path::new("image size")))?;
        positions::resize_image_positions(&mut self.state, self.config.vision.grid())?;
        Ok(self)
    }

    /// Adapts the model to texts of another length: the position embeddings are resized linearly, as open_clip does.
    ///
    /// # Errors
    /// [`CheckpointError::Config`] if no text could have that length.
    pub fn with_context_length(mut self, context_length: usize) -> Result<Self, CheckpointError> {
        self.config.text.context_length = context_length;
        self.config.validate().map_err(CheckpointError::config(Path::new("context length")))?;
        positions::resize_text_positions(&mut self.state, context_length)?;
        Ok(self)
    }
}
