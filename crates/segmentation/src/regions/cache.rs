//! On-disk cache of region embeddings, by model, image and mask.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use radapter_datasets::DatasetError;
use radapter_files::io_error;
use radapter_images::ImageSource;
use sha2::{Digest, Sha256};

use super::Rows;
use crate::crop::CropSettings;
use crate::mask::Rle;

/// First bytes of a cache file, with its version.
const MAGIC: &[u8; 8] = b"RADREG02";
/// Bytes of a mask's key.
const KEY: usize = 16;

/// On-disk cache of region embeddings: a folder per model and crop settings, with a file per image,
/// which is written atomically.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
    dim: usize,
}

/// Key of an image: the hash of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageKey(String);

impl Cache {
    /// Opens or creates the cache in a folder for a model, by its hash and embedding size, and crop settings.
    ///
    /// # Errors
    /// [`DatasetError`] if the folder cannot be created.
    pub fn open(folder: &Path, model: &str, dim: usize, crop: CropSettings) -> Result<Self, DatasetError> {
        let mut hash = Sha256::new();
        hash.update(model.as_bytes());
        hash.update(crop.margin.to_bits().to_le_bytes());
        hash.update([crop.resize as u8]);
        let folder = folder.join(hex(&hash.finalize()[..KEY]));
        std::fs::create_dir_all(&folder).map_err(io_error("create the cache of region embeddings", &folder))?;
        tracing::debug!("region embeddings are cached in {}", folder.display());
        Ok(Self { folder, dim })
    }

    /// Reads the rows of those masks that are cached.
    ///
    /// # Errors
    /// [`DatasetError`] for a file that cannot be read or is damaged.
    pub(super) fn read(&self, image: &ImageKey, masks: &[Rle]) -> Result<Rows, DatasetError> {
        let rows = self.rows(image)?;
        Ok(masks.iter().map(|mask| rows.get(&mask_key(mask)).cloned()).collect())
    }

    /// Adds the rows of these masks.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub(super) fn write(&self, image: &ImageKey, masks: &[Rle], rows: &Rows) -> Result<(), DatasetError> {
        let mut all = self.rows(image)?;
        for (mask, row) in masks.iter().zip(rows) {
            if let Some(row) = row {
                all.insert(mask_key(mask), row.clone());
            }
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend((self.dim as u64).to_le_bytes());
        for (key, row) in all {
            bytes.extend(key);
            row.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
        }
        let path = self.path(image);
        Ok(radapter_files::write(&path, &bytes)?)
    }

    fn rows(&self, image: &ImageKey) -> Result<BTreeMap<[u8; KEY], Vec<f32>>, DatasetError> {
        let path = self.path(image);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(io_error("read the cache of region embeddings", &path)(error).into()),
        };
        self.parse(&bytes).ok_or_else(|| {
            let problem = "is damaged, or not a file of the cache of region embeddings; delete it";
            DatasetError::about(path, problem)
        })
    }

    fn parse(&self, bytes: &[u8]) -> Option<BTreeMap<[u8; KEY], Vec<f32>>> {
        let (dim, records) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<8>()?;
        let length = KEY + 4 * self.dim;
        if u64::from_le_bytes(*dim) != self.dim as u64 || records.len() % length != 0 {
            return None;
        }
        let row = |record: &[u8]| {
            let (key, values) = record.split_first_chunk::<KEY>()?;
            let value = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes);
            Some((*key, values.as_chunks::<4>().0.iter().map(value).collect()))
        };
        records.chunks_exact(length).map(row).collect()
    }

    fn path(&self, image: &ImageKey) -> PathBuf {
        self.folder.join(&image.0)
    }
}

impl ImageKey {
    /// Returns the key of an image; `None` if it is not a file of its own.
    ///
    /// # Errors
    /// [`DatasetError`] if the file cannot be read.
    pub fn of(source: &ImageSource) -> Result<Option<Self>, DatasetError> {
        let ImageSource::File(path) = source else { return Ok(None) };
        let bytes = std::fs::read(path).map_err(io_error("read", path))?;
        Ok(Some(Self(hex(&Sha256::digest(bytes)[..KEY]))))
    }
}

fn mask_key(mask: &Rle) -> [u8; KEY] {
    let mut hash = Sha256::new();
    hash.update(mask.key().collect::<Vec<u8>>());
    let digest = hash.finalize();
    std::array::from_fn(|at| digest[at])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
