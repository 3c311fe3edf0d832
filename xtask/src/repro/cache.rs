//! Results that are computed once and then read from their file.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::page;

/// Reads `folder/name.json`, or calls `measure` and saves its result there.
pub(crate) fn kept<T: Serialize + DeserializeOwned>(
    folder: &Path,
    name: &str,
    measure: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let path = folder.join(format!("{}.json", name.chars().map(plain).collect::<String>()));
    match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).with_context(|| format!("{} is damaged; delete it", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let measured = measure()?;
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
            page::save(&path, &serde_json::to_string_pretty(&measured)?)?;
            Ok(measured)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
