//! Named f32 tensors in safetensors files.
//!
//! Tensors are written one after another, so that saving a state needs no second copy of it in memory.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};

use crate::error::TrainError;

/// Tensor as the trainer keeps it: flat, with the shape it has in the model; on a device, or as read from a file.
#[derive(Clone, Debug)]
pub(crate) struct Flat<V = Tensor<1>> {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: V,
}

/// Flat tensors by name, in byte order of the names.
pub(crate) type Named<V = Tensor<1>> = BTreeMap<String, Flat<V>>;

/// Writes tensors as safetensors.
pub(crate) fn write<'a>(
    writer: &mut dyn Write,
    tensors: impl Iterator<Item = (String, &'a Flat)> + Clone,
    metadata: &BTreeMap<String, String>,
) -> io::Result<()> {
    let mut header = serde_json::Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".to_owned(), serde_json::json!(metadata));
    }
    let mut offset = 0;
    for (name, tensor) in tensors.clone() {
        let end = offset + 4 * tensor.shape.iter().product::<usize>();
        let entry = serde_json::json!({"dtype": "F32", "shape": tensor.shape, "data_offsets": [offset, end]});
        header.insert(name, entry);
        offset = end;
    }
    let mut header = serde_json::to_vec(&header)?;
    // The format pads the header with spaces to align the data to eight bytes.
    header.resize(header.len().next_multiple_of(8), b' ');
    writer.write_all(&(header.len() as u64).to_le_bytes())?;
    writer.write_all(&header)?;
    for (_, tensor) in tensors {
        let data = tensor.values.to_data().convert::<f32>();
        if cfg!(target_endian = "little") {
            writer.write_all(data.as_bytes())?;
        } else {
            for value in data.iter::<f32>() {
                writer.write_all(&value.to_le_bytes())?;
            }
        }
    }
    Ok(())
}

/// Reads all tensors of a file.
pub(crate) fn read(path: &Path) -> Result<Named<Vec<f32>>, TrainError> {
    let unreadable = |reason: String| TrainError::Unreadable { path: path.to_owned(), reason };
    let bytes = std::fs::read(path).map_err(TrainError::io("read", path))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| unreadable(e.to_string()))?;
    file.iter()
        .map(|(name, view)| {
            if view.dtype() != Dtype::F32 {
                return Err(unreadable(format!("tensor `{name}` is {:?}, expected F32", view.dtype())));
            }
            let values: Vec<f32> =
                view.data().as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
            if values.iter().any(|value| !value.is_finite()) {
                return Err(unreadable(format!("tensor `{name}` holds NaN or infinite values")));
            }
            Ok((name.to_owned(), Flat { shape: view.shape().to_vec(), values }))
        })
        .collect()
}

/// Moves tensors to a device.
pub(crate) fn on_device(tensors: Named<Vec<f32>>, device: &Device) -> Named {
    let moved = |Flat { shape, values }: Flat<Vec<f32>>| {
        let count = values.len();
        Flat { shape, values: Tensor::from_data(TensorData::new(values, [count]), (device, DType::F32)) }
    };
    tensors.into_iter().map(|(name, tensor)| (name, moved(tensor))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn flat(shape: &[usize], values: &[f32]) -> Flat {
        Flat { shape: shape.to_vec(), values: Tensor::from_data(values, &Device::flex()) }
    }

    #[test]
    fn written_files_are_read_by_the_safetensors_crate_and_by_us() {
        let tensors = Named::from([
            ("b.weight".to_owned(), flat(&[2, 3], &[1.0, -2.5, 3.0, 0.0, -0.0, f32::MIN_POSITIVE])),
            ("a".to_owned(), flat(&[1], &[7.0])),
        ]);
        let metadata = BTreeMap::from([("format".to_owned(), "test".to_owned())]);
        let mut bytes = Vec::new();
        write(&mut bytes, tensors.iter().map(|(n, t)| (n.clone(), t)), &metadata).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.tensor("b.weight").unwrap().shape(), [2, 3]);
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(header.metadata().as_ref().unwrap()["format"], "test");

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.safetensors");
        std::fs::write(&path, &bytes).unwrap();
        let read_back = on_device(read(&path).unwrap(), &Device::flex());
        assert_eq!(read_back.keys().collect::<Vec<_>>(), ["a", "b.weight"]);
        for (name, tensor) in &tensors {
            assert_eq!(read_back[name].shape, tensor.shape);
            assert_eq!(read_back[name].values.to_data(), tensor.values.to_data());
        }
    }

    #[test]
    fn a_truncated_file_and_nan_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.safetensors");
        let mut bytes = Vec::new();
        let tensors = Named::from([("w".to_owned(), flat(&[2], &[1.0, f32::NAN]))]);
        write(&mut bytes, tensors.iter().map(|(n, t)| (n.clone(), t)), &BTreeMap::new()).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("`w` holds NaN"));
        for cut in [0, 7, 20, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let error = read(&path).unwrap_err();
            assert!(matches!(error, TrainError::Unreadable { .. }), "{cut}: {error}");
        }
    }
}
