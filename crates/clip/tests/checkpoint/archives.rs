//! Archives as torch lays them out, for every length of the file's stem, which is their folder's name.

use std::fs::{self, File};
use std::io::Read;

use radapter_clip::checkpoint::{Checkpoint, CheckpointError};

use crate::support::{fixture, small_config, small_state};

/// An archive's entry: its name below the archive's folder, checksum and bytes.
type Entry = (String, u32, Vec<u8>);

fn entries(name: &str) -> Vec<Entry> {
    let mut archive = zip::ZipArchive::new(File::open(fixture(name)).unwrap()).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut entry = archive.by_index(index).unwrap();
            let inner = entry.name().unwrap().split_once('/').unwrap().1.to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (inner, entry.crc32(), bytes)
        })
        .collect()
}

/// The bytes of these numbers, each of a given width.
fn little_endian(fields: &[(u64, usize)]) -> Vec<u8> {
    fields.iter().flat_map(|&(value, width)| value.to_le_bytes()[..width].to_vec()).collect()
}

/// The fields of an entry that its two headers share.
fn common(crc: u32, size: usize, name: &str) -> Vec<u8> {
    let (size, length) = (size as u64, name.len() as u64);
    little_endian(&[(0, 2), (0x800, 2), (0, 6), (crc.into(), 4), (size, 4), (size, 4), (length, 2)])
}

/// The entries below `stem/` as torch writes them: stored, aligned to 64 bytes, ended by zip64 records in any case.
fn torch_archive(stem: &str, entries: &[Entry]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, crc, bytes) in entries {
        let (name, start) = (format!("{stem}/{name}"), file.len() as u64);
        let common = common(*crc, bytes.len(), &name);
        // An extra field `FB` is the padding.
        let padding = (64 - (file.len() + 30 + name.len() + 4) % 64) % 64;
        let padding = [&b"FB"[..], &(padding as u16).to_le_bytes(), &vec![b'Z'; padding]].concat();
        file.extend(
            [b"PK\x03\x04", &common[..], &(padding.len() as u16).to_le_bytes(), name.as_bytes(), &padding].concat(),
        );
        file.extend(bytes);
        let rest = little_endian(&[(0, 8), (0, 4), (start, 4)]);
        directory.extend([b"PK\x01\x02\0\0", &common[..], &rest, name.as_bytes()].concat());
    }
    let (start, size, count) = (file.len() as u64, directory.len() as u64, entries.len() as u64);
    let end64 = little_endian(&[(44, 8), (0x2d, 2), (0x2d, 2), (0, 8), (count, 8), (count, 8), (size, 8), (start, 8)]);
    let locator = little_endian(&[(0, 4), (start + size, 8), (1, 4)]);
    let end = little_endian(&[(0, 4), (count, 2), (count, 2), (size, 4), (start, 4), (0, 2)]);
    [&file[..], &directory, b"PK\x06\x06", &end64, b"PK\x06\x07", &locator, b"PK\x05\x06", &end].concat()
}

/// At one length the first record of the directory is as long as the zip64 records.
#[test]
fn an_archive_is_read_whatever_the_length_of_its_stem() {
    let folder = tempfile::tempdir().unwrap();
    let entries = entries("state_dict.pt");
    for length in 1..=60 {
        let stem = "x".repeat(length);
        let path = folder.path().join(format!("{stem}.pt"));
        fs::write(&path, torch_archive(&stem, &entries)).unwrap();
        let state = Checkpoint::open(&path, Some(&small_config())).map(|checkpoint| checkpoint.state);
        assert_eq!(state.map_err(|error| error.to_string()), Ok(small_state()), "{length}");
    }
}

#[test]
fn torch_script_is_recognised_whatever_the_length_of_its_stem() {
    let folder = tempfile::tempdir().unwrap();
    let entries = entries("torch_script.pt");
    for length in 1..=60 {
        let stem = "x".repeat(length);
        let path = folder.path().join(format!("{stem}.pt"));
        fs::write(&path, torch_archive(&stem, &entries)).unwrap();
        let error = Checkpoint::open(&path, None).unwrap_err();
        assert!(matches!(error, CheckpointError::TorchScript { .. }), "{length}: {error}");
    }
}

#[test]
fn an_archive_that_is_cut_is_damaged_at_any_length_of_its_stem() {
    let folder = tempfile::tempdir().unwrap();
    let entries = entries("state_dict.pt");
    for stem in ["x".repeat(20), "x".repeat(21)] {
        let path = folder.path().join(format!("{stem}.pt"));
        let whole = torch_archive(&stem, &entries);
        for cut in [100, whole.len() / 2, whole.len() - 30, whole.len() - 1] {
            fs::write(&path, &whole[..cut]).unwrap();
            let error = Checkpoint::open(&path, Some(&small_config())).unwrap_err();
            assert!(matches!(error, CheckpointError::Damaged { .. }), "{} cut at {cut}: {error}", stem.len());
        }
    }
}
