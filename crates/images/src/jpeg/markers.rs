//! Parses the segments between markers: tables, the frame, hints about the colour space, scans.

use super::Fault;
use super::color::{self, ColorSpace};
use super::frame::Frame;
use super::huffman::HuffmanTable;
use super::scan::{self, Tables};
use super::transform::ZIGZAG;
use crate::error::ImageError;

/// Why reading failed.
pub(super) enum Stop {
    Fault(Fault),
    /// The image exceeds the limits.
    Limit(ImageError),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Reads the image at the scale that `shorter_side` allows. `check` accepts or refuses width and height before anything
/// of that size is allocated. Damage of the coded data is an error, or, if `recovers`, treated as libjpeg does.
pub(super) fn read(
    data: &[u8],
    shorter_side: Option<u32>,
    recovers: bool,
    check: impl Fn(u32, u32) -> Result<(), ImageError>,
) -> Result<(Frame, ColorSpace), Stop> {
    let mut tables = Tables::default();
    let mut hints = color::Hints::default();
    let mut frame: Option<Frame> = None;
    let mut scans = 0;
    // The end of a scan that has the whole image.
    let mut whole_at = None;
    // After the start marker.
    let mut at = 2;
    loop {
        // Pillow does not need what follows such a scan, if libjpeg could read ahead.
        let may_end = recovers && whole_at.is_some_and(|end| end + 8 <= data.len());
        let marker = match next_marker(data, &mut at) {
            Err(Fault::Truncated(_)) if may_end => break,
            marker => marker?,
        };
        if marker == END {
            break;
        }
        if matches!(marker, 0x01 | 0xd0..=0xd8) {
            continue;
        }
        // Comments, application data and the like, which libjpeg skips.
        let is_skipped = matches!(marker, 0xdc | 0xe0..=0xef | 0xfe);
        if recovers && !is_skipped && !matches!(marker, 0xc0..=0xdd) {
            Fault::corrupt(format!("the marker {marker:02X} is unknown"))?;
        }
        let segment = match segment(data, &mut at) {
            // Where their length is impossible, libjpeg ignores it.
            Err(Fault::Corrupt(_)) if recovers && is_skipped => {
                at += 2;
                continue;
            }
            Err(Fault::Truncated(_)) if may_end && is_skipped => break,
            segment => segment?,
        };
        match marker {
            0xc4 => read_huffman_tables(&mut tables, segment)?,
            0xdb => read_steps(&mut tables, segment)?,
            0xdd => match segment {
                [high, low] => tables.restart_interval = usize::from(u16::from_be_bytes([*high, *low])),
                _ => Fault::corrupt("the restart interval's segment has the wrong length")?,
            },
            0xc0..=0xc2 => {
                let mut parsed = Frame::parse(segment, marker == 0xc2, shorter_side)?;
                check(parsed.width, parsed.height).map_err(Stop::Limit)?;
                if frame.is_some() {
                    Fault::corrupt("there are two frames")?;
                }
                parsed.allocate();
                frame = Some(parsed);
            }
            0xc3 | 0xc5..=0xc7 | 0xcb | 0xcd..=0xcf => Err(Fault::Unsupported("lossless or hierarchical coding"))?,
            0xc9 | 0xca => Err(Fault::Unsupported("arithmetic coding"))?,
            0xda => {
                let Some(frame) = &mut frame else { return Err(Fault::Corrupt(EARLY_SCAN.into()).into()) };
                scans += 1;
                if scans > MAX_SCANS {
                    Fault::corrupt(format!("there are more than {MAX_SCANS} scans"))?;
                }
                at = scan::read(frame, &tables, segment, data, at, recovers)?;
                if !frame.progressive
                    && segment.first().is_some_and(|&parts| usize::from(parts) == frame.components.len())
                {
                    whole_at = Some(at);
                }
            }
            // libjpeg chooses the colour space at the first scan.
            0xe0 if scans == 0 => hints.read_app0(segment),
            0xee if scans == 0 => hints.read_app14(segment),
            // Comments and application data.
            _ => {}
        }
    }
    let Some(mut frame) = frame else { return Err(Fault::Corrupt("there is no frame header".into()).into()) };
    if recovers && scans > 0 {
        if frame.would_be_smoothed() {
            Fault::truncated("scans are missing, which libjpeg would make up for by smoothing")?;
        }
        frame.fill_missing_components();
    }
    if frame.components.iter().any(|component| component.steps.is_none()) {
        Fault::truncated("a colour component has no data")?;
    }
    let color = hints.color_space(&frame);
    frame.transform_accumulated();
    Ok((frame, color))
}

/// Most scans of an image; a usual progressive one has a dozen. A scan of a few bytes may go through the whole image,
/// so that a small file with thousands of scans would take minutes to decode.
const MAX_SCANS: usize = 500;

const EARLY_SCAN: &str = "a scan comes before the frame header";

/// The end-of-image marker.
const END: u8 = 0xd9;

/// The next marker. Other bytes are skipped, as in libjpeg.
fn next_marker(data: &[u8], at: &mut usize) -> Result<u8, Fault> {
    while let Some(offset) = data.get(*at..).and_then(|rest| rest.iter().position(|byte| *byte == 0xff)) {
        *at += offset + 1;
        match data.get(*at) {
            Some(0 | 0xff) => {}
            Some(marker) => {
                *at += 1;
                return Ok(*marker);
            }
            None => break,
        }
    }
    Fault::truncated("the end marker is missing")
}

/// The segment after a marker, without its length field.
fn segment<'a>(data: &'a [u8], at: &mut usize) -> Result<&'a [u8], Fault> {
    let Some(length) = data.get(*at..).and_then(|rest| rest.first_chunk()) else {
        return Fault::truncated("a segment's length is missing");
    };
    let length = usize::from(u16::from_be_bytes(*length));
    if length < 2 {
        return Fault::corrupt("a segment is shorter than its length field");
    }
    let Some(segment) = data.get(*at + 2..*at + length) else {
        return Fault::truncated("a segment is incomplete");
    };
    *at += length;
    Ok(segment)
}

