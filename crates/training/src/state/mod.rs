//! State of a run between steps, in memory and on disk.

pub(crate) mod parameters;
pub(crate) mod saved;
pub(crate) mod stopping;
pub(crate) mod tensor_file;

use std::io::{self, Write};
use std::path::Path;

use radapter_clip::model::{Adapter, Clip};

use crate::error::TrainError;

pub use parameters::HEAD;
pub use saved::{check_state, saved_steps};

/// Writes the selected parameters as safetensors. Keys are those of [`Tuning::trains`](crate::Tuning::trains): CLIP's own
/// parameters are written under OpenCLIP's names.
///
/// # Errors
/// I/O errors of `out`.
pub fn write_parameters<A: Adapter>(clip: &Clip<A>, has: impl Fn(&str) -> bool, out: &mut dyn Write) -> io::Result<()> {
    let named = selected(clip, has);
    tensor_file::write(out, named.iter().map(|(key, flat)| (key.clone(), flat)), &Default::default())
}

/// Returns the model with the selected parameters read from a file of [`write_parameters`].
///
/// # Errors
/// [`TrainError::Unreadable`] if the file has other keys or other shapes.
pub fn read_parameters<A: Adapter>(
    clip: Clip<A>,
    has: impl Fn(&str) -> bool,
    path: &Path,
) -> Result<Clip<A>, TrainError> {
    let found = tensor_file::read(path)?;
    match saved::mismatch(&selected(&clip, has), &found) {
        None => {
            let device = clip.logit_scale.device();
            Ok(parameters::load(clip, &tensor_file::on_device(found, &device)))
        }
        Some(reason) => Err(TrainError::Unreadable { path: path.to_owned(), reason }),
    }
}

fn selected<A: Adapter>(clip: &Clip<A>, has: impl Fn(&str) -> bool) -> tensor_file::Named {
    let mut named = tensor_file::Named::new();
    parameters::each(clip, |mut entry| {
        if !has(&entry.key) {
            return;
        }
        // 0-D in every checkpoint; burn has no 0-D tensors.
        if entry.key == "logit_scale" {
            entry.flat.shape.clear();
        }
        named.insert(entry.key, entry.flat);
    });
    named
}
