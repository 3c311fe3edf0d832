//! Matching of proposals and images by name.

use radapter_datasets::folder;

/// Normalises path separators to `/`.
pub(super) fn slashed(path: &str) -> String {
    path.replace('\\', "/")
}

/// Removes an image's extension from a path, and normalises separators to `/`.
pub(super) fn stem(path: &str) -> String {
    let path = slashed(path);
    let is_image = |extension: &str| folder::EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension));
    match path.rsplit_once('.') {
        Some((stem, extension)) if is_image(extension) && !stem.is_empty() && !stem.ends_with('/') => stem.to_owned(),
        _ => path,
    }
}

/// Returns the last part of a path.
pub(super) fn base(stem: &str) -> &str {
    stem.rsplit('/').next().unwrap_or(stem)
}

/// Removes leading zeros from a number: COCO's file names are its ids with leading zeros.
pub(super) fn without_zeros(text: &str) -> &str {
    let trimmed = text.trim_start_matches('0');
    if trimmed.is_empty() && !text.is_empty() { "0" } else { trimmed }
}
