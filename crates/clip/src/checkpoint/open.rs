//! Detecting the form of a checkpoint, and reading it.

use std::path::{Path, PathBuf};

use radapter_files::io_error;

use super::stored_tensor::TensorFile;
use super::{Checkpoint, CheckpointError, Format, mismatch, names_hf, text_file, tokenizer_check, weights_file};
use crate::config::{Activation, ClipConfig, ConfigError, is_ignored_buffer};
use crate::state_dict::{StateDict, TensorError};

pub(super) const OPEN_CLIP_CONFIG: &str = "open_clip_config.json";
pub(super) const OPEN_CLIP_WEIGHTS: &[&str] =
    &["open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin"];
/// The config of a Hugging Face directory.
pub const HUGGING_FACE_CONFIG: &str = "config.json";
pub(super) const HUGGING_FACE_PREPROCESSOR: &str = "preprocessor_config.json";
/// The config that peft writes beside the adapters of a model.
pub(super) const PEFT_CONFIG: &str = "adapter_config.json";
/// The file in which transformers keeps the preprocessing since version 5; preferred to the other file.
pub(super) const HUGGING_FACE_PROCESSOR: &str = "processor_config.json";
pub(super) const HUGGING_FACE_WEIGHTS: &[&str] =
    &["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"];

pub(super) fn open(path: &Path, architecture: Option<&ClipConfig>) -> Result<Checkpoint, CheckpointError> {
    let kind = std::fs::metadata(path).map_err(io_error("open", path))?;
    if !kind.is_dir() {
        let Some(config) = architecture else {
            // Reports first that a file is not a checkpoint, or is a program.
            drop(open_weights(path)?);
            return Err(CheckpointError::NeedsArchitecture { path: path.to_owned() });
        };
        return read(config.clone(), path, None);
    }
    let (format, config_file) = if path.join(OPEN_CLIP_CONFIG).is_file() {
        (Format::OpenClip, path.join(OPEN_CLIP_CONFIG))
    } else if path.join(HUGGING_FACE_CONFIG).is_file() {
        (Format::HuggingFace, path.join(HUGGING_FACE_CONFIG))
    } else {
        let Some(config) = architecture else {
            return Err(unless_peft(path, CheckpointError::NoConfig { path: path.to_owned() }));
        };
        return read(config.clone(), &find(path, &[OPEN_CLIP_WEIGHTS, HUGGING_FACE_WEIGHTS].concat())?, None);
    };
    let config = read_config(format, &config_file)?;
    if architecture.is_some_and(|given| *given != config) {
        return Err(CheckpointError::ArchitectureConflict { path: config_file });
    }
    let weights = match format {
        Format::OpenClip => find(path, OPEN_CLIP_WEIGHTS)?,
        Format::HuggingFace => {
            tokenizer_check::check(path)?;
            find(path, HUGGING_FACE_WEIGHTS)?
        }
    };
    read(config, &weights, Some(format))
}

fn read_config(format: Format, path: &Path) -> Result<ClipConfig, CheckpointError> {
    let json = text_file::read(path)?;
    match format {
        Format::OpenClip => ClipConfig::from_open_clip_json(&json).map_err(CheckpointError::config(path)),
        Format::HuggingFace => {
            // First without the preprocessor, so that an error names the file it is in.
            let config = ClipConfig::from_hugging_face_json(&json, None).map_err(CheckpointError::config(path))?;
            for name in [HUGGING_FACE_PROCESSOR, HUGGING_FACE_PREPROCESSOR] {
                let file = path.with_file_name(name);
                if !file.is_file() {
                    continue;
                }
                let preprocessor = text_file::read(&file)?;
                // The newer file may describe the tokenizer alone.
                if name == HUGGING_FACE_PREPROCESSOR || preprocessor.contains("\"image_processor\"") {
                    return ClipConfig::from_hugging_face_json(&json, Some(&preprocessor))
                        .map_err(CheckpointError::config(&file));
                }
            }
            Ok(config)
        }
    }
}

/// Returns the architecture that `name_or_file` names: a [preset](ClipConfig::preset), or a JSON file in OpenCLIP's
/// form (with or without `model_cfg`) or transformers'.
///
/// # Errors
/// [`CheckpointError::Config`] for a name that is neither a file nor a preset, and for a file whose config cannot be
/// built; [`CheckpointError::Io`] for a file that cannot be read.
pub fn architecture(name_or_file: &str) -> Result<ClipConfig, CheckpointError> {
    let path = Path::new(name_or_file);
    if !path.is_file() {
        return ClipConfig::preset(name_or_file).map_err(CheckpointError::config(path));
    }
    let text = text_file::read(path)?;
    let has = |key: &str| match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(json) => json.get(key).is_some_and(|value| !value.is_null()),
        Err(_) => false,
    };
    let config: Result<ClipConfig, ConfigError> = match has("text_config") || has("vision_config") {
        true => ClipConfig::from_hugging_face_json(&text, None),
        false => ClipConfig::from_open_clip_json(&text),
    };
    config.map_err(CheckpointError::config(path))
}

