//! The cache of text embeddings that the command keeps.

use std::path::PathBuf;

use radapter_embedding::TextCache;

/// The variable that names the cache's folder; empty or `none` disables the cache.
const FOLDER: &str = "RADAPTER_CACHE";

/// The cache of text embeddings, below `RADAPTER_CACHE` or else the user's cache folder. `None` if there is neither.
pub(crate) fn text_cache() -> Option<TextCache> {
    let folder = match std::env::var_os(FOLDER) {
        Some(folder) if folder.is_empty() || folder == "none" => return None,
        Some(folder) => PathBuf::from(folder),
        None => user_cache()?.join("radapter"),
    };
    Some(TextCache::new(folder.join("texts")))
}

fn user_cache() -> Option<PathBuf> {
    match std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()) {
        Some(folder) => Some(folder.into()),
        None => Some(std::env::home_dir()?.join(".cache")),
    }
}
