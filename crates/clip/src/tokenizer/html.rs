//! HTML character references, by two rules: Python's `html.unescape`, which decodes whatever a browser does, and
//! ftfy's, which decodes only what cannot be meant literally.
//!
//! `htmlize`'s own unescape follows the WHATWG standard, from which Python's differs (a reference of 32 characters is
//! skipped whole, forbidden code points vanish), so only its table of names is used.

use std::borrow::Cow;

use htmlize::ENTITIES;

/// Python's `html.unescape`.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    replace_references(text, |rest| match rest.as_bytes().get(1) {
        Some(b'#') => numeric_reference(rest),
        _ => named_reference(rest),
    })
}

/// ftfy's `unescape_html`: references that end in a semicolon, and those whose name was put in capitals.
pub(super) fn unescape_closed(text: &str) -> Cow<'_, str> {
    replace_references(text, |rest| {
        let reference = closed_reference(rest)?;
        let replacement = if reference.as_bytes()[1] == b'#' {
            // `&#59;` stays, as does `&#12a;`: with a semicolon left over, the reference was not all decoded.
            Some(unescape(reference).into_owned()).filter(|decoded| !decoded.contains(';'))
        } else {
            ENTITIES.get(reference.as_bytes()).map(|characters| utf8(characters).to_owned())
        };
        Some((reference.len(), replacement.or_else(|| capitals_reference(reference))?))
    })
}

/// Replaces what `decode` recognises at each ampersand: it gives the number of bytes taken and what they become.
fn replace_references(text: &str, decode: impl Fn(&str) -> Option<(usize, String)>) -> Cow<'_, str> {
    let Some(mut at) = text.find('&') else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    loop {
        let next = match decode(&text[at..]) {
            Some((taken, replacement)) => {
                out.push_str(&text[copied..at]);
                out.push_str(&replacement);
                copied = at + taken;
                copied
            }
            None => at + 1,
        };
        match text[next..].find('&') {
            Some(offset) => at = next + offset,
            None => break,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// `&#[0-9]+;?` or `&#[xX][0-9a-fA-F]+;?` at the start of `rest`.
fn numeric_reference(rest: &str) -> Option<(usize, String)> {
    let bytes = rest.as_bytes();
    let hex = matches!(bytes.get(2), Some(b'x' | b'X'));
    let (start, radix) = if hex { (3, 16) } else { (2, 10) };
    let digits = bytes[start.min(bytes.len())..].iter().take_while(|b| char::from(**b).is_digit(radix)).count();
    if digits == 0 {
        return None;
    }
    let mut taken = start + digits;
    // A number too large for u32 is past the last code point too.
    let code = u32::from_str_radix(&rest[start..taken], radix).unwrap_or(u32::MAX);
    taken += usize::from(bytes.get(taken) == Some(&b';'));
    Some((taken, numbered(code).map(String::from).unwrap_or_default()))
}

/// The character that a numeric reference stands for by the HTML standard; none for the code points it forbids.
fn numbered(code: u32) -> Option<char> {
    /// Bytes 80 to 9F are read as windows-1252, the encoding that the pages which write them are in.
    const WINDOWS_1252: [char; 32] = [
        '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2c6}',
        '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}', '\u{90}', '\u{2018}', '\u{2019}',
        '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}', '\u{203a}',
        '\u{153}', '\u{9d}', '\u{17e}', '\u{178}',
    ];
    match code {
        0 => Some(char::REPLACEMENT_CHARACTER),
        0x80..=0x9f => Some(WINDOWS_1252[(code - 0x80) as usize]),
        0x1..=0x8 | 0xb | 0xe..=0x1f | 0x7f | 0xfdd0..=0xfdef => None,
        _ if code <= 0x10_ffff && code & 0xfffe == 0xfffe => None,
        // Surrogates and what lies beyond the last code point.
        _ => Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)),
    }
}

/// `&[^\t\n\f <&#;]{1,32};?` at the start of `rest`: the name itself, or the longest known name that it begins with.
/// A reference without one stays as it is, but counts as read: an ampersand is never inside.
fn named_reference(rest: &str) -> Option<(usize, String)> {
    let is_end = |c: char| matches!(c, '\t' | '\n' | '\x0c' | ' ' | '<' | '&' | '#' | ';');
    let (last, c) = rest.char_indices().skip(1).take(32).take_while(|&(_, c)| !is_end(c)).last()?;
    let open = last + c.len_utf8();
    let whole = open + usize::from(rest[open..].starts_with(';'));
    let characters = |end: usize| ENTITIES.get(&rest.as_bytes()[..end]).map(|characters| utf8(characters).to_owned());
    if let Some(replacement) = characters(whole) {
        return Some((whole, replacement));
    }
    // Names are ASCII letters and digits, two at least.
    let plain = rest.bytes().skip(1).take_while(u8::is_ascii_alphanumeric).count();
    let longest = (1 + plain).min(whole - 1);
    (3..=longest).rev().find_map(|end| Some((end, characters(end)?)))
}

/// `&#?[0-9A-Za-z]{1,24};` at the start of `rest`.
fn closed_reference(rest: &str) -> Option<&str> {
    let bytes = rest.as_bytes();
    let start = 1 + usize::from(bytes.get(1) == Some(&b'#'));
    let name = bytes[start..].iter().take(25).take_while(|b| b.is_ascii_alphanumeric()).count();
    let end = start + name;
    ((1..=24).contains(&name) && bytes.get(end) == Some(&b';')).then(|| &rest[..=end])
}

/// `&EACUTE;`: a name that is all lower case, put in capitals as a whole, is the capital of its character, unless HTML
/// knows what it begins with.
fn capitals_reference(reference: &str) -> Option<String> {
    let lower = reference.to_ascii_lowercase();
    let characters = utf8(ENTITIES.get(lower.as_bytes())?);
    (reference.to_ascii_uppercase() == reference && unescape(reference) == reference).then(|| characters.to_uppercase())
}

fn utf8(characters: &'static [u8]) -> &'static str {
    std::str::from_utf8(characters).expect("the table of entities holds UTF-8")
}
