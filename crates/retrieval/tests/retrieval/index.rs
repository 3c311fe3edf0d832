use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use radapter_datasets::OnError;
use radapter_embedding::{EmbedOptions, Image, embed_images, embed_texts};
use radapter_files::faults::FullAt;
use radapter_files::{Disk, Storage};
use radapter_images::DecodeMode;
use radapter_retrieval::index::{Folder, Index, IndexError, ModelId, SAVE_EVERY, UpdateOptions, Updated, update};

use crate::support::{checkpoint, model, png};

fn id(seed: u64) -> ModelId {
    ModelId { reference: format!("model-{seed}"), alpha: None, hash: checkpoint(seed).state.hash() }
}

fn write(folder: &Path, indices: impl IntoIterator<Item = usize>) {
    std::fs::create_dir_all(folder.join("deep")).unwrap();
    for index in indices {
        let place = if index % 3 == 0 { "deep/" } else { "" };
        std::fs::write(folder.join(format!("{place}{index:02}.png")), png(index)).unwrap();
    }
}

fn refresh(dir: &Path, images: &Path, seed: u64, on_error: OnError) -> Result<Updated, IndexError> {
    refresh_on(&Disk, dir, images, seed, on_error)
}

fn refresh_on(
    storage: &dyn Storage,
    dir: &Path,
    images: &Path,
    seed: u64,
    on_error: OnError,
) -> Result<Updated, IndexError> {
    let stop = AtomicBool::new(false);
    let embed = EmbedOptions { batch: 4, on_error, ..EmbedOptions::default() };
    let folder = Folder { path: images.to_owned(), moved: false };
    let options = UpdateOptions { embed, interrupt: &stop, save_every: SAVE_EVERY, storage };
    update(dir, &folder, &model(seed), id(seed), &options, &mut |_, _| {})
}

/// Brute-force search over newly computed embeddings.
fn plainly(images: &Path, query: &[f32], k: usize) -> Vec<(String, f32)> {
    let found = radapter_datasets::folder::images(images).unwrap();
    let list: Vec<Image> = found
        .into_iter()
        .map(|image| Image { name: image.name, source: radapter_images::ImageSource::File(image.path) })
        .collect();
    let rows = embed_images(&model(1), &list, &EmbedOptions::default(), &mut |_| {}).unwrap().embeddings;
    let dot = |row: &[f32]| row.iter().zip(query).map(|(a, b)| a * b).sum::<f32>();
    let mut scored: Vec<(String, f32)> =
        list.iter().zip(rows.rows()).map(|(image, row)| (image.name.clone(), dot(row))).collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scored.truncate(k);
    scored
}

#[test]
fn an_index_has_one_decode_mode() {
    let folder = tempfile::tempdir().unwrap();
    let (images, dir) = (folder.path().join("images"), folder.path().join("index"));
    write(&images, 0..2);
    let refresh = |decoding| {
        let stop = AtomicBool::new(false);
        let embed = EmbedOptions { decoding, ..EmbedOptions::default() };
        let folder = Folder { path: images.clone(), moved: false };
        let options = UpdateOptions { embed, interrupt: &stop, save_every: SAVE_EVERY, storage: &Disk };
        update(&dir, &folder, &model(1), id(1), &options, &mut |_, _| {})
    };
    refresh(DecodeMode::Fast).unwrap();
    let error = refresh(DecodeMode::Exact).unwrap_err().to_string();
    assert!(error.contains("decode = fast, not exact"), "{error}");
    refresh(DecodeMode::Fast).unwrap();
}

