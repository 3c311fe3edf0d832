//! Writing a checkpoint's directory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::open::{HUGGING_FACE_CONFIG, HUGGING_FACE_PREPROCESSOR, OPEN_CLIP_CONFIG};
use super::{Checkpoint, CheckpointError, Format, mismatch, names_hf, safetensors_file, tokenizer_files};
use crate::state_dict::{StateDict, StoredDtype};

/// How a checkpoint is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaveOptions {
    /// Names, layouts and files.
    pub format: Format,
    /// The dtype of every tensor; `None` writes each in the dtype it is in.
    pub dtype: Option<StoredDtype>,
    /// Whether a directory that is there is replaced.
    pub overwrite: bool,
}

impl SaveOptions {
    /// This format, every tensor in the dtype it is in, nothing replaced.
    pub fn new(format: Format) -> Self {
        Self { format, dtype: None, overwrite: false }
    }

    /// Every tensor in this dtype.
    pub fn with_dtype(self, dtype: StoredDtype) -> Self {
        Self { dtype: Some(dtype), ..self }
    }

    /// Whether a directory that is there is replaced.
    pub fn with_overwrite(self, overwrite: bool) -> Self {
        Self { overwrite, ..self }
    }
}

/// A file being written. A trait so that a test can write to a disk that is full.
pub(super) trait Output: Write {
    /// Makes the content durable.
    fn sync(&mut self) -> io::Result<()>;
}

impl Output for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// Creates a file on disk.
pub(super) fn create_file(path: &Path) -> io::Result<Box<dyn Output>> {
    Ok(Box::new(File::create_new(path)?))
}

pub(super) type Create<'a> = &'a mut dyn FnMut(&Path) -> io::Result<Box<dyn Output>>;

pub(super) fn save(
    checkpoint: &Checkpoint,
    dir: &Path,
    options: &SaveOptions,
    create: Create<'_>,
) -> Result<(), CheckpointError> {
    let config = &checkpoint.config;
    config.validate().map_err(CheckpointError::config(dir))?;
    mismatch::compare(config.expected_tensors(), checkpoint.state.iter().map(|(name, tensor)| (name, tensor.shape())))
        .map_err(|mismatch| CheckpointError::Mismatch { path: dir.to_owned(), mismatch })?;
    checkpoint.state.check_finite().map_err(CheckpointError::tensor(dir))?;
    let state = match options.dtype {
        Some(dtype) => checkpoint.state.cast(dtype).map_err(CheckpointError::tensor(dir))?,
        None => checkpoint.state.clone(),
    };
    radapter_files::write_dir(dir, options.overwrite, |temporary| {
        let mut files = Files { dir: temporary, target: dir, create };
        match options.format {
            Format::OpenClip => {
                files.write_text(OPEN_CLIP_CONFIG, &config.to_open_clip_json())?;
                files.write_tensors("open_clip_model.safetensors", &state)
            }
            Format::HuggingFace => {
                let tensors = names_hf::from_open_clip(&state).map_err(CheckpointError::tensor(dir))?;
                let preprocessor = config.to_hugging_face_preprocessor_json().map_err(CheckpointError::config(dir))?;
                files.write_text(HUGGING_FACE_CONFIG, &config.to_hugging_face_json(widest_dtype(&state)))?;
                files.write_text(HUGGING_FACE_PREPROCESSOR, &preprocessor)?;
                for (name, text) in tokenizer_files::contents(config.text.context_length) {
                    files.write_text(name, &text)?;
                }
                files.write_tensors("model.safetensors", &tensors)
            }
        }
    })
}

/// The dtype that loses nothing of the tensors', for a library that holds them all in one.
fn widest_dtype(state: &StateDict) -> StoredDtype {
    let mut dtypes = state.iter().map(|(_, tensor)| tensor.dtype());
    match dtypes.next() {
        Some(first) if dtypes.all(|dtype| dtype == first) => first,
        _ => StoredDtype::F32,
    }
}

struct Files<'a> {
    dir: &'a Path,
    /// What the directory will be called, for errors.
    target: &'a Path,
    create: Create<'a>,
}

