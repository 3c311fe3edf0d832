//! Inputs that are deep, long or large, for every target at once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use radapter_fuzz::TARGETS;

/// Far more than any of the inputs takes, even where tests share the processor.
const LONGEST: Duration = Duration::from_secs(60);

/// A safetensors file: the length of the header, the header, the data.
fn safetensors(length: u64, header: &str, data: &[u8]) -> Vec<u8> {
    [&length.to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// An archive of numpy with one stored array.
fn npz(array: &[u8]) -> Vec<u8> {
    let name = b"masks.npy";
    let size = (array.len() as u32).to_le_bytes();
    let sum = array.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 })
    });
    let common =
        [&[0; 8][..], &(!sum).to_le_bytes(), &size, &size, &(name.len() as u16).to_le_bytes(), &[0, 0]].concat();
    let local = [b"PK\x03\x04\x14\0", &common[..], name, array].concat();
    let central = [b"PK\x01\x02\x14\0\x14\0", &common[..], &[0; 14], name].concat();
    let (start, length) = ((local.len() as u32).to_le_bytes(), (central.len() as u32).to_le_bytes());
    [&local[..], &central, b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &length, &start, b"\0\0"].concat()
}

fn npy(version: u8, claimed: u32, header: &str) -> Vec<u8> {
    let length = claimed.to_le_bytes();
    let length = if version == 1 { &length[..2] } else { &length[..] };
    [&b"\x93NUMPY"[..], &[version, 0], length, header.as_bytes()].concat()
}

fn inputs() -> Vec<(&'static str, Vec<u8>)> {
    let deep = |open: &str, middle: &str, close: &str| {
        [open.repeat(100_000), middle.to_owned(), close.repeat(100_000)].concat().into_bytes()
    };
    let header = |key: &str| {
        format!("{{\"{key}\":{{\"dtype\":\"F32\",\"shape\":[0,8589934592,8589934592],\"data_offsets\":[0,0]}}}}")
    };
    let empty = header("masks");
    let wrapping = "{\"image_embeddings\":{\"dtype\":\"F32\",\"shape\":[4611686018427387000,1],\"data_offsets\":[0,18446744073709548000]},\
                    \"__metadata__\":{\"text_image\":\"[]\"}}";
    let literal = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {}, }}", "(".repeat(9_000));
    vec![
        ("arrays in arrays", deep("[", "1", "]")),
        ("open arrays", deep("[", "", "")),
        ("objects in objects", deep("{\"a\":", "1", "}")),
        ("objects in a known list", [&b"{\"images\":"[..], &deep("[{\"a\":", "1", "}]"), b"}"].concat()),
        (
            "records in records",
            [&b"[{\"file_name\":\"a.jpg\",\"segmentation\":"[..], &deep("[", "1", "]"), b"}]"].concat(),
        ),
        ("tables in tables", deep("a.", "b = 1", "")),
        ("inline tables", [&b"a = "[..], &deep("{a = ", "1", "}")].concat()),
        ("arrays in TOML", [&b"a = "[..], &deep("[", "1", "]")].concat()),
        ("a long line", [b"path,label\n".to_vec(), vec![b'a'; 1 << 18]].concat()),
        ("a long quoted field", [b"path,label\n\"".to_vec(), vec![b'a'; 1 << 18]].concat()),
        ("many columns", ",".repeat(1 << 20).into_bytes()),
        ("many lines", "a.jpg,b\n".repeat(1 << 17).into_bytes()),
        ("many quotes", "\"".repeat(1 << 20).into_bytes()),
        ("entities", "&amp;".repeat(1 << 16).into_bytes()),
        ("accents", "e\u{301}\u{302}".repeat(1 << 14).into_bytes()),
        ("wrongly decoded text", "Ã\u{83}Â©".repeat(1 << 14).into_bytes()),
        ("one long word", vec![b'a'; 1 << 15]),
        ("NULs", vec![0; 1 << 20]),
        ("a header of 2⁶³ bytes", safetensors(1 << 63, "{}", b"")),
        ("a header of 2⁶⁴ − 1 bytes", safetensors(u64::MAX, "{}", b"")),
        ("a header of 99 MB in a file of 10 bytes", safetensors(99_000_000, "{}", b"")),
        ("a shape without elements", safetensors(empty.len() as u64, &empty, b"")),
        ("offsets that wrap", safetensors(wrapping.len() as u64, wrapping, b"")),
        ("an array whose header has 4 GB", npz(&npy(2, u32::MAX, "{}"))),
        (
            "an array of 2⁶⁰ numbers",
            npz(&npy(
                1,
                76,
                &format!("{:<75}\n", "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1073741824, 1073741824)}"),
            )),
        ),
        (
            "an array without elements",
            npz(&npy(
                1,
                84,
                &format!(
                    "{:<83}\n",
                    "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 8589934592, 8589934592), }"
                ),
            )),
        ),
        ("parentheses in an array's header", npz(&npy(1, literal.len() as u32, &literal))),
    ]
}

#[test]
fn deep_long_and_large_inputs_end_in_time_and_without_a_panic() {
    for (what, data) in inputs() {
        for target in TARGETS {
            // With --nocapture, the last line names what overflowed the stack.
            eprintln!("{}: {what}", target.name);
            let start = Instant::now();
            // Where a target's first byte or first line chooses something, the rest should be the input too.
            for prefix in [&b""[..], b"\0", b"\x04\x03"] {
                (target.run)(&[prefix, &data].concat());
            }
            let taken = start.elapsed();
            assert!(taken < LONGEST, "{}: {what} took {taken:?}", target.name);
        }
    }
}
