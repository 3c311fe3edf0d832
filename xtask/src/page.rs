//! Pages in which a chore replaces the part between its own marks.

use std::path::Path;

use anyhow::Context as _;

/// Replaces the part of `cargo xtask {chore}` in a page.
pub(crate) fn replace(path: &Path, chore: &str, content: &str) -> anyhow::Result<()> {
    let (before, after) = around(path, chore)?;
    save(path, &format!("{before}\n{content}\n{after}"))
}

/// Checks that a page has the part of `cargo xtask {chore}`: before hours of work, not after them.
pub(crate) fn check(path: &Path, chore: &str) -> anyhow::Result<()> {
    around(path, chore).map(|_| ())
}

/// The page up to the part's first mark, and from its last mark on.
fn around(path: &Path, chore: &str) -> anyhow::Result<(String, String)> {
    let (begin, end) = (format!("<!-- begin: cargo xtask {chore} -->\n"), format!("<!-- end: cargo xtask {chore} -->"));
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let found = text.find(&begin).map(|at| at + begin.len());
    let parts = found.and_then(|from| Some((from, from + text[from..].find(&end)?)));
    let (from, to) = parts.with_context(|| format!("{} lacks the lines {begin}and {end}", path.display()))?;
    Ok((text[..from].to_owned(), text[to..].to_owned()))
}

pub(crate) fn save(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
