use std::path::{Path, PathBuf};

use burn::tensor::Device;
use radapter_clip::model::Encoder;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use super::{EmbedError, Embeddings, embed_groups};

/// Texts from which on a look into the cache, for which the text tower is read once, costs less than encoding them.
const WORTH: usize = 1000;

/// Changes whenever the same texts and weights would give other rows.
const FORMAT: &str = "radapter text cache 2";

/// The only tensor of a file: `[groups, embed_dim]`.
const ROWS: &str = "rows";

/// Rows of text ensembles that have been computed before, as files in a folder: with 80 templates the classes of ImageNet are
/// 80,000 texts, which are the same for every image, every suite, and every model of the same text tower.
///
/// A file is found by the hash of the text tower's parameters, of the way it is computed, and of the texts. Nothing is ever removed;
/// the folder may be, at any time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextCache {
    folder: PathBuf,
}

impl TextCache {
    /// A cache in a folder, which is made when something is to be kept.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// What [`embed_groups`] gives, computed once. A few hundred texts are not worth keeping and are computed each time.
    ///
    /// # Errors
    /// As [`embed_groups`]. A file that is damaged is computed anew, and one that cannot be written is told to `tracing`.
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
            tracing::debug!("the texts' embeddings are those of {}", path.display());
            return Ok(rows);
        }
        let rows = embed_groups(model, groups, batch)?;
        if let Err(error) = self.keep(&path, &rows) {
            tracing::warn!("the texts' embeddings are not kept: {}: {error}", path.display());
        }
        Ok(rows)
    }

    fn keep(&self, path: &Path, rows: &Embeddings) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let bytes: Vec<u8> = rows.values().iter().flat_map(|value| value.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, vec![rows.len(), rows.dim()], &bytes).map_err(std::io::Error::other)?;
        let file = safetensors::serialize([(ROWS, view)], None).map_err(std::io::Error::other)?;
        radapter_files::write(path, &file).map_err(|error| error.error)
    }
}

fn read(path: &Path, groups: usize, dim: usize) -> Option<Embeddings> {
    let bytes = std::fs::read(path).ok()?;
    let file = SafeTensors::deserialize(&bytes).ok()?;
    let rows = file.tensor(ROWS).ok().filter(|rows| rows.dtype() == Dtype::F32 && rows.shape() == [groups, dim])?;
    let values: Vec<f32> = rows.data().as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect();
    values.iter().all(|value| value.is_finite()).then(|| Embeddings::new(dim, values))
}

/// Whether it is a device of another process: nothing tells which, and the tower would have to be fetched to be known again. Its kind
/// is not compiled in here, so that its name is all there is to ask.
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
