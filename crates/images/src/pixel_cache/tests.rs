//! What a cache returns, across threads, processes and damaged files.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::convert::Infallible;
use std::path::PathBuf;

use image::Rgb;

use super::*;

fn file(folder: &Path, name: &str, content: &[u8]) -> ImageSource {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    ImageSource::File(path)
}

fn picture(shade: u8) -> Arc<RgbImage> {
    Arc::new(RgbImage::from_fn(5, 3, |x, y| Rgb([shade, x as u8, y as u8])))
}

/// The cached pixels, `None` on a miss.
fn cached(cache: &PixelCache, source: &ImageSource, stage: &str) -> Option<Arc<RgbImage>> {
    cache.get_or(source, stage, || Err(())).ok()
}

fn keep(cache: &PixelCache, source: &ImageSource, stage: &str, image: &Arc<RgbImage>) {
    cache.get_or(source, stage, || Ok::<_, Infallible>(image.clone())).unwrap();
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pixels");
    (folder, path)
}

#[test]
fn pixels_are_made_once_for_an_image_and_a_stage() {
    let (folder, path) = folder();
    let (one, two) = (file(folder.path(), "1.jpg", b"one"), file(folder.path(), "2.jpg", b"two"));
    let cache = PixelCache::open(&path).unwrap();
    assert!(cache.is_empty());
    keep(&cache, &one, "whole", &picture(1));
    keep(&cache, &two, "whole", &picture(2));
    keep(&cache, &one, "half", &picture(3));
    let check = |cache: &PixelCache| {
        assert_eq!(cached(cache, &one, "whole"), Some(picture(1)));
        assert_eq!(cached(cache, &two, "whole"), Some(picture(2)));
        assert_eq!(cached(cache, &one, "half"), Some(picture(3)));
        assert_eq!(cached(cache, &two, "half"), None);
        assert_eq!(cache.len(), 3);
    };
    check(&cache);
    drop(cache);
    check(&PixelCache::open(&path).unwrap());
}

#[test]
fn a_changed_file_is_another_image_and_pixels_in_memory_are_none() {
    let (folder, path) = folder();
    let cache = PixelCache::open(&path).unwrap();
    let source = file(folder.path(), "1.jpg", b"one");
    keep(&cache, &source, "whole", &picture(1));
    let changed = file(folder.path(), "1.jpg", b"another");
    assert_eq!(cached(&cache, &changed, "whole"), None);
    keep(&cache, &ImageSource::Pixels(picture(4)), "whole", &picture(4));
    assert_eq!(cache.len(), 1);
}

#[test]
fn what_a_kill_leaves_half_written_is_dropped_and_the_rest_stays() {
    let (folder, path) = folder();
    let sources: Vec<_> = (0..3).map(|at| file(folder.path(), &format!("{at}.jpg"), &[at])).collect();
    let cache = PixelCache::open(&path).unwrap();
    (0..3).for_each(|at| keep(&cache, &sources[at], "whole", &picture(at as u8)));
    drop(cache);
    let whole = std::fs::read(&path).unwrap();
    // Bytes of each of the three equal entries after the file's header.
    let entry = (whole.len() - 16) / 3;
    for cut in [1, 10, entry - 1] {
        std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let cache = PixelCache::open(&path).unwrap();
        assert_eq!(cache.len(), 2, "{cut}");
        assert_eq!(cached(&cache, &sources[1], "whole"), Some(picture(1)));
        keep(&cache, &sources[2], "whole", &picture(2));
        drop(cache);
        assert_eq!(std::fs::read(&path).unwrap(), whole, "{cut}");
    }
    // Damaged pixels are a miss.
    let mut damaged = whole.clone();
    damaged[16 + entry + 48] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let cache = PixelCache::open(&path).unwrap();
    assert_eq!(cached(&cache, &sources[0], "whole"), Some(picture(0)));
    assert_eq!(cached(&cache, &sources[1], "whole"), None);
}

#[test]
fn a_second_process_reads_what_the_first_one_fills() {
    let (folder, path) = folder();
    let source = file(folder.path(), "1.jpg", b"one");
    let first = PixelCache::open(&path).unwrap();
    keep(&first, &source, "whole", &picture(1));
    let second = PixelCache::open(&path).unwrap();
    assert_eq!(cached(&second, &source, "whole"), Some(picture(1)));
    keep(&second, &source, "half", &picture(2));
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_eq!(cached(&second, &source, "half"), None, "it is not its to write");
}

#[test]
fn another_file_is_refused_and_left_alone() {
    let (_folder, path) = folder();
    std::fs::write(&path, "my notes, which are long enough").unwrap();
    let error = PixelCache::open(&path).unwrap_err().to_string();
    assert!(error.contains("not a pixel cache"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "my notes, which are long enough");
}

#[test]
fn threads_share_it() {
    let (folder, path) = folder();
    let sources: Vec<_> = (0..40).map(|at| file(folder.path(), &format!("{at}.jpg"), &[at])).collect();
    let cache = PixelCache::open(&path).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for (at, source) in sources.iter().enumerate() {
                    let found = cache.get_or(source, "whole", || Ok::<_, Infallible>(picture(at as u8))).unwrap();
                    assert_eq!(found, picture(at as u8));
                }
            });
        }
    });
    assert_eq!(PixelCache::open(&path).unwrap().len(), 40);
}
