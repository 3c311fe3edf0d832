//! Recall from precomputed embeddings in a safetensors file: `image_embeddings`, `text_embeddings`, and in the metadata
//! `text_image`, a JSON list with the index of the image of each text.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use radapter_datasets::DatasetError;
use radapter_files::{LFS_POINTER, LFS_SIGNATURE, io_error};
use rayon::prelude::*;
use safetensors::tensor::{Dtype, Metadata};

use crate::recall::{Evaluation, RecallError, Rows, ranks};

/// Bytes to read at once.
const PIECE: usize = 1 << 22;
/// Maximum size of a header: 1 M texts need about 10 MB.
const LONGEST_HEADER: u64 = 1 << 30;
/// Tolerated difference of a row's norm from 1.
const UNIT: f64 = 1e-3;

/// Precomputed embeddings of images and texts.
#[derive(Clone, Debug)]
pub struct Embedded {
    path: PathBuf,
    images: Tensor,
    texts: Tensor,
    text_image: Vec<usize>,
}

/// Unit rows, on the host.
#[derive(Clone, Debug)]
struct Tensor {
    dim: usize,
    values: Vec<f32>,
}

impl Embedded {
    /// Reads a file. Tensors are f32, f16 or bf16, `[rows, dim]`; rows that are not unit vectors are normalised, so that
    /// scores are cosines. Needs the memory of the embeddings in f32.
    ///
    /// # Errors
    /// [`DatasetError`] naming the tensor or key that is missing or misshapen.
    pub fn read(path: &Path) -> Result<Self, DatasetError> {
        let mut file = File::open(path).map_err(io_error("read", path))?;
        let (start, metadata) = header(path, &mut file)?;
        let text_image = text_image(path, &metadata)?;
        let mut tensor = |key| tensor(path, &mut file, start, &metadata, key);
        Ok(Self {
            path: path.to_owned(),
            images: tensor("image_embeddings")?,
            texts: tensor("text_embeddings")?,
            text_image,
        })
    }

    /// Computes recall in both directions. `progress` is called with the number of texts done.
    ///
    /// # Errors
    /// [`DatasetError`] for embeddings that do not fit each other or are not finite.
    pub fn evaluate(&self, progress: &mut dyn FnMut(usize)) -> Result<Evaluation, DatasetError> {
        let wrong = |error: RecallError| DatasetError::new(&self.path, error);
        let images = Rows::new(self.images.dim, &self.images.values).map_err(wrong)?;
        let texts = Rows::new(self.texts.dim, &self.texts.values).map_err(wrong)?;
        Ok(Evaluation::of(&ranks(images, texts, &self.text_image, progress).map_err(wrong)?))
    }

    /// Returns the number of texts.
    pub fn texts(&self) -> usize {
        self.text_image.len()
    }
}

/// Returns the offset of the tensors, and the header. Only the header is read, so that the embeddings are in memory once.
fn header(path: &Path, file: &mut File) -> Result<(u64, Metadata), DatasetError> {
    let damaged = |reason: String| DatasetError::about(path, format!("is not a complete safetensors file: {reason}"));
    let whole = file.metadata().map_err(io_error("read", path))?.len();
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|_| damaged("the file ends within the header".to_owned()))?;
    if LFS_SIGNATURE.starts_with(&length) {
        return Err(DatasetError::about(path, format!("is {LFS_POINTER}")));
    }
    let header = u64::from_le_bytes(length);
    if header > LONGEST_HEADER || header > whole - 8 {
        return Err(damaged(format!("its header claims {header} bytes, but the file has {whole}")));
    }
    let mut bytes = Vec::new();
    file.take(header).read_to_end(&mut bytes).map_err(io_error("read", path))?;
    let metadata: Metadata = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    let (start, end) = (8 + header, metadata.tensors().values().map(|info| info.data_offsets.1 as u64).max());
    if end.unwrap_or(0) != whole - start {
        let (end, there) = (end.unwrap_or(0), whole - start);
        return Err(damaged(format!("its header claims {end} bytes of tensors, but the file has {there}")));
    }
    Ok((start, metadata))
}

fn text_image(path: &Path, metadata: &Metadata) -> Result<Vec<usize>, DatasetError> {
    let expected = "expected in the metadata a JSON list with the index of the image of each text";
    let wrong = |found: String| DatasetError::new(path, format!("`text_image`: {expected}, found {found}"));
    let text = metadata.metadata().as_ref().and_then(|entries| entries.get("text_image"));
    let text = text.ok_or_else(|| wrong("none".to_owned()))?;
    serde_json::from_str(text).map_err(|error| wrong(error.to_string()))
}

fn tensor(
    path: &Path,
    file: &mut File,
    start: u64,
    metadata: &Metadata,
    key: &'static str,
) -> Result<Tensor, DatasetError> {
    let expected = "a tensor [rows, dim] of F32, F16 or BF16";
    let wrong = |found: String| DatasetError::new(path, format!("`{key}`: expected {expected}, found {found}"));
    let info = metadata.info(key).ok_or_else(|| {
        let mut names: Vec<String> = metadata.tensors().into_keys().collect();
        names.sort_unstable();
        wrong(format!("only {}", names.join(", ")))
    })?;
    let [rows, dim] = info.shape[..] else { return Err(wrong(format!("{:?}", info.shape))) };
    if dim == 0 {
        return Err(wrong(format!("{:?}", info.shape)));
    }
    let (size, decode): (usize, fn(&[u8]) -> f32) = match info.dtype {
        Dtype::F32 => (4, |b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        Dtype::F16 => (2, |b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()),
        Dtype::BF16 => (2, |b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32()),
        other => return Err(wrong(format!("{other:?}"))),
    };
    let (from, to) = info.data_offsets;
    if rows.checked_mul(dim).and_then(|count| count.checked_mul(size)) != to.checked_sub(from) {
        return Err(wrong(format!("{:?} in the bytes {from} to {to}", info.shape)));
    }
    file.seek(SeekFrom::Start(start + info.data_offsets.0 as u64)).map_err(io_error("read", path))?;
    let mut values = Vec::with_capacity(rows * dim);
    let mut piece = vec![0; PIECE];
    let mut left = rows * dim * size;
    while left > 0 {
        let piece = &mut piece[..left.min(PIECE)];
        file.read_exact(piece).map_err(io_error("read", path))?;
        values.extend(piece.chunks_exact(size).map(decode));
        left -= piece.len();
    }
    normalise(&mut values, dim);
    Ok(Tensor { dim, values })
}

/// Normalises all rows, if any is not a unit vector. Zero stays zero; values that are not finite are refused by the ranking.
fn normalise(values: &mut [f32], dim: usize) {
    let length = |row: &[f32]| row.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
    if values.par_chunks(dim).all(|row| (length(row) - 1.0).abs() <= UNIT) {
        return;
    }
    values.par_chunks_mut(dim).for_each(|row| {
        let length = length(row);
        if length > 0.0 && length.is_finite() {
            row.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
        }
    });
}
