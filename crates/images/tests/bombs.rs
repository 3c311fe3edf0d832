//! Small files that unpack to much, or claim to: refused before the memory is taken.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use radapter_images::{DecodeOptions, ImageError, RgbImage, decode_bytes};

/// Keeps the size of the largest allocation.
struct Watched;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all calls go to the system's allocator.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps `alloc_zeroed`'s contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.fetch_max(size, Ordering::Relaxed);
        // SAFETY: the caller keeps `realloc`'s contract.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// Decodes a file; also returns the largest allocation.
fn decode(bytes: &[u8]) -> (Result<RgbImage, ImageError>, usize) {
    LARGEST.store(0, Ordering::Relaxed);
    let image = decode_bytes(bytes, "bomb", &DecodeOptions::default());
    (image, LARGEST.load(Ordering::Relaxed))
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let sum = kind.iter().chain(data).fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 })
    });
    [&(data.len() as u32).to_be_bytes()[..], kind, data, &(!sum).to_be_bytes()].concat()
}

fn png(width: u32, height: u32, chunks: &[Vec<u8>]) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for chunk in [&[chunk(b"IHDR", &header)], chunks, &[chunk(b"IEND", &[])]].into_iter().flatten() {
        file.write_all(chunk).unwrap();
    }
    file
}

/// A grey TIFF of one strip, which starts at its header.
fn tiff(width: u32, height: u32, strip_bytes: u32) -> Vec<u8> {
    let entries: [(u16, u32); 8] =
        [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (278, height), (279, strip_bytes)];
    let mut file = [&b"II*\0\x08\0\0\0"[..], &(entries.len() as u16).to_le_bytes()].concat();
    for (tag, value) in entries {
        file.extend(
            [&tag.to_le_bytes()[..], &4_u16.to_le_bytes(), &1_u32.to_le_bytes(), &value.to_le_bytes()].concat(),
        );
    }
    file.extend([0; 4]);
    file
}

// The other test allocates little: the largest allocation is the process's.
#[test]
fn a_small_file_that_claims_a_huge_image_is_refused_before_its_memory_is_taken() {
    let large = 60_000_u16;
    let gif =
        [&b"GIF89a"[..], &large.to_le_bytes(), &large.to_le_bytes(), b"\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"]
            .concat();
    let mut bmp =
        [&b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"[..], &60_000_u32.to_le_bytes(), &60_000_u32.to_le_bytes()]
            .concat();
    bmp.extend([&b"\x01\0\x18\0"[..], &[0; 24]].concat());
    let jpeg = [
        &b"\xff\xd8\xff\xc0\0\x11\x08"[..],
        &large.to_be_bytes(),
        &large.to_be_bytes(),
        b"\x03\x01\x11\0\x02\x11\0\x03\x11\0\xff\xda",
    ]
    .concat();
    let mut vp8x = b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\0\xff\xff\0".to_vec();
    vp8x.extend(b"VP8 \0\0\0\0");
    let pnm = b"P6 60000 60000 255 ".to_vec();
    let pam = b"P7\nWIDTH 60000\nHEIGHT 60000\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n".to_vec();
    for (what, bytes) in [
        ("PNG", png(60_000, 60_000, &[])),
        ("GIF", gif),
        ("BMP", bmp),
        ("TIFF", tiff(60_000, 60_000, 8)),
        ("JPEG", jpeg),
        ("PNM", pnm),
        ("PAM", pam),
    ] {
        let (image, largest) = decode(&bytes);
        let error = image.unwrap_err();
        assert!(matches!(error, ImageError::TooManyPixels { width: 60_000, height: 60_000, .. }), "{what}: {error}");
        assert!(largest < 1 << 20, "{what}: {largest} bytes");
    }
    for (what, bytes) in [
        ("WebP whose canvas has 65,536 × 65,536 pixels", vp8x),
        ("TIFF whose strip claims 4 GB", tiff(1, 1, u32::MAX)),
        ("PNG whose sides overflow", png(u32::MAX, u32::MAX, &[])),
        // Deflate's best: a thousandth. 64 KiB of zeros, many times.
        (
            "PNG whose text unpacks to 100 MB",
            png(1, 1, &[chunk(b"zTXt", &[&b"a\0\0"[..], &zeros(100 << 20)].concat())]),
        ),
        (
            "PNG whose profile unpacks to 100 MB",
            png(1, 1, &[chunk(b"iCCP", &[&b"a\0\0"[..], &zeros(100 << 20)].concat())]),
        ),
        ("PNG whose row unpacks to 100 MB", png(1, 1, &[chunk(b"IDAT", &zeros(100 << 20))])),
    ] {
        let (image, largest) = decode(&bytes);
        // What is beside the pixels may be passed over.
        let image = image.map(|image| image.dimensions());
        assert!(
            largest < 10 << 20 && (image.is_err() || matches!(image, Ok((1, 1)))),
            "{what}: {largest} bytes, {image:?}"
        );
    }
}

/// The png crate (0.18.1) would panic. Found by fuzzing.
#[test]
fn a_palette_of_no_whole_colours_is_refused() {
    for length in [0, 1, 49, 771] {
        let header = [&1_u32.to_be_bytes()[..], &1_u32.to_be_bytes(), &[8, 3, 0, 0, 0]].concat();
        let chunks = [
            chunk(b"IHDR", &header),
            chunk(b"PLTE", &vec![7; length]),
            chunk(b"IDAT", &zeros(258)),
            chunk(b"IEND", &[]),
        ];
        let file = [&b"\x89PNG\r\n\x1a\n"[..], &chunks.concat()].concat();
        let error = decode_bytes(&file, "a.png", &DecodeOptions::default()).unwrap_err().to_string();
        assert!(error.contains("a.png") && error.contains(&format!("a palette of {length} bytes")), "{error}");
    }
}

/// Zeros as zlib data: blocks of fixed codes, a literal and copies of 258 bytes from one byte before.
fn zeros(bytes: usize) -> Vec<u8> {
    let (mut out, mut held, mut bits) = (vec![0x78, 0x01], 0_u32, 0);
    let mut put = |value: u32, count: u32| {
        held |= value << bits;
        bits += count;
        while bits >= 8 {
            out.push(held as u8);
            (held, bits) = (held >> 8, bits - 8);
        }
    };
    // The last block, with fixed codes; the literal 0 is 00110000, from its highest bit.
    put(0b011, 3);
    put(0b0000_1100, 8);
    for _ in 0..bytes / 258 {
        // Length 258 is symbol 285, 11000101; distance 1 is 00000.
        put(0b1010_0011, 8);
        put(0, 5);
    }
    put(0, 7);
    put(0, 7);
    out
}
