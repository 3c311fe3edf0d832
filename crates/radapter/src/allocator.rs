//! The program's allocator, which reuses the memory of one step's activations for the next step.
//!
//! The C library returns large buffers to the system at once, so every step pays for page faults again. mimalloc keeps freed memory
//! for the life of the process. `docs/performance.md` has the figures.

use libmimalloc_sys::{mi_option_set, mi_option_t, mi_option_use_numa_nodes};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay`, which the bindings do not name. In versions 2 and 3 of the library it precedes `use_numa_nodes`.
const PURGE_DELAY: mi_option_t = mi_option_use_numa_nodes - 1;
/// Disables purging.
const NEVER: std::ffi::c_long = -1;

/// Keeps freed memory in the process, unless the user sets `MIMALLOC_PURGE_DELAY`.
pub(crate) fn keep_memory() {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: the function takes any option and any value at any time.
        unsafe { mi_option_set(PURGE_DELAY, NEVER) };
    }
}
