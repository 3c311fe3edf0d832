//! The program's allocator: activations of a step are taken from those of the step before.
//!
//! The C library gives large buffers back to the system at once, and every step then pays for its pages anew; here freed memory is
//! kept for the life of the process. `docs/performance.md` has the figures.

use libmimalloc_sys::{mi_option_set, mi_option_t, mi_option_use_numa_nodes};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay`, which the bindings do not name; in versions 2 and 3 of the library it stands in front of this one.
const PURGE_DELAY: mi_option_t = mi_option_use_numa_nodes - 1;
/// Never.
const NEVER: std::ffi::c_long = -1;

/// Freed memory stays with the process. A user's `MIMALLOC_PURGE_DELAY` wins.
pub(crate) fn keep_memory() {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: the function takes any option and any value at any time.
        unsafe { mi_option_set(PURGE_DELAY, NEVER) };
    }
}
