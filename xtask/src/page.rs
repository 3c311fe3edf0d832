//! Pages in which a chore replaces the part between its own marks.

use std::path::Path;

use anyhow::Context as _;

/// Replaces the part of `cargo xtask {chore}` in a page.
pub(crate) fn replace(path: &Path, chore: &str, content: &str) -> anyhow::Result<()> {
    let (begin, end) = (format!("<!-- begin: cargo xtask {chore} -->\n"), format!("<!-- end: cargo xtask {chore} -->"));
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let parts = text.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = parts.with_context(|| format!("{} lacks the lines {begin}and {end}", path.display()))?;
    save(path, &format!("{before}{begin}\n{content}\n{end}{after}"))
}

pub(crate) fn save(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
