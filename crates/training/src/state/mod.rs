//! What a run remembers between steps, in memory and on disk.

pub(crate) mod parameters;
pub(crate) mod saved;
pub(crate) mod stopping;
pub(crate) mod tensor_file;

pub use saved::saved_steps;
