//! Tensors that are computed one after the other and wait in a file, so that memory holds one of them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;

use super::{RawTensor, StateDict, StoredDtype, TensorBytes};

/// A file without a name that takes tensors.
#[derive(Debug)]
pub struct Spool {
    file: BufWriter<File>,
    entries: Vec<(String, StoredDtype, Vec<usize>, usize)>,
}

impl Spool {
    /// Creates the file in a folder, which needs room for all tensors. The system frees it with the last tensor, whatever
    /// happens to the process.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn new(folder: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self { file: BufWriter::new(tempfile::tempfile_in(folder)?), entries: Vec::new() })
    }

    /// Adds a tensor.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn push(&mut self, name: impl Into<String>, tensor: &RawTensor) -> io::Result<()> {
        self.file.write_all(tensor.bytes())?;
        self.entries.push((name.into(), tensor.dtype(), tensor.shape().to_vec(), tensor.bytes().len()));
        Ok(())
    }

    /// Returns the tensors, whose bytes stay in the file.
    ///
    /// # Errors
    /// Those of the file system.
    #[allow(unsafe_code, reason = "memory maps have no safe constructor")]
    pub fn finish(self) -> io::Result<StateDict> {
        let file = self.file.into_inner()?;
        // Sound: no other process can open a file without a name, and this handle is dropped here.
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
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(Spool::new(folder.path()).unwrap().finish().unwrap().is_empty());
    }
}
