//! What a run remembers between steps, in memory and on disk.

pub(crate) mod parameters;
pub(crate) mod saved;
pub(crate) mod stopping;
pub(crate) mod tensor_file;

use std::io::{self, Write};

use radapter_clip::model::{Adapter, Clip};

pub use parameters::HEAD;
pub use saved::saved_steps;

/// Writes all parameters of a model as safetensors under the names of saved files: CLIP's own under OpenCLIP's names.
///
/// # Errors
/// Those of the writer.
pub fn write_weights<A: Adapter>(clip: &Clip<A>, out: &mut dyn Write) -> io::Result<()> {
    let mut named = tensor_file::Named::new();
    parameters::each(clip, |mut entry| {
        // 0-D in every checkpoint; burn has no 0-D tensors.
        if entry.key == "logit_scale" {
            entry.flat.shape.clear();
        }
        named.insert(entry.key, entry.flat);
    });
    tensor_file::write(out, named.iter().map(|(key, flat)| (key.clone(), flat)), &Default::default())
}
