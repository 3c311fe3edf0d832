//! Pointers of Git LFS, which stand in for files that were not fetched.

/// What a pointer starts with.
pub const LFS_SIGNATURE: &[u8] = b"version https://git-lfs";

/// What errors call a pointer, with the next step.
pub const LFS_POINTER: &str = "a Git LFS pointer; fetch the file itself with `git lfs pull`";

/// Whether a file that starts so is a pointer.
pub fn is_lfs_pointer(start: &[u8]) -> bool {
    start.starts_with(LFS_SIGNATURE)
}
