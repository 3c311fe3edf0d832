//! The comparison of a file's tensors with those its config asks for.

use std::collections::BTreeMap;

use super::Mismatch;

/// Compares names and shapes; gives all differences at once.
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
