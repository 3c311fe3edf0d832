//! The cache of text embeddings that the command keeps.

use std::path::PathBuf;

use radapter_embedding::TextCache;

/// Where embeddings of many texts are kept; empty or `none` for nowhere.
const FOLDER: &str = "RADAPTER_CACHE";

/// The cache of text ensembles: below `RADAPTER_CACHE`, else below the user's folder for such things. None where there is neither.
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
