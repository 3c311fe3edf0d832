//! Cleaning of a text before it is split into words: OpenCLIP's `clean="lower"`.

use std::borrow::Cow;

use super::fix_text::fix_text;
use super::html::unescape;
use super::white_space::collapse;

/// Repairs a text, decodes HTML references twice (captions scraped from the web are often escaped twice), collapses
/// white space and converts to lower case.
pub(super) fn clean(text: &str) -> String {
    let repaired = if needs_no_repair(text) { Cow::Borrowed(text) } else { Cow::Owned(fix_text(text)) };
    let once = unescape(&repaired);
    let twice = unescape(&once);
    lower(&collapse(&twice))
}

/// Printable ASCII without an ampersand passes the repair unchanged; nearly every caption is that.
fn needs_no_repair(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\t' | b'\n') && b != b'&')
}

/// Python's `str.lower`; Rust's has the same rules for the final sigma and for `İ`.
fn lower(text: &str) -> String {
    text.to_lowercase()
}
