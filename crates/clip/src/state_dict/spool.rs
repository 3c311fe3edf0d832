//! Tensors that are computed one after the other and wait in a file, so that memory holds one of them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;
use radapter_files::{IoError, io_error};

use super::{RawTensor, StateDict, StoredDtype, TensorBytes};

/// A file without a name that takes tensors.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    file: BufWriter<File>,
    entries: Vec<(String, StoredDtype, Vec<usize>, usize)>,
}

impl Spool {
    /// Creates the file in a folder, which needs room for all tensors. The system frees it with the last tensor, whatever
    /// happens to the process.
    ///
    /// # Errors
    /// [`IoError`] with the folder.
    pub fn new(folder: impl AsRef<Path>) -> Result<Self, IoError> {
        let folder = folder.as_ref().to_owned();
        let file = tempfile::tempfile_in(&folder).map_err(io_error("create a temporary file in", &folder))?;
        Ok(Self { folder, file: BufWriter::new(file), entries: Vec::new() })
    }

    /// Adds a tensor.
    ///
    /// # Errors
    /// [`IoError`] with the folder.
    pub fn push(&mut self, name: impl Into<String>, tensor: &RawTensor) -> Result<(), IoError> {
        self.file.write_all(tensor.bytes()).map_err(io_error("write a temporary file in", &self.folder))?;
        self.entries.push((name.into(), tensor.dtype(), tensor.shape().to_vec(), tensor.bytes().len()));
        Ok(())
    }

    /// Returns the tensors, whose bytes stay in the file.
    ///
    /// # Errors
    /// [`IoError`] with the folder.
    pub fn finish(self) -> Result<StateDict, IoError> {
        let folder = self.folder.clone();
        self.map().map_err(io_error("write a temporary file in", folder))
    }

    fn map(self) -> io::Result<StateDict> {
        let file = self.file.into_inner()?;
        // SAFETY: no other process can open a file without a name, and this handle, the only one that could write into it, is
        // dropped here.
        let map = unsafe { Mmap::map(&file) }?;
        let bytes = TensorBytes::mapped(Arc::new(map));
        let mut from = 0;
        let tensors = self.entries.into_iter().map(|(name, dtype, shape, length)| {
            let tensor = bytes.slice(from..from + length).map(|bytes| RawTensor::new(dtype, shape, bytes));
            from += length;
            Ok((name, tensor.ok_or(io::ErrorKind::UnexpectedEof)?.map_err(io::Error::other)?))
        });
        tensors.collect()
    }
}

impl StateDict {
    /// Moves the tensors that are in memory into a file; those in mapped files stay where they are.
    ///
    /// # Errors
    /// [`IoError`] with the spool's folder.
    pub fn spooled(mut self, mut spool: Spool) -> Result<Self, IoError> {
        for (name, tensor) in self.iter().filter(|(_, tensor)| !tensor.is_mapped()) {
            spool.push(name, tensor)?;
        }
        for (name, tensor) in spool.finish()? {
            self.insert(name, tensor);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn gives_back_what_was_pushed() {
        let folder = tempfile::tempdir().unwrap();
        let tensors: StateDict = [("b", vec![2, 1]), ("a", vec![0]), ("c", vec![])]
            .into_iter()
            .map(|(name, shape)| {
                let count: usize = shape.iter().product();
                (name.to_owned(), RawTensor::from_f32(shape, vec![0.5; count]))
            })
            .collect();
        let tensors: StateDict =
            tensors.iter().map(|(n, t)| (n.to_owned(), t.cast(StoredDtype::F16).unwrap())).collect();
        let mut spool = Spool::new(folder.path()).unwrap();
        tensors.iter().for_each(|(name, tensor)| spool.push(name, tensor).unwrap());
        assert_eq!(spool.finish().unwrap(), tensors);
        let spooled = tensors.clone().spooled(Spool::new(folder.path()).unwrap()).unwrap();
        assert_eq!(spooled, tensors);
        assert!(spooled.iter().all(|(_, tensor)| tensor.is_mapped()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(Spool::new(folder.path()).unwrap().finish().unwrap().is_empty());
    }
}
