//! Whether a PNG or WebP file is all there, and how large a PNG says it is: read from the container, before a decoder sees
//! the file. Decoders differ in what they do about an end that comes too early.

use crate::error::ImageError;

/// A PNG's signature and the lengths around a chunk: length and name before, checksum behind.
const SIGNATURE: usize = 8;
const BEFORE: usize = 8;
const BEHIND: usize = 4;

/// Width and height by a PNG's header; none if there is no whole header.
pub(super) fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let (header, _) = bytes.get(SIGNATURE + BEFORE..)?.split_first_chunk::<8>()?;
    let [w0, w1, w2, w3, h0, h1, h2, h3] = *header;
    Some((u32::from_be_bytes([w0, w1, w2, w3]), u32::from_be_bytes([h0, h1, h2, h3])))
}

/// Checks that a PNG goes on to its end chunk. Pillow lets a missing one pass if all pixels are there; here the file is cut.
pub(super) fn check_png(bytes: &[u8], name: &str) -> Result<(), ImageError> {
    let mut at = SIGNATURE;
    while let Some(&[l0, l1, l2, l3, ref kind @ ..]) = bytes.get(at..).and_then(|rest| rest.first_chunk::<BEFORE>()) {
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let end = at.saturating_add(BEFORE + BEHIND).saturating_add(length);
        if end > bytes.len() {
            break;
        }
        if kind == b"IEND" {
            return Ok(());
        }
        at = end;
    }
    let message = format!("the end chunk is missing after {} bytes", bytes.len());
    Err(ImageError::Truncated { name: name.into(), format: "PNG", message })
}

/// Checks that a WebP is as long as it says.
pub(super) fn check_webp(bytes: &[u8], name: &str) -> Result<(), ImageError> {
    let size = bytes.get(4..).and_then(|rest| rest.first_chunk()).map_or(0, |size| u32::from_le_bytes(*size));
    let announced = u64::from(size) + 8;
    if (bytes.len() as u64) < announced {
        let message = format!("{} of {announced} bytes are there", bytes.len());
        return Err(ImageError::Truncated { name: name.into(), format: "WebP", message });
    }
    Ok(())
}