/// The first of these files that the directory has.
fn find(directory: &Path, names: &[&str]) -> Result<PathBuf, CheckpointError> {
    names.iter().map(|name| directory.join(name)).find(|path| path.is_file()).ok_or_else(|| {
        let error = CheckpointError::NoWeights { path: directory.to_owned(), looked_for: names.join(", ") };
        unless_peft(directory, error)
    })
}

/// The error of a directory that lacks a file, which is clearer where it holds adapters of peft.
fn unless_peft(directory: &Path, error: CheckpointError) -> CheckpointError {
    match directory.join(PEFT_CONFIG).is_file() {
        true => CheckpointError::Peft { path: directory.to_owned() },
        false => error,
    }
}

/// Reads weights under a config, named as in the directory's format, else as the names themselves show.
fn read(config: ClipConfig, path: &Path, format: Option<Format>) -> Result<Checkpoint, CheckpointError> {
    config.validate().map_err(CheckpointError::config(path))?;
    let mut file = without_prefixes(open_weights(path)?);
    let buffers = file.len();
    file.retain(|name, _| !is_ignored_buffer(name));
    let has_open_ai_buffers = buffers != file.len() && file.contains_key("visual.proj");
    if has_open_ai_buffers && config.activation == Activation::Gelu {
        tracing::warn!(
            path = %path.display(),
            "the file looks like one of OpenAI's, which were trained with QuickGELU, but the architecture says GELU"
        );
    }
    let format = format.unwrap_or(match file.keys().any(|name| names_hf::is_hugging_face(name)) {
        true => Format::HuggingFace,
        false => Format::OpenClip,
    });
    let stored = match format {
        Format::OpenClip => as_stored(&config, &mut file),
        Format::HuggingFace => config.clone(),
    };
    let names = stored.expected_tensors();
    let expected = match format {
        Format::OpenClip => names.clone(),
        Format::HuggingFace => names_hf::expected_tensors(names.clone()),
    };
    mismatch::compare(expected, file.iter().map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice())))
        .map_err(|mismatch| CheckpointError::Mismatch { path: path.to_owned(), mismatch })?;

    let mut state = StateDict::new();
    for (name, tensor) in file {
        let tensor = tensor.read(path, &name)?;
        tensor.check_finite().map_err(|error| CheckpointError::tensor(path)(error.named(&name)))?;
        state.insert(name, tensor);
    }
    if format == Format::HuggingFace {
        state = names_hf::to_open_clip(names.iter().map(|(name, _)| name.as_str()), state)
            .map_err(|error: TensorError| CheckpointError::tensor(path)(error))?;
    }
    let dtype = state.main_dtype();
    tracing::debug!("read {} tensors of {dtype} from {} ({format} format)", state.len(), path.display());
    let mut checkpoint = Checkpoint { config: stored, state, dtype, format };
    if checkpoint.config.vision.image_size != config.vision.image_size {
        let (from, to) = (checkpoint.config.vision.image_size, config.vision.image_size);
        tracing::warn!(path = %path.display(), "resizing position embeddings from images of {from} pixels to {to}");
        checkpoint = checkpoint.with_image_size(to)?;
    }
    if checkpoint.config.text.context_length != config.text.context_length {
        let (from, to) = (checkpoint.config.text.context_length, config.text.context_length);
        tracing::warn!(path = %path.display(), "resizing position embeddings from texts of {from} tokens to {to}");
        checkpoint = checkpoint.with_context_length(to)?;
    }
    Ok(checkpoint)
}

/// Opens a file of weights that are not adapters of peft, which names all tensors as those of a wrapped model.
fn open_weights(path: &Path) -> Result<TensorFile, CheckpointError> {
    let file = weights_file::open(path)?;
    match !file.is_empty() && file.keys().all(|name| name.starts_with("base_model.model.")) {
        true => Err(CheckpointError::Peft { path: path.to_owned() }),
        false => Ok(file),
    }
}

/// Removes the prefixes that wrappers put before every name.
fn without_prefixes(mut file: TensorFile) -> TensorFile {
    while let Some(prefix) = ["module.", "_orig_mod."]
        .into_iter()
        .find(|prefix| !file.is_empty() && file.keys().all(|name| name.starts_with(prefix)))
    {
        file = file.into_iter().map(|(name, tensor)| (name[prefix.len()..].to_owned(), tensor)).collect();
    }
    file
}

/// The config of the stored tensors, which differs from `config` where open_clip would resize position embeddings.
/// Removes the axis of a `logit_scale` with one, which open_clip accepts too.
fn as_stored(config: &ClipConfig, file: &mut TensorFile) -> ClipConfig {
    let mut stored = config.clone();
    if let Some([tokens, width]) = file.get("visual.positional_embedding").map(|tensor| tensor.shape.as_slice())
        && *width == config.vision.width
    {
        let grid = tokens.saturating_sub(1).isqrt();
        if grid > 0 && grid.checked_mul(grid) == tokens.checked_sub(1) {
            stored.vision.image_size = grid.saturating_mul(config.vision.patch_size);
        }
    }
    if let Some([length, width]) = file.get("positional_embedding").map(|tensor| tensor.shape.as_slice())
        && *width == config.text.width
        && *length > 0
    {
        stored.text.context_length = *length;
    }
    if let Some(scale) = file.get_mut("logit_scale").filter(|tensor| tensor.shape == [1]) {
        scale.shape.clear();
    }
    stored
}