#[test]
fn an_index_follows_its_folder_and_matches_brute_force() {
    let folder = tempfile::tempdir().unwrap();
    let (images, dir) = (folder.path().join("images"), folder.path().join("index"));
    write(&images, 0..20);
    let updated = refresh(&dir, &images, 1, OnError::Fail).unwrap();
    assert_eq!((updated.embedded, updated.kept, updated.dropped), (20, 0, 0));
    let again = refresh(&dir, &images, 1, OnError::Fail).unwrap();
    assert_eq!((again.embedded, again.kept, again.dropped), (0, 20, 0));

    // One is removed, one is another image now, two are new.
    std::fs::remove_file(images.join("05.png")).unwrap();
    std::fs::write(images.join("07.png"), png(40)).unwrap();
    write(&images, 30..32);
    let updated = refresh(&dir, &images, 1, OnError::Fail).unwrap();
    assert_eq!((updated.embedded, updated.kept, updated.dropped), (3, 18, 2));

    let index = Index::open(&dir).unwrap();
    assert_eq!(index.len(), 21);
    assert_eq!(index.manifest().segments.len(), 1, "small segments are merged");
    for text in ["a red square", "blue", ""] {
        let query = embed_texts(&model(1), &[text], 1).unwrap();
        let query = query.row(0).unwrap();
        for k in [1, 7, 21, 100] {
            let found = index.search(query, k).unwrap();
            let expected = plainly(&images, query, k);
            assert_eq!(found.len(), expected.len());
            for (place, (hit, (name, score))) in found.iter().zip(&expected).enumerate() {
                assert_eq!((hit.rank, &hit.path), (place + 1, name), "{text}, {k}");
                assert!((hit.score - score).abs() < 1e-5);
            }
        }
    }
}

#[test]
fn equal_scores_are_in_the_order_of_paths() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    std::fs::create_dir_all(&images).unwrap();
    for name in ["b", "a", "c", "B"] {
        std::fs::write(images.join(format!("{name}.png")), png(3)).unwrap();
    }
    let dir = folder.path().join("index");
    refresh(&dir, &images, 1, OnError::Fail).unwrap();
    let index = Index::open(&dir).unwrap();
    let query = embed_texts(&model(1), &["red"], 1).unwrap();
    for k in [2, 4] {
        let found: Vec<String> =
            index.search(query.row(0).unwrap(), k).unwrap().into_iter().map(|hit| hit.path).collect();
        assert_eq!(found, ["B.png", "a.png", "b.png", "c.png"][..k]);
    }
}

