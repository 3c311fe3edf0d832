use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use image::RgbImage;
use memmap2::Mmap;

/// By what pixels are found.
pub(super) type Key = [u8; 32];

/// What every file begins with.
const MAGIC: &[u8; 16] = b"radapter-pixels1";

/// Key, width, height (u32), checksum (u64), little-endian; the pixels follow.
const HEADER: usize = 32 + 4 + 4 + 8;

/// The file, and where in it things are. Nothing in it is ever changed, only appended to.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    file: File,
    entries: HashMap<Key, Entry>,
    /// Bytes that whole entries take.
    end: u64,
    map: Mmap,
    /// Whether this process fills it: one does at a time, as long as it can.
    writable: bool,
    /// Held by the process that fills it. A file beside it, as a lock on the file itself would keep others from reading it on Windows.
    _lock: File,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Of the pixels.
    offset: u64,
    width: u32,
    height: u32,
    checksum: u64,
}

impl Entry {
    fn bytes(&self) -> u64 {
        3 * u64::from(self.width) * u64::from(self.height)
    }
}

impl Store {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".lock");
        let lock = File::options().write(true).create(true).truncate(false).open(beside)?;
        let writable = match lock.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => {
                tracing::info!("{} is being filled by another process; this one reads it alone", path.display());
                false
            }
            // Some network file systems know no locks: two processes would write over each other.
            Err(TryLockError::Error(error)) => {
                tracing::warn!("{} is read and not filled, as it cannot be locked: {error}", path.display());
                false
            }
        };
        if writable && file.metadata()?.len() == 0 {
            (&file).write_all(MAGIC)?;
        }
        let map = map(&file)?;
        let mut store =
            Self { path: path.to_owned(), file, entries: HashMap::new(), end: 0, map, writable, _lock: lock };
        store.read_headers()?;
        if store.writable && store.end < store.file.metadata()?.len() {
            store.file.set_len(store.end)?;
            store.map()?;
        }
        Ok(store)
    }

    /// Finds the entries; behind the last whole one nothing counts.
    fn read_headers(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        if length == 0 {
            // Another process has just made it.
            return Ok(());
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
            let reason = format!("{} is no cache of pixels; name another file", self.path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
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
            let end = offset + entry.bytes();
            if entry.bytes() == 0 || end > length {
                break;
            }
            self.entries.insert(key, entry);
            self.end = end;
            file.seek_relative(entry.bytes() as i64)?;
        }
        Ok(())
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

    /// Maps the file as it is now.
    pub(super) fn map(&mut self) -> io::Result<()> {
        self.map = map(&self.file)?;
        Ok(())
    }

    /// Leaves an entry out that turned out to be damaged.
    pub(super) fn forget(&mut self, key: &Key) {
        self.entries.remove(key);
    }

    /// The pixels, if they are there and whole.
    pub(super) fn get(&self, key: &Key) -> Option<RgbImage> {
        let entry = self.entries.get(key)?;
        let range = entry.offset as usize..(entry.offset + entry.bytes()) as usize;
        let pixels = self.map.get(range)?;
        if checksum(pixels) != entry.checksum {
            return None;
        }
        RgbImage::from_raw(entry.width, entry.height, pixels.to_vec())
    }

    /// Adds pixels. A file that takes no more is read from now on, and told of.
    pub(super) fn append(&mut self, key: Key, image: &RgbImage) {
        // Another thread may have had the same image.
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
                tracing::warn!("{} is filled no further: {error}", self.path.display());
            }
        }
    }
}

fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: entries are only appended, by the one process that holds the lock, and read below the length that they had when they
    // were whole. Who truncates or rewrites the file by other means breaks that, as for every mapped file.
    unsafe { Mmap::map(file) }
}

/// Finds pixels that a crash left unwritten; not a hash that anybody could not forge.
fn checksum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let sum = words.iter().fold(bytes.len() as u64 + 1, |sum, word| mix(sum, u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, byte| mix(sum, u64::from(*byte)))
}
