//! Updates of an index from an image folder.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use radapter_clip::model::Encoder;
use radapter_datasets::DatasetError;
use radapter_datasets::SkipReport;
use radapter_datasets::folder::{self, FoundImage};
use radapter_datasets::on_error::Skipped;
use radapter_embedding::{EmbedOptions, Image, embed_images};
use radapter_files::{Storage, create_dir, io_error};
use radapter_images::{DecodeMode, ImageSource};

use super::manifest::FORMAT;
use super::segment::{FOLDER, Rows, Segment, Stamp, number};
use super::{IndexError, Manifest, ModelId};

/// Number of images in a full segment.
const SEGMENT: usize = 4096;
/// Maximum number of images to embed between two checks of the clock.
const PIECE: usize = 256;
/// Minimum number of such images.
const LEAST: usize = 8;
/// Default interval of saving.
pub const SAVE_EVERY: Duration = Duration::from_secs(20);

const LOCK: &str = "lock";

/// Image folder of an index.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Folder {
    pub path: PathBuf,
    /// Whether the images were moved here, so that an index of another folder is accepted.
    pub moved: bool,
}

/// Options of an update.
#[derive(Clone, Debug)]
pub struct UpdateOptions<'a> {
    /// How images are read and embedded.
    pub embed: EmbedOptions,
    /// Stops the work within a few seconds, with finished embeddings saved, when set to true.
    pub interrupt: &'a AtomicBool,
    /// Interval of saving finished embeddings: the work that a kill can lose.
    pub save_every: Duration,
    /// Where the index is written; tests let it fail.
    pub storage: &'a dyn Storage,
}

/// Summary of an update.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Updated {
    /// Images embedded: new ones, and those that changed.
    pub embedded: usize,
    /// Images that were up to date.
    pub kept: usize,
    /// Images that were removed or changed.
    pub dropped: usize,
    /// Unreadable images that are not in the index.
    pub skipped: Vec<Skipped>,
    /// Whether the work was interrupted before its end.
    pub interrupted: bool,
}

/// Updates the index in `dir` from a folder of images, or creates it: embeds new and changed images and drops those
/// that were removed. A file counts as unchanged while its size and modification time are the same.
///
/// Embeddings are saved every few seconds; after a kill the next call continues from there. `progress` is called with the number of
/// images done and the number to embed.
///
/// # Errors
/// [`IndexError::OtherModel`], [`IndexError::OtherPrecision`] and [`IndexError::OtherFolder`] if the index belongs to another model,
/// precision or folder,
/// [`IndexError::Busy`] if another process updates it, and for unreadable images under `on_error = fail`; embeddings computed
/// before are saved.
pub fn update(
    dir: &Path,
    folder: &Folder,
    model: &dyn Encoder,
    id: ModelId,
    options: &UpdateOptions<'_>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Updated, IndexError> {
    let root = folder.path.canonicalize().map_err(io_error("read", &folder.path))?;
    let images = match folder::images(&root) {
        // An unmounted disk must not empty the index.
        Err(DatasetError::NoImages { path, .. }) if Manifest::read(dir).is_ok() => {
            return Err(IndexError::NoneLeft { images: path, path: dir.to_owned() });
        }
        images => images?,
    };
    let storage = options.storage;
    let (_lock, mut manifest) = begin(storage, dir, &root, folder.moved, id, model, options.embed.decoding)?;

    let report = SkipReport::default();
    let mut wanted = Vec::with_capacity(images.len());
    for FoundImage { path, name } in images {
        // Names are keys: two that differ only in bytes that are not UTF-8 would be one.
        let is_text = if path.to_str().is_some() { Ok(()) } else { Err(IndexError::Name { path: path.clone() }) };
        if options.embed.on_error.settle(&name, is_text, &report)?.is_none() {
            continue;
        }
        // Taken before the image is read: the next call detects a change in between.
        let stamp = Stamp::of(&path).map_err(|error| IndexError::from(io_error("read", &path)(error)));
        if let Some(stamp) = options.embed.on_error.settle(&name, stamp, &report)? {
            wanted.push((name, path, stamp));
        }
    }
    let mut updated = Updated { skipped: report.entries(), ..Updated::default() };
    let there = tidy(storage, dir, &mut manifest, &wanted, &mut updated)?;
    wanted.retain(|(name, ..)| !there.contains_key(name));
    let outcome = embed(dir, &mut manifest, &wanted, model, options, &mut updated, progress);
    // Small segments, saved in case of a kill, become large ones.
    merge_small(storage, dir, &mut manifest)?;
    outcome?;
    Ok(updated)
}

