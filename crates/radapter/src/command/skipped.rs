//! What `--on-error skip` left out, told on stderr.

use radapter_datasets::on_error::Skipped;

/// Names that are printed; the others are counted.
const NAMED: usize = 10;

/// Tells which images `--on-error skip` left out.
pub(crate) fn report_skipped(skipped: &[Skipped], total: usize) {
    if skipped.is_empty() {
        return;
    }
    let named: Vec<&str> = skipped.iter().take(NAMED).map(|image| image.name.as_str()).collect();
    let more = match skipped.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let count = skipped.len();
    tracing::warn!("{count} of {total} images could not be read and were left out: {}{more}", named.join(", "));
}