fn read_huffman_tables(tables: &mut Tables, mut segment: &[u8]) -> Result<(), Fault> {
    while let [kind, rest @ ..] = segment {
        let Some((counts, rest)) = rest.split_first_chunk::<16>() else {
            return Fault::corrupt("a Huffman table is incomplete");
        };
        let total = counts.iter().map(|count| usize::from(*count)).sum();
        let (Some(symbols), class, number) = (rest.get(..total), kind >> 4, usize::from(kind & 15)) else {
            return Fault::corrupt("a Huffman table is incomplete");
        };
        if class > 1 || number > 3 || total > 256 {
            return Fault::corrupt("a Huffman table has a number or size that the standard does not allow");
        }
        let slot = if class == 0 { &mut tables.dc[number] } else { &mut tables.ac[number] };
        *slot = Some(HuffmanTable::new(counts, symbols)?);
        segment = &rest[total..];
    }
    Ok(())
}

fn read_steps(tables: &mut Tables, mut segment: &[u8]) -> Result<(), Fault> {
    while let [kind, rest @ ..] = segment {
        let (wide, number) = (kind >> 4, usize::from(kind & 15));
        if wide > 1 || number > 3 {
            return Fault::corrupt("a quantization table has a number or width that the standard does not allow");
        }
        let bytes = 64 << wide;
        let Some(values) = rest.get(..bytes) else { return Fault::corrupt("a quantization table is incomplete") };
        let mut steps = [0; 64];
        for (k, value) in values.chunks_exact(1 << wide).enumerate() {
            steps[usize::from(ZIGZAG[k])] = value.iter().fold(0, |step, byte| step << 8 | u16::from(*byte));
        }
        tables.steps[number] = Some(steps);
        segment = &rest[bytes..];
    }
    Ok(())
}
