//! The repairs that look at single characters or short sequences of them.

use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::codecs;
use super::tables::LIGATURES;

/// C1 controls, ligatures, widths, quotes, line breaks, terminal escapes, control characters and NFC, in ftfy's order.
pub(super) fn fix(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        push_standard(codecs::c1_as_windows_1252(c), &mut out);
    }
    let out = fix_line_breaks(out);
    let mut out = remove_terminal_escapes(out);
    out.retain(|c| !is_unwanted_control(c));
    if is_nfc(&out) { out } else { out.nfc().collect() }
}

/// Appends the character, or what stands for it: a ligature's letters, the standard width, a straight quote.
fn push_standard(c: char, out: &mut String) {
    if c < '\u{132}' {
        out.push(c);
    } else if let Some((_, letters)) = LIGATURES.iter().find(|(ligature, _)| *ligature == c) {
        out.extend(letters.chars().map(straight_quote));
    } else if c == '\u{3000}' {
        out.push(' ');
    } else if ('\u{ff01}'..'\u{fff0}').contains(&c) {
        out.extend(std::iter::once(c).nfkc().map(straight_quote));
    } else {
        out.push(straight_quote(c));
    }
}

fn straight_quote(c: char) -> char {
    match c {
        '\u{2bc}' | '\u{2018}'..='\u{201b}' => '\'',
        '\u{201c}'..='\u{201f}' => '"',
        _ => c,
    }
}

/// Every kind of line break becomes `\n`. (NEXT LINE is a C1 control and gone by now.)
fn fix_line_breaks(text: String) -> String {
    if !text.contains(['\r', '\u{2028}', '\u{2029}']) {
        return text;
    }
    text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n")
}

/// Escape sequences that colour text in a terminal.
fn remove_terminal_escapes(text: String) -> String {
    static ESCAPE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\x1b\[[\p{Nd};]*[a-zA-Z]").expect("the pattern is a constant"));
    if !text.contains('\x1b') {
        return text;
    }
    ESCAPE.replace_all(&text, "").into_owned()
}

/// Controls without an effect on how text looks: ASCII's but for white space, deprecated Arabic ones, interlinear
/// annotation, object replacement, byte order mark.
fn is_unwanted_control(c: char) -> bool {
    matches!(c,
        '\0'..='\x08' | '\x0b' | '\x0e'..='\x1f' | '\x7f' | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}')
}