/// Locks the index and reads its manifest, or creates both.
fn begin(
    storage: &dyn Storage,
    dir: &Path,
    root: &Path,
    moved: bool,
    id: ModelId,
    model: &dyn Encoder,
    decoding: DecodeMode,
) -> Result<(File, Manifest), IndexError> {
    if Manifest::find(dir)?.is_none() {
        check_empty(dir)?;
        let segments = dir.join(FOLDER);
        create_dir(&segments)?;
    }
    let path = dir.join(LOCK);
    let lock = File::create(&path).map_err(io_error("create", &path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(IndexError::Busy { path: dir.to_owned() }),
        // Some network file systems do not support locks; there the user has to take care.
        Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {}
        Err(TryLockError::Error(error)) => return Err(io_error("lock", path)(error).into()),
    }
    // Another process may have created or changed it before the lock was taken.
    let Some(mut manifest) = Manifest::find(dir)? else {
        let images = root.to_owned();
        let (format, segments) = (FORMAT.to_owned(), Vec::new());
        let (embed_dim, precision) = (model.config().embed_dim, model.precision());
        let manifest = Manifest { format, model: id, embed_dim, decoding, precision, images, segments };
        manifest.write(storage, dir)?;
        return Ok((lock, manifest));
    };
    manifest.check_model(dir, &id)?;
    manifest.check_decoding(dir, decoding)?;
    manifest.check_precision(dir, model.precision())?;
    if manifest.images != root && !moved {
        let (path, recorded, given) = (dir.to_owned(), manifest.images, root.to_owned());
        return Err(IndexError::OtherFolder { path, recorded, given });
    }
    // The same model may have moved.
    root.clone_into(&mut manifest.images);
    manifest.model = id;
    Ok((lock, manifest))
}

/// Checks that a directory can become an index.
fn check_empty(dir: &Path) -> Result<(), IndexError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error("list", dir)(error).into()),
    };
    for entry in entries {
        let name = entry.map_err(io_error("list", dir))?.file_name();
        // Left by a call that was killed before it started.
        if name != FOLDER && name != LOCK && !is_temporary(&name) {
            return Err(IndexError::NotEmpty { path: dir.to_owned(), found: name.display().to_string() });
        }
    }
    Ok(())
}

/// Whether a file is a leftover temporary file.
fn is_temporary(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(".radapter-") && name.ends_with(".tmp"))
}

type Wanted = [(String, PathBuf, Stamp)];

/// Removes the leftovers of a kill, and drops images that were removed or changed. Returns the names of those that stay.
fn tidy(
    storage: &dyn Storage,
    dir: &Path,
    manifest: &mut Manifest,
    wanted: &Wanted,
    updated: &mut Updated,
) -> Result<HashMap<String, ()>, IndexError> {
    remove_unnamed(dir, manifest)?;
    let stamps: HashMap<&str, Stamp> = wanted.iter().map(|(name, _, stamp)| (name.as_str(), *stamp)).collect();
    let mut there = HashMap::new();
    let mut stale = Vec::new();
    let mut kept = Vec::new();
    for entry in &manifest.segments {
        let segment = Segment::read(dir, entry, manifest.embed_dim)?;
        let mut keep = Vec::with_capacity(segment.len());
        for (name, stamp) in segment.names.iter().zip(&segment.stamps) {
            let stays = stamps.get(name.as_str()) == Some(stamp) && there.insert(name.clone(), ()).is_none();
            keep.push(stays);
        }
        let dropped = keep.iter().filter(|&&keep| !keep).count();
        updated.dropped += dropped;
        updated.kept += keep.len() - dropped;
        if dropped > 0 {
            stale.push((segment, keep));
        } else {
            kept.push(entry.clone());
        }
    }
    if !stale.is_empty() {
        rewrite(storage, dir, manifest, kept, &stale)?;
    }
    Ok(there)
}

/// Replaces segments by new ones with the remaining rows.
fn rewrite(
    storage: &dyn Storage,
    dir: &Path,
    manifest: &mut Manifest,
    mut segments: Vec<super::SegmentEntry>,
    from: &[(Segment, Vec<bool>)],
) -> Result<(), IndexError> {
    let mut next = next_number(manifest);
    let mut rows = Rows::default();
    let mut row = vec![0.0; manifest.embed_dim];
    for (segment, keep) in from {
        for index in keep.iter().enumerate().filter_map(|(index, &keep)| keep.then_some(index)) {
            segment.row(index, &mut row);
            rows.names.push(segment.names[index].clone());
            rows.stamps.push(segment.stamps[index]);
            rows.values.extend_from_slice(&row);
            if rows.len() == SEGMENT {
                segments.push(std::mem::take(&mut rows).write(storage, dir, next)?);
                next += 1;
            }
        }
    }
    if !rows.is_empty() {
        segments.push(rows.write(storage, dir, next)?);
    }
    manifest.segments = segments;
    manifest.write(storage, dir)?;
    remove_unnamed(dir, manifest)
}

