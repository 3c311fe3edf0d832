//! Links from a page to files.

use std::fmt::Write as _;
use std::path::{Component, Path, absolute};

/// The URL of a file, which cannot be a script or another site whatever the file is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link(String);

impl Link {
    /// Links to a file from a page: relative if the file is below the page's folder, so that both can be moved together, else by its
    /// absolute path. `None` if the current folder is unknown.
    pub fn between(page: &Path, file: &Path) -> Option<Self> {
        let (page, file) = (absolute(page).ok()?, absolute(file).ok()?);
        Some(match page.parent().and_then(|folder| file.strip_prefix(folder).ok()) {
            Some(below) => Self::below(below),
            None => Self(format!("file://{}", encoded(&file))),
        })
    }

    /// Links to a file by its path below the page's folder.
    pub fn below(path: &Path) -> Self {
        Self(format!(".{}", encoded(path)))
    }

    /// The URL; it has no character that HTML escapes.
    pub(crate) fn url(&self) -> &str {
        &self.0
    }
}

/// A path as that of a URL, from `/` on: all but letters, digits and `-_.~` percent-encoded.
fn encoded(path: &Path) -> String {
    let mut url = String::new();
    for component in path.components().filter(|part| !matches!(part, Component::RootDir | Component::CurDir)) {
        url.push('/');
        for byte in component.as_os_str().as_encoded_bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(*byte)),
                other => write!(url, "%{other:02X}").expect("writing to a string does not fail"),
            }
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_relative_below_the_pages_folder() {
        let link = |page: &str, file: &str| Link::between(Path::new(page), Path::new(file)).map(|link| link.0);
        assert_eq!(link("/a/found.html", "/a/b/c.png").as_deref(), Some("./b/c.png"));
        assert_eq!(link("found.html", "b/c d.png").as_deref(), Some("./b/c%20d.png"));
        assert_eq!(link("/x/found.html", "/a/b.png").as_deref(), Some("file:///a/b.png"));
        assert_eq!(link("/x/found.html", "/a/\"><script>.png").as_deref(), Some("file:///a/%22%3E%3Cscript%3E.png"));
    }

    #[test]
    fn a_path_is_never_a_script_or_another_site() {
        for (path, url) in [("javascript:alert(1)", "./javascript%3Aalert%281%29"), ("//host/x", "./host/x")] {
            assert_eq!(Link::below(Path::new(path)).url(), url);
        }
    }
}
