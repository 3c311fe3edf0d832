//! The repair of mojibake: text in UTF-8 that some program read as a single-byte encoding.
//!
//! Suspicious text is put back into each encoding it may have been read in; the first whose bytes are UTF-8 was it.
//! Where no encoding fits the whole text, sequences that look like UTF-8 are repaired one by one.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::bytes::{Captures, Regex};

use super::badness::is_bad;
use super::codecs::{CODECS, c1_as_windows_1252, decode_utf8};
use super::tables::{UTF8_CONTINUATION, UTF8_CONTINUATION_STRICT, UTF8_FIRST_OF_2, UTF8_FIRST_OF_3, UTF8_FIRST_OF_4};

/// Sequences inside sequences are followed this deep; each level is shorter than the one above, and two are rare.
const MAX_DEPTH: usize = 16;

/// ftfy's `fix_encoding`.
pub(super) fn fix_encoding(text: &str) -> Cow<'_, str> {
    fix_to_depth(text, MAX_DEPTH)
}

fn fix_to_depth(text: &str, depth: usize) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    // Every step but the exchange of controls makes the text shorter, so the loop ends; the bound is a safeguard.
    for _ in 0..super::MAX_ROUNDS {
        match fix_step(&text, depth) {
            Some(fixed) if fixed != text => text = Cow::Owned(fixed),
            _ => break,
        }
    }
    text
}

/// One step of the repair; `None` if there is nothing to do.
fn fix_step(text: &str, depth: usize) -> Option<String> {
    if text.is_ascii() || !is_bad(text) {
        return None;
    }
    for codec in CODECS.iter() {
        let Some(mut bytes) = codec.encode(text) else { continue };
        // In Mac OS Roman the sequence is an en dash and a space, which is plausible text.
        if !codec.is_macroman() && ALTERED_UTF8.is_match(&bytes) {
            bytes = restore_byte_a0(&bytes);
        }
        if codec.is_sloppy() {
            bytes = LOSSY_UTF8.replace_all(&bytes, "\u{fffd}".as_bytes()).into_owned();
        }
        if let Some(fixed) = decode_utf8(&bytes) {
            return Some(fixed);
        }
    }
    if let Some(fixed) = decode_inconsistent_utf8(text, depth) {
        return Some(fixed);
    }
    // Latin-1's C1 controls were meant as the windows-1252 characters in their places. (ftfy distinguishes two cases
    // here with equal results.)
    text.contains(|c| ('\u{80}'..='\u{9f}').contains(&c)).then(|| text.chars().map(c1_as_windows_1252).collect())
}

/// UTF-8 whose byte A0 was read as a space and written as one.
static ALTERED_UTF8: LazyLock<Regex> = LazyLock::new(|| {
    bytes_regex(
        r"[\xc2\xc3\xc5\xce\xd0\xd9] |[\xe2\xe3] [\x80-\x84\x86-\x9f\xa1-\xbf]|[\xe0-\xe3][\x80-\x84\x86-\x9f\xa1-\xbf] |\xf0 [\x80-\xbf][\x80-\xbf]|\xf0[\x80-\xbf] [\x80-\xbf]|\xf0[\x80-\xbf][\x80-\xbf] ",
    )
});

/// UTF-8 in which byte 1A, and sometimes `?`, replaces lost continuation bytes.
static LOSSY_UTF8: LazyLock<Regex> = LazyLock::new(|| {
    bytes_regex(
        r"[\xc2-\xdf]\x1a|[\xc2-\xc3]\?|\xed[\xa0-\xaf][\x1a?]\xed[\xb0-\xbf][\x1a?\x80-\xbf]|\xed[\xa0-\xaf][\x1a?\x80-\xbf]\xed[\xb0-\xbf][\x1a?]|[\xe0-\xef][\x1a?][\x1a\x80-\xbf]|[\xe0-\xef][\x1a\x80-\xbf][\x1a?]|[\xf0-\xf4][\x1a?][\x1a\x80-\xbf][\x1a\x80-\xbf]|[\xf0-\xf4][\x1a\x80-\xbf][\x1a?][\x1a\x80-\xbf]|[\xf0-\xf4][\x1a\x80-\xbf][\x1a\x80-\xbf][\x1a?]|\x1a",
    )
});

fn bytes_regex(pattern: &str) -> Regex {
    Regex::new(&format!("(?-u){pattern}")).expect("the pattern is a constant")
}

/// Puts byte A0 back where a space stands for it. A lone `Ã` before a space is French or Portuguese `à` and keeps the
/// space, but for the Portuguese words that begin with it.
fn restore_byte_a0(bytes: &[u8]) -> Vec<u8> {
    let mut words = Vec::with_capacity(bytes.len() + 8);
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        let begins_a_word =
            |rest: &[u8]| [&b" "[..], b"quele", b"quela", b"quilo", b"s "].iter().any(|start| rest.starts_with(start));
        if first == 0xc3 && after.first() == Some(&b' ') && !begins_a_word(&after[1..]) {
            words.extend_from_slice(b"\xc3\xa0 ");
            rest = &after[1..];
        } else {
            words.push(first);
            rest = after;
        }
    }
    let with_a0 =
        |found: &Captures<'_>| found[0].iter().map(|&b| if b == b' ' { 0xa0 } else { b }).collect::<Vec<u8>>();
    ALTERED_UTF8.replace_all(&words, with_a0).into_owned()
}

/// Repairs the sequences that look like UTF-8 read in some encoding, each on its own; none if nothing changed.
fn decode_inconsistent_utf8(text: &str, depth: usize) -> Option<String> {
    if depth == 0 {
        return None;
    }
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    let mut before = None;
    while let Some(c) = text[at..].chars().next() {
        let free = before.is_none_or(|before| !within(UTF8_CONTINUATION_STRICT, before));
        let length = if free { sequences(&text[at..]) } else { 0 };
        let found = &text[at..at + length];
        // A sequence that is the whole text has been tried already.
        if found.len() < text.len() && !found.is_empty() && is_bad(found) {
            out.push_str(&text[copied..at]);
            out.push_str(&fix_to_depth(found, depth - 1));
            copied = at + length;
        }
        let step = if length > 0 { length } else { c.len_utf8() };
        before = text[..at + step].chars().next_back();
        at += step;
    }
    out.push_str(&text[copied..]);
    (copied > 0 && out != text).then_some(out)
}

/// Length in bytes of the run of sequences at the start that look like UTF-8 in a wrong encoding.
fn sequences(text: &str) -> usize {
    let mut chars = text.chars();
    let mut length = 0;
    while let Some(first) = chars.next() {
        let continuations = if within(UTF8_FIRST_OF_2, first) {
            1
        } else if within(UTF8_FIRST_OF_3, first) {
            2
        } else if within(UTF8_FIRST_OF_4, first) {
            3
        } else {
            break;
        };
        let complete = (0..continuations).all(|_| chars.next().is_some_and(|c| within(UTF8_CONTINUATION, c)));
        if !complete {
            break;
        }
        length = text.len() - chars.as_str().len();
    }
    length
}

fn within(ranges: &[(char, char)], c: char) -> bool {
    let after = ranges.partition_point(|&(first, _)| first <= c);
    after > 0 && c <= ranges[after - 1].1
}
