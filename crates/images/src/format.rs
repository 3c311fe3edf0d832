//! Detects a file's format from its first bytes, whatever its name says, and checks that a PNG or WebP is complete.

use radapter_files::{LFS_POINTER, LFS_SIGNATURE};

use crate::error::ImageError;

/// A format with a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Jpeg,
    Png,
    WebP,
    Bmp,
    Gif,
    Tiff,
    Pnm,
}

/// The detected content of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Image(Format),
    /// An image of another format.
    OtherImage(&'static str),
    /// Anything else, described for an error message.
    Other(String),
}

/// Signatures of image formats without a decoder.
const OTHER_IMAGES: &[(&[u8], &str)] = &[
    (b"\0\0\x01\0", "ICO"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "Photoshop"),
    (b"qoif", "QOI"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
];

/// Signatures of other files that are found under an image's name.
const OTHERS: &[(&[u8], &str)] = &[
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (LFS_SIGNATURE, LFS_POINTER),
];

/// Detects the content from its signature.
pub(crate) fn sniff(bytes: &[u8]) -> Content {
    if bytes.starts_with(b"\xff\xd8\xff") {
        return Content::Image(Format::Jpeg);
    }
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Content::Image(Format::Png);
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Content::Image(Format::WebP);
    }
    const SIGNATURES: [(&[u8], Format); 6] = [
        (b"GIF8", Format::Gif),
        (b"BM", Format::Bmp),
        (b"II*\0", Format::Tiff),
        (b"MM\0*", Format::Tiff),
        // BigTIFF's.
        (b"II+\0", Format::Tiff),
        (b"MM\0+", Format::Tiff),
    ];
    if let Some((_, format)) = SIGNATURES.iter().find(|(signature, _)| bytes.starts_with(signature)) {
        return Content::Image(*format);
    }
    // Two letters alone would also begin a text: a width or a comment follows.
    if let [b'P', kind @ b'1'..=b'7', space, next, ..] = bytes
        && space.is_ascii_whitespace()
        && (next.is_ascii_digit() || next.is_ascii_whitespace() || *next == b'#' || *kind == b'7' && *next == b'W')
    {
        return Content::Image(Format::Pnm);
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return match bytes.get(8..12) {
            Some(b"avif" | b"avis") => Content::OtherImage("AVIF"),
            Some(b"heic" | b"heix" | b"mif1" | b"msf1") => Content::OtherImage("HEIC"),
            _ => Content::Other("a video".into()),
        };
    }
    let starts = |signatures: &[(&'static [u8], &'static str)]| {
        signatures.iter().find(|(signature, _)| bytes.starts_with(signature)).map(|(_, name)| *name)
    };
    if let Some(name) = starts(OTHER_IMAGES) {
        return Content::OtherImage(name);
    }
    Content::Other(starts(OTHERS).map_or_else(|| describe(bytes), String::from))
}

/// Describes bytes without a known signature.
fn describe(bytes: &[u8]) -> String {
    const SHOWN: usize = 40;
    if bytes.is_empty() {
        return "an empty file".into();
    }
    let head = &bytes[..bytes.len().min(512)];
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The head may end inside a character.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or(""),
        Err(_) => "",
    };
    let printable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    if text.is_empty() || !text.chars().all(printable) {
        let hex: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        return format!("unknown data that starts with {}", hex.join(" "));
    }
    let lower = text.trim_start().to_ascii_lowercase();
    let kind = if lower.starts_with("<!doctype html") || lower.starts_with("<html") { "a web page" } else { "text" };
    let shown: String = text.chars().take(SHOWN).collect();
    format!("{kind} that starts with {shown:?}")
}

/// Bytes of a PNG's signature.
const SIGNATURE: usize = 8;
/// Bytes of a PNG chunk before its data: length and name.
const BEFORE: usize = 8;
/// Bytes of a PNG chunk after its data: the checksum.
const AFTER: usize = 4;

/// Width and height from a PNG's header, `None` if the header is incomplete.
pub(crate) fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let (header, _) = bytes.get(SIGNATURE + BEFORE..)?.split_first_chunk::<8>()?;
    let [w0, w1, w2, w3, h0, h1, h2, h3] = *header;
    Some((u32::from_be_bytes([w0, w1, w2, w3]), u32::from_be_bytes([h0, h1, h2, h3])))
}

/// Checks that a PNG has its end chunk and whole palette entries, before the decoder runs: decoders differ in how they
/// treat a file that ends early, and Pillow accepts a missing end chunk where all pixels are present.
pub(crate) fn check_png(bytes: &[u8], name: &str) -> Result<(), ImageError> {
    let mut at = SIGNATURE;
    while let Some(&[l0, l1, l2, l3, ref kind @ ..]) = bytes.get(at..).and_then(|rest| rest.first_chunk::<BEFORE>()) {
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let end = at.saturating_add(BEFORE + AFTER).saturating_add(length);
        if end > bytes.len() {
            break;
        }
        match kind {
            b"IEND" => return Ok(()),
            // The png crate (0.18.1) panics on any other when it looks colours up.
            b"PLTE" if !(length.is_multiple_of(3) && (3..=768).contains(&length)) => {
                let message = format!("a palette of {length} bytes; expected 3 for each of 1 to 256 colours");
                return Err(ImageError::Corrupt { name: name.into(), format: "PNG", message });
            }
            _ => at = end,
        }
    }
    let message = format!("ends at byte {} without an end chunk", bytes.len());
    Err(ImageError::Truncated { name: name.into(), format: "PNG", message })
}

/// Checks that a WebP is as long as its header declares.
pub(crate) fn check_webp(bytes: &[u8], name: &str) -> Result<(), ImageError> {
    let size = bytes.get(4..).and_then(|rest| rest.first_chunk()).map_or(0, |size| u32::from_le_bytes(*size));
    let declared = u64::from(size) + 8;
    if (bytes.len() as u64) < declared {
        let message = format!("ends at byte {} of {declared}", bytes.len());
        return Err(ImageError::Truncated { name: name.into(), format: "WebP", message });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_it_finds() {
        let other = |bytes: &[u8]| match sniff(bytes) {
            Content::Other(words) => words,
            content => format!("{content:?}"),
        };
        assert_eq!(sniff(b"\xff\xd8\xff\xe0"), Content::Image(Format::Jpeg));
        assert_eq!(sniff(b"RIFF\0\0\0\0WEBPVP8 "), Content::Image(Format::WebP));
        assert_eq!(sniff(b"GIF89a"), Content::Image(Format::Gif));
        assert_eq!(sniff(b"MM\0*\0\0\0\x08"), Content::Image(Format::Tiff));
        assert_eq!(sniff(b"P6\n2 2\n255\n"), Content::Image(Format::Pnm));
        assert_eq!(other(b"P6 is not a header"), "text that starts with \"P6 is not a header\"");
        assert_eq!(sniff(b"8BPS"), Content::OtherImage("Photoshop"));
        assert_eq!(sniff(b"\0\0\0\x1cftypavif"), Content::OtherImage("AVIF"));
        assert_eq!(other(b""), "an empty file");
        assert_eq!(other(b"404 not found\n"), "text that starts with \"404 not found\\n\"");
        assert!(other(b"<!DOCTYPE html><title>").starts_with("a web page"));
        assert_eq!(other(b"\x01\x02\xfe"), "unknown data that starts with 01 02 fe");
        let cut_character = [&[b'a'; 511][..], "é".as_bytes()].concat();
        assert!(other(&cut_character).starts_with("text"));
    }
}
