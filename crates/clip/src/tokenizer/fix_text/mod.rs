//! Repairs broken text as [ftfy](https://ftfy.readthedocs.io) 6.3.1 does with its default settings, which OpenCLIP
//! runs on every text: HTML references, mojibake (UTF-8 read in another encoding), C1 controls, ligatures, full-width
//! and half-width forms, curly quotes, line breaks, terminal escapes, control characters, NFC.
//!
//! All of ftfy's repairs of text are here, mojibake included. Differences:
//! * A Rust string holds no surrogates, so there are none to repair (nor does a text that Python reads from UTF-8).
//! * ftfy repeats its steps until nothing changes; here it is [`MAX_ROUNDS`] at most, so that a text crafted to need
//!   thousands (`&amp;amp;amp;…`) does not take quadratic time. Real text needs two or three.
//! * The Unicode version is that of this program, not of the installed Python, for characters assigned in between.

mod badness;
mod characters;
mod codecs;
mod encoding;
#[rustfmt::skip]
mod tables;

use super::html;

/// Rounds after which the repair stops.
const MAX_ROUNDS: usize = 100;

/// ftfy's longest segment, in characters.
const MAX_SEGMENT: usize = 1_000_000;

/// ftfy's `fix_text`: each line on its own.
pub(super) fn fix_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut entities = true;
    for line in text.split_inclusive('\n') {
        for segment in Segments(line) {
            // A tag marks the text as HTML, whose references are intended; the following lines are the same document.
            entities &= !segment.contains('<');
            out.push_str(&fix_segment(segment, entities));
        }
    }
    out
}

fn fix_segment(segment: &str, entities: bool) -> String {
    let mut text = segment.to_owned();
    for _ in 0..MAX_ROUNDS {
        let decoded = if entities { html::unescape_closed(&text) } else { text.as_str().into() };
        let fixed = characters::fix(&encoding::fix_encoding(&decoded));
        if fixed == text {
            break;
        }
        text = fixed;
    }
    text
}

/// Pieces of a line of at most [`MAX_SEGMENT`] characters.
struct Segments<'a>(&'a str);

impl<'a> Iterator for Segments<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.char_indices().nth(MAX_SEGMENT).map_or(self.0.len(), |(i, _)| i);
        let (segment, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(segment)
    }
}