#[test]
fn leftovers_of_a_kill_are_removed_and_the_update_continues() {
    let folder = tempfile::tempdir().unwrap();
    let (images, dir) = (folder.path().join("images"), folder.path().join("index"));
    write(&images, 0..6);
    refresh(&dir, &images, 1, OnError::Fail).unwrap();
    // A segment that was written but not named yet, and a half-written file.
    let segment = dir.join("segments").join("00000001.safetensors");
    std::fs::copy(&segment, dir.join("segments/00000007.safetensors")).unwrap();
    std::fs::write(dir.join("segments/.radapter-x.tmp"), "half").unwrap();
    assert_eq!(Index::open(&dir).unwrap().len(), 6);
    write(&images, 6..9);
    assert_eq!(refresh(&dir, &images, 1, OnError::Fail).unwrap().embedded, 3);
    let files: BTreeSet<_> = std::fs::read_dir(dir.join("segments")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(files.len(), Index::open(&dir).unwrap().manifest().segments.len());
    // An index whose creation was killed before its manifest was written, or during the write.
    std::fs::rename(dir.join("index.json"), dir.join(".radapter-x.tmp")).unwrap();
    assert_eq!(refresh(&dir, &images, 1, OnError::Fail).unwrap().embedded, 9);
}

/// The sorted names of an index, whose rows must all be readable.
fn content(dir: &Path) -> Vec<String> {
    let index = Index::open(dir).unwrap();
    let query = vec![1.0; index.manifest().embed_dim];
    let mut names: Vec<_> = index.search(&query, index.len()).unwrap().into_iter().map(|hit| hit.path).collect();
    names.sort();
    names
}

#[test]
fn a_disk_full_at_any_operation_keeps_the_old_index_or_the_new_one() {
    for full in [FullAt::operation, FullAt::inside] {
        let folder = tempfile::tempdir().unwrap();
        let (images, dir) = (folder.path().join("images"), folder.path().join("index"));
        write(&images, 0..6);
        // The first call, on nothing.
        let mut failures = 0;
        while let Err(error) = refresh_on(&full(failures), &dir, &images, 1, OnError::Fail) {
            let text = error.to_string();
            assert!(text.contains("index") && text.contains("No space left"), "{text}");
            if let Ok(index) = Index::open(&dir) {
                assert!([0, 6].contains(&index.len()), "{failures}");
            }
            std::fs::remove_dir_all(&dir).ok();
            failures += 1;
        }
        assert!(failures > 10, "{failures}");
        // An update that embeds, drops rows and merges segments.
        let old = content(&dir);
        write(&images, 6..9);
        std::fs::remove_file(images.join("deep/00.png")).unwrap();
        let dropped: Vec<_> = old.iter().filter(|name| *name != "deep/00.png").cloned().collect();
        let mut expected: Vec<String> = ["deep/06.png", "07.png", "08.png"].map(str::to_owned).into();
        expected.extend(dropped.iter().cloned());
        expected.sort();
        let mut failures = 0;
        while let Err(error) = refresh_on(&full(failures), &dir, &images, 1, OnError::Fail) {
            assert!(error.to_string().contains("No space left"), "{error}");
            let now = content(&dir);
            assert!(now == old || now == dropped || now == expected, "{failures}: {error}");
            failures += 1;
        }
        assert!(failures > 4, "{failures}");
        assert_eq!(content(&dir), expected);
    }
}

#[test]
fn invalid_requests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (images, dir) = (folder.path().join("images"), folder.path().join("index"));
    assert!(matches!(Index::open(&dir), Err(IndexError::NoIndex { .. })));
    write(&images, 0..4);
    std::fs::write(images.join("broken.png"), "no image").unwrap();
    let error = refresh(&dir, &images, 1, OnError::Fail).unwrap_err();
    assert!(error.to_string().contains("broken.png"), "{error}");
    let updated = refresh(&dir, &images, 1, OnError::Skip).unwrap();
    assert_eq!((updated.embedded + updated.kept, updated.skipped.len()), (4, 1));

    let error = refresh(&dir, &images, 2, OnError::Skip).unwrap_err();
    assert!(matches!(error, IndexError::OtherModel { .. }) && error.to_string().contains("model-2"), "{error}");
    let index = Index::open(&dir).unwrap();
    assert!(matches!(index.check_model(&id(2)), Err(IndexError::OtherModel { .. })));
    assert!(matches!(index.search(&[0.0; 5], 1), Err(IndexError::Dim { expected: 12, found: 5 })));

    let elsewhere = folder.path().join("elsewhere");
    write(&elsewhere, 0..4);
    assert!(matches!(refresh(&dir, &elsewhere, 1, OnError::Fail), Err(IndexError::OtherFolder { .. })));
    let nothing = folder.path().join("nothing");
    std::fs::create_dir(&nothing).unwrap();
    assert!(matches!(refresh(&folder.path().join("new"), &nothing, 1, OnError::Fail), Err(IndexError::Folder(_))));
    assert!(matches!(refresh(&images, &elsewhere, 1, OnError::Fail), Err(IndexError::NotEmpty { .. })));

    // All images are damaged: an index, but an empty one.
    let damaged = folder.path().join("damaged");
    std::fs::create_dir(&damaged).unwrap();
    std::fs::write(damaged.join("a.png"), "no image").unwrap();
    let empty = folder.path().join("empty");
    refresh(&empty, &damaged, 1, OnError::Skip).unwrap();
    let error = Index::open(&empty).unwrap().search(&[0.0; 12], 1).unwrap_err();
    assert!(matches!(error, IndexError::Empty { .. }), "{error}");

    // A truncated segment.
    let segment = dir.join(&index.manifest().segments[0].file);
    let bytes = std::fs::read(&segment).unwrap();
    drop(index);
    std::fs::write(&segment, &bytes[..bytes.len() / 2]).unwrap();
    let error = Index::open(&dir).unwrap_err();
    assert!(error.to_string().contains(".safetensors"), "{error}");
}

