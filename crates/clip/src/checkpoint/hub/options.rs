//! Where the hub is, and how it is used: the variables of Python's `huggingface_hub`.

use std::fmt;
use std::path::PathBuf;

/// Address, access token and cache.
#[derive(Clone, Default)]
pub struct HubOptions {
    /// The hub's address; `None` for the public one.
    pub endpoint: Option<String>,
    /// The access token; `None` for the one that a login left beside the library's cache, if any. With another cache,
    /// `None` is no token.
    pub token: Option<String>,
    /// The cache; `None` for the library's (below `HF_HOME`, or `~/.cache/huggingface`).
    pub cache: Option<PathBuf>,
    /// Uses cached files only.
    pub offline: bool,
}

impl HubOptions {
    /// Reads the [variables](Self::from_variables) of the process.
    pub fn from_env() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// Reads the variables of Python's `huggingface_hub`. An empty one counts as absent.
    ///
    /// | variable | is |
    /// |---|---|
    /// | `HF_ENDPOINT` | the hub's address |
    /// | `HF_HOME` | the folder of cache and token; `~/.cache/huggingface` without it |
    /// | `HF_HUB_CACHE` | the cache; `hub` in `HF_HOME` without it |
    /// | `HF_TOKEN` | the access token |
    /// | `HF_TOKEN_PATH` | the file of the token that a login left, without `HF_TOKEN`; `token` in `HF_HOME` without it |
    /// | `HF_HUB_OFFLINE` | `1`, `ON`, `YES` or `TRUE` in either case: only cached files are used |
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let path = |name: &str| variable(name).map(PathBuf::from);
        let home = path("HF_HOME").or_else(|| Some(std::env::home_dir()?.join(".cache/huggingface")));
        let in_home = |name: &str| home.as_ref().map(|home| home.join(name));
        let token_file = || path("HF_TOKEN_PATH").or_else(|| in_home("token"));
        let saved_token = || std::fs::read_to_string(token_file()?).ok();
        let token = variable("HF_TOKEN").or_else(saved_token).map(|token| token.trim().to_owned());
        Self {
            endpoint: variable("HF_ENDPOINT"),
            token: token.filter(|token| !token.is_empty()),
            cache: path("HF_HUB_CACHE").or_else(|| in_home("hub")),
            offline: variable("HF_HUB_OFFLINE")
                .is_some_and(|value| ["1", "ON", "YES", "TRUE"].contains(&value.to_ascii_uppercase().as_str())),
        }
    }
}

/// Hides the token.
impl fmt::Debug for HubOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubOptions")
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("cache", &self.cache)
            .field("offline", &self.offline)
            .finish()
    }
}
