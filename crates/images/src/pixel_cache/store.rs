//! The file format of the pixel cache: entries that are appended, found by key, and read through a memory map.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use image::RgbImage;
use memmap2::Mmap;
use radapter_files::io_error;

use super::PixelCacheError;

/// SHA-256 of an image's origin and stage.
pub(super) type Key = [u8; 32];

/// The first bytes of every cache file.
const MAGIC: &[u8; 16] = b"radapter-pixels2";

/// Bytes of an entry before its pixels: key, width and height (u32), checksum (u64), little-endian.
const HEADER: usize = 32 + 4 + 4 + 8;

/// A cache file and the index of its entries. The file is only ever appended to.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    file: File,
    entries: HashMap<Key, Entry>,
    /// Where the last complete entry ends.
    end: u64,
    map: Mmap,
    /// Whether this process holds the lock, and no write has failed.
    writable: bool,
    /// Locked by the process that appends. A separate file, because on Windows a lock on the cache itself would block
    /// readers.
    _lock: File,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// First byte of the pixels.
    offset: u64,
    width: u32,
    height: u32,
    checksum: u64,
}

impl Entry {
    /// Bytes of the pixels. Saturates, because a damaged header claims any size.
    fn bytes(&self) -> u64 {
        (u64::from(self.width) * u64::from(self.height)).saturating_mul(3)
    }
}

impl Store {
    pub(super) fn open(path: &Path) -> Result<Self, PixelCacheError> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(io_error("open", path))?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".lock");
        let lock = File::options().write(true).create(true).truncate(false).open(&beside);
        let lock = lock.map_err(io_error("open", &beside))?;
        let writable = match lock.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => {
                tracing::info!(
                    "{}: another process adds to this pixel cache; this process only reads it",
                    path.display()
                );
                false
            }
            // Without locks, as on some network file systems, two processes could overwrite each other's entries.
            Err(TryLockError::Error(error)) => {
                tracing::warn!("{}: the pixel cache is only read, as it cannot be locked: {error}", path.display());
                false
            }
        };
        let map = map(&file).map_err(io_error("map", path))?;
        let mut store =
            Self { path: path.to_owned(), file, entries: HashMap::new(), end: 0, map, writable, _lock: lock };
        match store.index().map_err(io_error("read", path))? {
            true => {
                tracing::debug!("{}: {} images in the pixel cache", path.display(), store.entries.len());
                Ok(store)
            }
            false => Err(PixelCacheError::NotACache { path: path.to_owned() }),
        }
    }

    /// Starts an empty file, indexes the entries, and cuts off what is incomplete. `false` if the file is not a pixel
    /// cache.
    fn index(&mut self) -> io::Result<bool> {
        if self.writable && self.file.metadata()?.len() == 0 {
            self.file.write_all(MAGIC)?;
            self.map()?;
        }
        if !self.read_headers()? {
            return Ok(false);
        }
        if self.writable && self.end < self.file.metadata()?.len() {
            self.file.set_len(self.end)?;
            self.map()?;
        }
        Ok(true)
    }

    /// Indexes the entries up to the last complete one. `false` if the file does not start as a pixel cache.
    fn read_headers(&mut self) -> io::Result<bool> {
        let length = self.file.metadata()?.len();
        if length == 0 {
            // Another process has just created it.
            return Ok(true);
        }
        let mut file = io::BufReader::new(&self.file);
        file.seek(SeekFrom::Start(0))?;
        let mut magic = [0; MAGIC.len()];
        let read = file.read_exact(&mut magic);
        let is_short = read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::UnexpectedEof);
        if !is_short {
            read?;
        }
        if &magic != MAGIC {
            return Ok(false);
        }
        self.end = MAGIC.len() as u64;
        let mut header = [0; HEADER];
        while file.read_exact(&mut header).is_ok() {
            let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
            let mut key = [0; 32];
            key.copy_from_slice(&header[..32]);
            let checksum = u64::from(number(40)) | u64::from(number(44)) << 32;
            let offset = self.end + HEADER as u64;
            let entry = Entry { offset, width: number(32), height: number(36), checksum };
            let end = offset.saturating_add(entry.bytes());
            if entry.bytes() == 0 || end > length {
                break;
            }
            self.entries.insert(key, entry);
            self.end = end;
            file.seek_relative(entry.bytes() as i64)?;
        }
        Ok(true)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn has(&self, key: &Key) -> bool {
        self.entries.contains_key(key)
    }

    pub(super) fn is_mapped(&self, key: &Key) -> bool {
        let mapped = self.map.len() as u64;
        self.entries.get(key).is_some_and(|entry| entry.offset + entry.bytes() <= mapped)
    }

    /// Maps the file at its current length.
    pub(super) fn map(&mut self) -> io::Result<()> {
        self.map = map(&self.file)?;
        Ok(())
    }

    /// Removes a damaged entry from the index.
    pub(super) fn forget(&mut self, key: &Key) {
        self.entries.remove(key);
    }

    /// The pixels, `None` if they are missing, not yet mapped, or damaged.
    pub(super) fn get(&self, key: &Key) -> Option<RgbImage> {
        let entry = self.entries.get(key)?;
        let range = entry.offset as usize..(entry.offset + entry.bytes()) as usize;
        let pixels = self.map.get(range)?;
        if checksum(pixels) != entry.checksum {
            return None;
        }
        RgbImage::from_raw(entry.width, entry.height, pixels.to_vec())
    }

    /// Appends an entry. A failed write is logged, and ends appending for this process.
    pub(super) fn append(&mut self, key: Key, image: &RgbImage) {
        // Another thread may have added the same image meanwhile.
        if !self.writable || image.is_empty() || self.has(&key) {
            return;
        }
        let entry = Entry {
            offset: self.end + HEADER as u64,
            width: image.width(),
            height: image.height(),
            checksum: checksum(image.as_raw()),
        };
        let mut bytes = Vec::with_capacity(HEADER + image.as_raw().len());
        bytes.extend(key);
        bytes.extend(entry.width.to_le_bytes());
        bytes.extend(entry.height.to_le_bytes());
        bytes.extend(entry.checksum.to_le_bytes());
        bytes.extend(image.as_raw());
        let written = self.file.seek(SeekFrom::Start(self.end)).and_then(|_| self.file.write_all(&bytes));
        match written {
            Ok(()) => {
                self.end += bytes.len() as u64;
                self.entries.insert(key, entry);
            }
            Err(error) => {
                self.writable = false;
                let _ = self.file.set_len(self.end);
                tracing::warn!("{}: nothing more is added to this pixel cache: {error}", self.path.display());
            }
        }
    }
}

fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: only the process that holds the lock changes the file, and it only appends; entries are read at offsets
    // below the length that was checked when they were indexed. Truncating the file by other means would break this, as
    // for every mapped file.
    unsafe { Mmap::map(file) }
}

/// Detects pixels that a crash left unwritten. Not cryptographic.
fn checksum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let sum = words.iter().fold(bytes.len() as u64 + 1, |sum, word| mix(sum, u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, byte| mix(sum, u64::from(*byte)))
}
