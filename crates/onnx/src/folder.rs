//! The folder of an export: the models, and the files that transformers.js reads beside them.

use std::path::Path;

use radapter_adapter::AdapterSet;
use radapter_clip::checkpoint::{Checkpoint, HUGGING_FACE_CONFIG, hugging_face_files};
use radapter_files::{Storage, create_dir, io_error, write_synced};
use serde_json::{Map, Value, json};

use crate::{OnnxError, OnnxOptions, models};

/// Subfolder of the models.
pub const MODELS: &str = "onnx";

/// Fills an existing folder with a model that transformers.js loads: the models of [`models`] in `onnx/`, Hugging Face's
/// `config.json` and `preprocessor_config.json`, and the tokenizer's files. Returns the names of the models' files.
///
/// `config.json` names the type of the weights for transformers.js, whose default is another in browsers.
///
/// # Errors
/// Those of [`models`], [`OnnxError::Config`] for preprocessing that transformers' processor does not have, and [`OnnxError::Io`].
pub fn write_folder(
    checkpoint: &Checkpoint,
    adapters: Option<&AdapterSet>,
    options: &OnnxOptions,
    storage: &dyn Storage,
    folder: &Path,
) -> Result<Vec<String>, OnnxError> {
    let models = models(checkpoint, adapters, options)?;
    let texts = hugging_face_files(&checkpoint.config, options.dtype.stored())?;
    let mut names = Vec::new();
    let mut external = Map::new();
    let subfolder = folder.join(MODELS);
    create_dir(&subfolder)?;
    for model in &models {
        model.write(storage, &subfolder)?;
        names.push(format!("{MODELS}/{}", model.name()));
        if let Some(data) = model.data_name() {
            names.push(format!("{MODELS}/{data}"));
            external.insert(model.name().to_owned(), json!(1));
        }
    }
    storage.sync_folder(&subfolder).map_err(io_error("sync", &subfolder))?;
    let mut loading = Map::from_iter([("dtype".to_owned(), json!(options.dtype.name()))]);
    if !external.is_empty() {
        loading.insert("use_external_data_format".to_owned(), Value::Object(external));
    }
    for (name, mut text) in texts {
        if name == HUGGING_FACE_CONFIG {
            text = with_loading(&text, loading.clone());
        }
        write_synced(storage, &folder.join(name), |out| out.write_all(text.as_bytes()))?;
    }
    Ok(names)
}

/// A `config.json` that says how transformers.js loads the model.
fn with_loading(config: &str, loading: Map<String, Value>) -> String {
    let mut config: Map<String, Value> = serde_json::from_str(config).expect("this program has written an object");
    config.insert("transformers.js_config".to_owned(), Value::Object(loading));
    format!("{:#}\n", Value::Object(config))
}