impl Files<'_> {
    fn write_text(&mut self, name: &str, text: &str) -> Result<(), CheckpointError> {
        self.write(name, |out| out.write_all(text.as_bytes()))
    }

    fn write_tensors(&mut self, name: &str, tensors: &StateDict) -> Result<(), CheckpointError> {
        // transformers asks for the first.
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        self.write(name, |mut out| safetensors_file::write_safetensors(&mut out, tensors, &metadata))
    }

    fn write(
        &mut self,
        name: &str,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), CheckpointError> {
        let result = (self.create)(&self.dir.join(name)).and_then(|mut file| {
            let mut out = BufWriter::with_capacity(1 << 20, &mut *file);
            content(&mut out)?;
            out.flush()?;
            drop(out);
            file.sync()
        });
        result.map_err(CheckpointError::io(&self.target.join(name), "write"))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;
    use crate::config::ClipConfig;
    use crate::state_dict::RawTensor;

    /// A file on a disk that is full after so many bytes, over all files.
    struct FillingFile {
        file: File,
        left: Rc<Cell<usize>>,
        fails_at_sync: bool,
    }

    impl Write for FillingFile {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fits = bytes.len().min(self.left.get());
            if fits == 0 && !bytes.is_empty() {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            let written = self.file.write(&bytes[..fits])?;
            self.left.set(self.left.get() - written);
            Ok(written)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.file.flush()
        }
    }

    impl Output for FillingFile {
        fn sync(&mut self) -> io::Result<()> {
            match self.fails_at_sync {
                true => Err(io::Error::from(io::ErrorKind::StorageFull)),
                false => self.file.sync_all(),
            }
        }
    }

    fn checkpoint() -> Checkpoint {
        let Ok(mut config) = ClipConfig::preset("ViT-B-32") else { panic!("a preset") };
        (config.embed_dim, config.vision.image_size, config.vision.patch_size) = (2, 2, 2);
        (config.vision.width, config.vision.layers, config.vision.heads, config.vision.mlp_width) = (2, 1, 1, 2);
        (config.text.width, config.text.layers, config.text.heads, config.text.mlp_width) = (2, 1, 1, 2);
        let zeros = |(name, shape): (String, Vec<usize>)| {
            let count = shape.iter().product();
            (name, RawTensor::from_f32(shape, vec![0.0; count]))
        };
        let state = config.expected_tensors().into_iter().map(zeros).collect();
        Checkpoint::new(config, state, Format::OpenClip, "test").expect("the tensors are the config's")
    }

    fn save_on_full_disk(dir: &Path, format: Format, bytes: usize, fails_at_sync: bool) -> Result<(), CheckpointError> {
        let left = Rc::new(Cell::new(bytes));
        let options = SaveOptions::new(format).with_overwrite(true);
        save(&checkpoint(), dir, &options, &mut |path| {
            let file = File::create_new(path)?;
            Ok(Box::new(FillingFile { file, left: Rc::clone(&left), fails_at_sync }))
        })
    }

    fn entries(folder: &Path) -> Vec<String> {
        let name =
            |entry: io::Result<std::fs::DirEntry>| entry.map(|entry| entry.file_name().to_string_lossy().into_owned());
        std::fs::read_dir(folder).and_then(|entries| entries.map(name).collect()).expect("the folder can be listed")
    }

    #[test]
    fn a_disk_that_fills_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for format in [Format::OpenClip, Format::HuggingFace] {
            for bytes in [0, 1, 100, 1000, 3000, 300_000] {
                let dir = folder.path().join("model");
                let error = save_on_full_disk(&dir, format, bytes, false).expect_err("the disk is full");
                let CheckpointError::Io { path, source, .. } = &error else { panic!("{error}") };
                assert_eq!(source.kind(), io::ErrorKind::StorageFull);
                assert!(path.starts_with(&dir), "named as it would be called: {error}");
                assert!(entries(folder.path()).is_empty(), "{format} {bytes}");
            }
            let error = save_on_full_disk(&folder.path().join("model"), format, usize::MAX, true);
            assert!(matches!(error, Err(CheckpointError::Io { .. })));
            assert!(entries(folder.path()).is_empty());
        }
    }

    #[test]
    fn a_disk_that_fills_keeps_what_was_to_be_replaced() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dir = folder.path().join("model");
        checkpoint().save(&dir, &SaveOptions::new(Format::OpenClip)).expect("there is room");
        save_on_full_disk(&dir, Format::OpenClip, 5000, false).expect_err("the disk is full");
        assert_eq!(entries(folder.path()), ["model"]);
        assert_eq!(Checkpoint::open(&dir, None).map(|again| again.state).ok(), Some(checkpoint().state));
    }

    #[test]
    fn a_large_enough_disk_takes_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dir = folder.path().join("model");
        assert!(save_on_full_disk(&dir, Format::HuggingFace, usize::MAX, false).is_ok());
        assert_eq!(entries(folder.path()), ["model"]);
    }
}
