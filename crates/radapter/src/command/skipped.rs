//! Reports what `--on-error skip` left out.

use radapter_datasets::on_error::Skipped;

/// Maximum number of names printed; the others are counted.
const NAMED: usize = 10;

/// Warns of the images that `--on-error skip` left out.
pub(crate) fn report_skipped(skipped: &[Skipped], total: usize) {
    if !skipped.is_empty() {
        let count = skipped.len();
        tracing::warn!("{count} of {total} images could not be read and were left out: {}", named(skipped));
    }
}

/// Warns of entries of any kind that `--on-error skip` left out: shards, samples, captions.
pub(crate) fn report_left_out(skipped: &[Skipped]) {
    if !skipped.is_empty() {
        tracing::warn!("{} entries of the captions were left out: {}", skipped.len(), named(skipped));
    }
}

fn named(skipped: &[Skipped]) -> String {
    let named: Vec<&str> = skipped.iter().take(NAMED).map(|entry| entry.name.as_str()).collect();
    match skipped.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
