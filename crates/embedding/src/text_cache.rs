//! Embeddings of many texts, kept between runs.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use radapter_clip::model::Encoder;
use radapter_files::{IoError, io_error};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use super::truncation::warn;
use super::{EmbedError, Embeddings, embed_groups};

/// The number of texts from which a look-up, which hashes the text tower, costs less than encoding them.
const WORTH: usize = 1000;

/// Changes whenever the same texts and weights give other rows.
const FORMAT: &str = "radapter text cache 2";

/// The only tensor of a file: `[groups, embed_dim]`.
const ROWS: &str = "rows";

/// A folder of text ensembles that were embedded before. With 80 templates, the classes of ImageNet are 80,000 texts, which are the
/// same for every image, every suite, and every model with the same text tower.
///
/// A file's name is a hash of the text tower's parameters, the precision and device, and the texts. Files are never removed; the
/// folder may be deleted at any time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextCache {
    folder: PathBuf,
}

impl TextCache {
    /// Creates a cache in a folder, which is created on the first write.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// As [`embed_groups`], from the cache if possible. Fewer than 1000 texts are always computed.
    ///
    /// # Errors
    /// As [`embed_groups`]. A damaged file is computed again; a file that cannot be written is a warning in the log.
    pub fn embed_groups<T: AsRef<str>>(
        &self,
        model: &dyn Encoder,
        groups: &[Vec<T>],
        batch: usize,
    ) -> Result<Embeddings, EmbedError> {
        if groups.iter().map(Vec::len).sum::<usize>() < WORTH || is_remote(&model.device()) {
            return embed_groups(model, groups, batch);
        }
        let path = self.folder.join(format!("{}.safetensors", key(model, groups)));
        if let Some(rows) = read(&path, groups.len(), model.config().embed_dim) {
            let texts: Vec<&str> = groups.iter().flatten().map(AsRef::as_ref).collect();
            warn(&texts, model.config().text.context_length);
            tracing::debug!("text embeddings read from {}", path.display());
            return Ok(rows);
        }
        let rows = embed_groups(model, groups, batch)?;
        match self.keep(&path, &rows) {
            Ok(()) => tracing::debug!("text embeddings written to {}", path.display()),
            Err(error) => tracing::warn!("text embeddings are not cached: {error}"),
        }
        Ok(rows)
    }

    fn keep(&self, path: &Path, rows: &Embeddings) -> Result<(), IoError> {
        std::fs::create_dir_all(&self.folder).map_err(io_error("create", &self.folder))?;
        let failed = |error| io_error("write", path)(std::io::Error::other(error));
        let bytes: Vec<u8> = rows.values().iter().flat_map(|value| value.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, vec![rows.len(), rows.dim()], &bytes).map_err(failed)?;
        let file = safetensors::serialize([(ROWS, view)], None).map_err(failed)?;
        radapter_files::write(path, &file)
    }
}

fn read(path: &Path, groups: usize, dim: usize) -> Option<Embeddings> {
    let bytes = std::fs::read(path).ok()?;
    let file = SafeTensors::deserialize(&bytes).ok()?;
    let rows = file.tensor(ROWS).ok().filter(|rows| rows.dtype() == Dtype::F32 && rows.shape() == [groups, dim])?;
    let values: Vec<f32> = rows.data().as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect();
    values.iter().all(|value| value.is_finite()).then(|| Embeddings::new(dim, values))
}

/// Whether the device belongs to another process: it has no name that identifies it, and hashing the tower would fetch
/// all of it. Its backend is not compiled into this crate, so only its debug text shows it.
fn is_remote(device: &Device) -> bool {
    format!("{device:?}").contains("Remote")
}

fn key<T: AsRef<str>>(model: &dyn Encoder, groups: &[Vec<T>]) -> String {
    let mut hasher = Sha256::new();
    let mut add = |text: &str| {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    add(FORMAT);
    add(&model.text_fingerprint());
    for group in groups {
        add(&group.len().to_string());
        group.iter().for_each(|text| add(text.as_ref()));
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
