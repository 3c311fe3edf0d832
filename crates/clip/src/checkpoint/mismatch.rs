//! The comparison of a file's tensors with those that its config asks for.

use std::collections::BTreeMap;
use std::fmt;

/// Compares names and shapes, and returns all differences at once.
pub(super) fn compare<'a>(
    expected: Vec<(String, Vec<usize>)>,
    found: impl Iterator<Item = (&'a str, &'a [usize])>,
) -> Result<(), Box<Mismatch>> {
    let mut found: BTreeMap<&str, &[usize]> = found.collect();
    let mut mismatch = Box::<Mismatch>::default();
    for (name, expected) in expected {
        match found.remove(name.as_str()) {
            None => mismatch.missing.push((name, expected)),
            Some(shape) if shape != expected => mismatch.misshapen.push((name, expected, shape.to_vec())),
            Some(_) => {}
        }
    }
    mismatch.extra = found.into_iter().map(|(name, shape)| (name.to_owned(), shape.to_vec())).collect();
    if mismatch.is_empty() { Ok(()) } else { Err(mismatch) }
}

/// How a file's tensors differ from those that its config asks for, all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// Tensors that are not there, with the shape expected.
    pub missing: Vec<(String, Vec<usize>)>,
    /// Tensors that nothing asks for, with the shape found.
    pub extra: Vec<(String, Vec<usize>)>,
    /// Tensors of another shape: name, shape expected, shape found.
    pub misshapen: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl Mismatch {
    /// Whether there is no difference.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.extra.is_empty() && self.misshapen.is_empty()
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the tensors do not fit the config: {} missing, {} not expected, {} of another shape",
            self.missing.len(),
            self.extra.len(),
            self.misshapen.len()
        )?;
        list(f, &self.missing, |(name, expected)| format!("missing `{name}`: expected {expected:?}"))?;
        list(f, &self.extra, |(name, found)| format!("not expected `{name}`: found {found:?}"))?;
        list(f, &self.misshapen, |(name, expected, found)| {
            format!("another shape `{name}`: expected {expected:?}, found {found:?}")
        })
    }
}

/// The first of a list, one per line, and the number of the rest: a whole tower may be missing.
fn list<T>(f: &mut fmt::Formatter<'_>, items: &[T], line: impl Fn(&T) -> String) -> fmt::Result {
    const SHOWN: usize = 20;
    for item in items.iter().take(SHOWN) {
        write!(f, "\n  {}", line(item))?;
    }
    match items.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        rest => write!(f, "\n  … and {rest} more"),
    }
}