#[test]
fn an_interrupted_update_keeps_its_work_and_continues() {
    let folder = tempfile::tempdir().unwrap();
    let (images, dir) = (folder.path().join("images"), folder.path().join("index"));
    write(&images, 0..40);
    let stop = AtomicBool::new(false);
    let embed = EmbedOptions { batch: 4, ..EmbedOptions::default() };
    let place = Folder { path: images.clone(), moved: false };
    let options = UpdateOptions { embed, interrupt: &stop, save_every: Duration::ZERO, storage: &Disk };
    let mut segments = 0;
    let updated = update(&dir, &place, &model(1), id(1), &options, &mut |done, all| {
        assert_eq!(all, 40);
        // Saved periodically: a kill costs no more than a few images.
        segments = segments.max(Index::open(&dir).map_or(0, |index| index.len()));
        stop.store(done >= 12, Ordering::Relaxed);
    });
    let updated = updated.unwrap();
    assert!(updated.interrupted && (12..40).contains(&updated.embedded), "{updated:?}");
    assert!(segments > 0, "nothing was saved before the end");
    let index = Index::open(&dir).unwrap();
    assert_eq!(index.len(), updated.embedded);
    let rest = refresh(&dir, &images, 1, OnError::Fail).unwrap();
    assert_eq!((rest.kept, rest.embedded), (updated.embedded, 40 - updated.embedded));
}

#[test]
fn one_process_at_a_time_and_a_folder_may_move() {
    let folder = tempfile::tempdir().unwrap();
    let (images, dir) = (folder.path().join("images"), folder.path().join("index"));
    write(&images, 0..4);
    refresh(&dir, &images, 1, OnError::Fail).unwrap();
    let lock = std::fs::File::options().write(true).open(dir.join("lock")).unwrap();
    lock.lock().unwrap();
    assert!(matches!(refresh(&dir, &images, 1, OnError::Fail), Err(IndexError::Busy { .. })));
    drop(lock);

    let moved = folder.path().join("moved");
    std::fs::rename(&images, &moved).unwrap();
    assert!(matches!(refresh(&dir, &moved, 1, OnError::Fail), Err(IndexError::OtherFolder { .. })));
    let stop = AtomicBool::new(false);
    let options =
        UpdateOptions { embed: EmbedOptions::default(), interrupt: &stop, save_every: SAVE_EVERY, storage: &Disk };
    let place = Folder { path: moved.clone(), moved: true };
    let updated = update(&dir, &place, &model(1), id(1), &options, &mut |_, _| {}).unwrap();
    assert_eq!((updated.embedded, updated.kept), (0, 4));
    refresh(&dir, &moved, 1, OnError::Fail).unwrap();

    // All images are gone: more likely an unmounted disk than intent.
    std::fs::remove_dir_all(&moved).unwrap();
    std::fs::create_dir(&moved).unwrap();
    let error = refresh(&dir, &moved, 1, OnError::Fail).unwrap_err();
    assert!(error.to_string().contains("left as it was"), "{error}");
    assert_eq!(Index::open(&dir).unwrap().len(), 4);
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf8_are_refused() {
    use std::os::unix::ffi::OsStrExt as _;

    let folder = tempfile::tempdir().unwrap();
    let (images, dir) = (folder.path().join("images"), folder.path().join("index"));
    write(&images, 0..2);
    for byte in [0xe8, 0xe9] {
        let name = [b"lat", &[byte][..], b".png"].concat();
        std::fs::write(images.join(std::ffi::OsStr::from_bytes(&name)), png(byte.into())).unwrap();
    }
    let error = refresh(&dir, &images, 1, OnError::Fail).unwrap_err();
    assert!(error.to_string().contains("UTF-8"), "{error}");
    for _ in 0..2 {
        let updated = refresh(&dir, &images, 1, OnError::Skip).unwrap();
        assert_eq!((updated.embedded + updated.kept, updated.dropped), (2, 0));
        assert!(!updated.skipped.is_empty());
    }
}