/// Merges the segments that are less than half full, if there are several.
fn merge_small(storage: &dyn Storage, dir: &Path, manifest: &mut Manifest) -> Result<(), IndexError> {
    let is_small = |entry: &&super::SegmentEntry| entry.images < SEGMENT / 2;
    if manifest.segments.iter().filter(is_small).count() < 2 {
        return Ok(());
    }
    let (small, large): (Vec<_>, Vec<_>) = manifest.segments.clone().into_iter().partition(|entry| is_small(&entry));
    let mut from = Vec::with_capacity(small.len());
    for entry in &small {
        let segment = Segment::read(dir, entry, manifest.embed_dim)?;
        let all = vec![true; segment.len()];
        from.push((segment, all));
    }
    rewrite(storage, dir, manifest, large, &from)
}

/// Removes the files that the manifest does not name, and unfinished manifests.
fn remove_unnamed(dir: &Path, manifest: &Manifest) -> Result<(), IndexError> {
    for entry in fs::read_dir(dir).map_err(io_error("list", dir))? {
        let entry = entry.map_err(io_error("list", dir))?;
        if is_temporary(&entry.file_name()) {
            fs::remove_file(entry.path()).map_err(io_error("remove", entry.path()))?;
        }
    }
    let folder = dir.join(FOLDER);
    for entry in fs::read_dir(&folder).map_err(io_error("list", &folder))? {
        let entry = entry.map_err(io_error("list", &folder))?;
        let name = format!("{FOLDER}/{}", entry.file_name().to_string_lossy());
        if !manifest.segments.iter().any(|segment| segment.file == name) {
            fs::remove_file(entry.path()).map_err(io_error("remove", entry.path()))?;
        }
    }
    Ok(())
}

/// Embeds images, and saves them periodically.
fn embed(
    dir: &Path,
    manifest: &mut Manifest,
    wanted: &Wanted,
    model: &dyn Encoder,
    options: &UpdateOptions<'_>,
    updated: &mut Updated,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(), IndexError> {
    let mut rows = Rows::default();
    let mut saved = Instant::now();
    let mut done = 0;
    let (mut rest, mut size) = (wanted, (2 * options.embed.batch).clamp(LEAST, PIECE));
    while !rest.is_empty() {
        if options.interrupt.load(Ordering::Relaxed) {
            updated.interrupted = true;
            break;
        }
        let (piece, later) = rest.split_at(size.min(rest.len()));
        rest = later;
        let begun = Instant::now();
        let image = |(name, path, _): &(String, PathBuf, Stamp)| Image {
            name: name.clone(),
            source: ImageSource::File(path.clone()),
        };
        let images: Vec<Image> = piece.iter().map(image).collect();
        let mut heard = |within: usize| progress(done + within, wanted.len());
        let embedded = match embed_images(model, &images, &options.embed, &mut heard) {
            Ok(embedded) => embedded,
            Err(error) => {
                save(options.storage, dir, manifest, rows, updated)?;
                return Err(error.into());
            }
        };
        done += piece.len();
        for (&at, row) in embedded.kept.iter().zip(embedded.embeddings.rows()) {
            rows.names.push(piece[at].0.clone());
            rows.stamps.push(piece[at].2);
            rows.values.extend_from_slice(row);
        }
        updated.skipped.extend(embedded.skipped);
        // Large pieces keep all threads busy, small ones react to an interruption soon; a few seconds are a compromise.
        match begun.elapsed().as_secs() {
            0 => size = (2 * size).min(PIECE),
            1..=4 => {}
            _ => size = (size / 2).max(LEAST),
        }
        if rows.len() >= SEGMENT || saved.elapsed() >= options.save_every {
            save(options.storage, dir, manifest, std::mem::take(&mut rows), updated)?;
            saved = Instant::now();
        }
    }
    save(options.storage, dir, manifest, rows, updated)
}

fn save(
    storage: &dyn Storage,
    dir: &Path,
    manifest: &mut Manifest,
    rows: Rows,
    updated: &mut Updated,
) -> Result<(), IndexError> {
    if rows.is_empty() {
        // The model's name and the folder may have changed nevertheless.
        return manifest.write(storage, dir);
    }
    updated.embedded += rows.len();
    let entry = rows.write(storage, dir, next_number(manifest))?;
    manifest.segments.push(entry);
    manifest.write(storage, dir)
}

/// Returns the next unused segment number.
fn next_number(manifest: &Manifest) -> u64 {
    manifest.segments.iter().filter_map(|entry| number(&entry.file)).max().map_or(1, |last| last + 1)
}
