//! The encodings that mojibake comes from, and the UTF-8 that it was meant to be.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::tables::{CHARMAPS, Charmap};

/// Byte 1A stands for U+FFFD in the sloppy encodings: a character that an earlier program could not decode.
const SUBSTITUTE: u8 = 0x1a;

/// A single-byte encoding, ready to encode.
pub(super) struct Codec {
    charmap: &'static Charmap,
    bytes: HashMap<char, u8>,
}

/// The encodings in the order in which they are tried.
pub(super) static CODECS: LazyLock<Vec<Codec>> = LazyLock::new(|| {
    CHARMAPS
        .iter()
        .map(|charmap| Codec { charmap, bytes: charmap.high.chars().zip(0x80..=u8::MAX).collect() })
        .collect()
});

impl Codec {
    /// The text in this encoding; none if a character has no place in it.
    pub(super) fn encode(&self, text: &str) -> Option<Vec<u8>> {
        text.chars().map(|c| self.byte(c)).collect()
    }

    fn byte(&self, c: char) -> Option<u8> {
        match c {
            '\u{1a}' if self.charmap.sloppy => None,
            '\0'..='\x7f' => Some(c as u8),
            char::REPLACEMENT_CHARACTER if self.charmap.sloppy => Some(SUBSTITUTE),
            _ => self.bytes.get(&c).copied(),
        }
    }

    /// Whether this is one of the encodings with holes, which are filled with Latin-1's controls.
    pub(super) fn is_sloppy(&self) -> bool {
        self.charmap.sloppy
    }

    /// Whether this is Mac OS Roman.
    pub(super) fn is_macroman(&self) -> bool {
        self.charmap.name == "macroman"
    }
}

/// A C1 control as the character that windows-1252 has in its place, as browsers read it; five stay controls.
pub(super) fn c1_as_windows_1252(c: char) -> char {
    static WINDOWS_1252: LazyLock<Vec<char>> = LazyLock::new(|| {
        let charmap = CHARMAPS.iter().find(|charmap| charmap.name == "sloppy-windows-1252");
        charmap.expect("the table has windows-1252").high.chars().take(32).collect()
    });
    match c {
        '\u{80}'..='\u{9f}' => WINDOWS_1252[c as usize - 0x80],
        _ => c,
    }
}

/// Decodes UTF-8 strictly, or, where bytes ED and C0 hint at it, the variants of it that Java and old databases write:
/// surrogate pairs as two three-byte sequences (CESU-8), and C0 80 for U+0000.
pub(super) fn decode_utf8(bytes: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|b| matches!(b, 0xc0 | 0xed)) {
        let (plain, special) = rest.split_at(at);
        out.push_str(std::str::from_utf8(plain).ok()?);
        let taken = match special {
            // ftfy's pattern ends in `$`, which in Python also matches before a final line break.
            [0xc0, 0x80, ..] | [0xc0, b'\n'] => {
                out.push('\0');
                2
            }
            [0xed, 0x80..=0x9f, 0x80..=0xbf, ..] => {
                out.push_str(std::str::from_utf8(&special[..3]).ok()?);
                3
            }
            [0xed, b1 @ 0xa0..=0xaf, b2 @ 0x80..=0xbf, 0xed, b4 @ 0xb0..=0xbf, b5, ..]
                if matches!(b5, 0x80..=0xbf) || special[5..] == *b"\n" =>
            {
                let bits = |b: &u8, mask: u8| u32::from(b & mask);
                let code = (bits(b1, 0x0f) << 16) + (bits(b2, 0x3f) << 10) + (bits(b4, 0x0f) << 6) + bits(b5, 0x3f);
                out.push(char::from_u32(code + 0x1_0000)?);
                6
            }
            _ => return None,
        };
        rest = &special[taken..];
    }
    out.push_str(std::str::from_utf8(rest).ok()?);
    Some(out)
}
