//! Adapter files: a few megabytes that, together with the base model, make up the tuned model.
//!
//! A safetensors file with the keys `{visual|text}.{layer}.{attn|mlp}.{weight | down, up}` and optionally `.scale`,
//! matrices in torch's `(out, in)` layout: an adapter is `y + s·F y` with `F` = weight or up·down, down `[r, d]`, up
//! `[d, r]`, and `s` = 1 where there is no scale. The metadata name the format, the model that the adapters belong to
//! ([`StateDict::hash`](radapter_clip::state_dict::StateDict::hash)), and the settings they were trained with.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use radapter_clip::checkpoint::{
    SafetensorsFile, read_safetensors, read_safetensors_bytes, write_safetensors, write_safetensors_file,
};
use radapter_clip::config::ClipConfig;

use crate::{AdapterConfig, AdapterError, AdapterSet};

/// The value of the metadata key `format`.
pub const FORMAT: &str = "radapter-adapters-v1";

const FORMAT_KEY: &str = "format";
const BASE_KEY: &str = "base_sha256";
const CONFIG_KEY: &str = "config";

/// The content of an adapter file.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "names say what is not documented")]
pub struct AdapterFile {
    pub adapters: AdapterSet,
    /// Hash of the model they were trained on; `None` in files of other programs that do not record it.
    pub base: Option<String>,
    /// The settings they were trained with; `None` in files of other programs that do not record them.
    pub config: Option<AdapterConfig>,
}

/// Whether adapters belong to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseMatch {
    /// They were trained on it.
    Same,
    /// Their file does not record what they were trained on; their shapes fit.
    Unknown,
}

impl AdapterFile {
    /// Reads a file. Other formats, tensors that belong to no adapter, incomplete adapters and values that are not finite are
    /// errors.
    ///
    /// # Errors
    /// [`AdapterError`], naming the file and the tensor.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, AdapterError> {
        let path = path.as_ref();
        tracing::debug!("reading the adapters {}", path.display());
        Self::decode(&read_safetensors(path)?).map_err(|error| error.in_file(path))
    }

    /// Reads a file in memory; errors name `origin`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_bytes(bytes: Vec<u8>, origin: impl AsRef<Path>) -> Result<Self, AdapterError> {
        let origin = origin.as_ref();
        Self::decode(&read_safetensors_bytes(bytes, origin)?).map_err(|error| error.in_file(origin))
    }

    /// Writes a file: under a temporary name beside `path`, synced and renamed. The same content gives the same bytes.
    ///
    /// # Errors
    /// [`AdapterError::File`]; an existing file at `path` is unchanged, and nothing else is left behind.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), AdapterError> {
        write_safetensors_file(path, &self.adapters.to_tensors(), &self.metadata()).map_err(AdapterError::from)
    }

    /// Writes the file's bytes anywhere.
    ///
    /// # Errors
    /// The errors of `out`.
    pub fn write_to(&self, out: &mut impl Write) -> std::io::Result<()> {
        write_safetensors(out, &self.adapters.to_tensors(), &self.metadata())
    }

    /// Checks that the adapters belong to the model of this hash and these sizes. A file that does not record what it
    /// was trained on is accepted with a warning.
    ///
    /// # Errors
    /// [`AdapterError::OtherBase`] if they were trained on another model, [`AdapterError::NoSuchPlace`] and
    /// [`AdapterError::Shape`] if they do not fit this one.
    pub fn check_base(&self, hash: &str, clip: &ClipConfig) -> Result<BaseMatch, AdapterError> {
        if let Some(base) = self.base.as_ref().filter(|base| *base != hash) {
            return Err(AdapterError::OtherBase { expected: base.clone(), found: hash.to_owned() });
        }
        self.adapters.check_fits(clip)?;
        if self.base.is_some() {
            return Ok(BaseMatch::Same);
        }
        tracing::warn!(
            "the adapter file does not record which model it was trained on; it is accepted because the shapes fit"
        );
        Ok(BaseMatch::Unknown)
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        let mut metadata = BTreeMap::from([(FORMAT_KEY.to_owned(), FORMAT.to_owned())]);
        metadata.extend(self.base.clone().map(|base| (BASE_KEY.to_owned(), base)));
        metadata.extend(self.config.as_ref().map(|config| {
            let config = serde_json::to_string(config).expect("settings have no map with keys other than texts");
            (CONFIG_KEY.to_owned(), config)
        }));
        metadata
    }

    fn decode(file: &SafetensorsFile) -> Result<Self, AdapterError> {
        match file.metadata.get(FORMAT_KEY) {
            Some(format) if format == FORMAT => {}
            Some(format) => return Err(AdapterError::Format { found: format!("`{format}`") }),
            None => return Err(AdapterError::Format { found: "missing".to_owned() }),
        }
        let config = file.metadata.get(CONFIG_KEY).map(|text| {
            serde_json::from_str(text)
                .map_err(|error| AdapterError::Metadata { key: CONFIG_KEY, reason: error.to_string() })
        });
        Ok(Self {
            adapters: AdapterSet::from_tensors(&file.tensors)?,
            base: file.metadata.get(BASE_KEY).cloned(),
            config: config.transpose()?,
        })
    }
}
