//! The memory of loading: a model is never in memory twice, neither as tensors of the heap nor as pages of a mapped file.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::Device;
use radapter_clip::checkpoint::{Checkpoint, Format, SaveOptions};
use radapter_clip::config::ClipConfig;
use radapter_clip::model::Clip;
use radapter_clip::state_dict::StateDict;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is the system allocator's; it is counted on the way.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller's guarantees are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's guarantees are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The largest number of bytes that were allocated at a time during `work`.
fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    PEAK.store(LIVE.load(Ordering::Relaxed), Ordering::Relaxed);
    let result = work();
    (result, PEAK.load(Ordering::Relaxed))
}

/// Some 100 MB of weights, of which the token embedding has 13.
fn config() -> ClipConfig {
    let mut config = ClipConfig::preset("ViT-B-32").unwrap();
    (config.vision.width, config.vision.heads, config.vision.mlp_width, config.vision.layers) = (384, 6, 1536, 12);
    (config.text.width, config.text.heads, config.text.mlp_width, config.text.layers) = (64, 1, 256, 2);
    config.embed_dim = 64;
    config
}

/// Bytes of all tensors, and of the largest one, in f32.
fn sizes(state: &StateDict) -> (usize, usize) {
    let sizes = || state.iter().map(|(_, tensor)| 4 * tensor.len());
    (sizes().sum(), sizes().max().unwrap())
}

/// Bytes of this process's memory that are pages of a file.
#[cfg(target_os = "linux")]
fn mapped(path: &Path) -> usize {
    let (maps, path) = (std::fs::read_to_string("/proc/self/smaps").unwrap(), path.canonicalize().unwrap());
    let of_file = maps.split_inclusive('\n').skip_while(|line| !line.trim_end().ends_with(path.to_str().unwrap()));
    let line = of_file.skip(1).find(|line| line.starts_with("Rss:")).expect("the file is mapped");
    1024 * line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap()
}

/// One test, because all threads of a process are counted together.
#[test]
fn a_load_holds_the_model_and_one_tensor() {
    let config = config();
    let state = config.random_state(0);
    let (total, largest) = sizes(&state);
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::new(config.clone(), state, Format::OpenClip, "random").unwrap();
    for (name, format) in [("open-clip", Format::OpenClip), ("hf", Format::HuggingFace)] {
        checkpoint.save(folder.path().join(name), &SaveOptions::new(format)).unwrap();
    }
    let expected = checkpoint.state.hash();

    // Tensors of the heap, as of a pickle, become the model one by one.
    let before = LIVE.load(Ordering::Relaxed) - total;
    let Checkpoint { config, state, .. } = checkpoint;
    let (clip, most) = peak(|| Clip::from_owned_state(&config, state, &Device::flex()).unwrap());
    let beside = most - before - total;
    assert!(beside <= 3 * largest, "{beside} bytes beside the {total} of the model; the largest tensor has {largest}");
    assert_eq!(clip.to_state().hash(), expected);
    drop(clip);

    for (name, file) in [("open-clip", "open_clip_model.safetensors"), ("hf", "model.safetensors")] {
        let path = folder.path().join(name);
        let before = LIVE.load(Ordering::Relaxed);
        let ((clip, kept), most) = peak(|| {
            let checkpoint = Checkpoint::open(&path, None).unwrap();
            let kept = checkpoint.state.get("visual.positional_embedding").cloned();
            (Clip::from_owned_state(&checkpoint.config, checkpoint.state, &Device::flex()).unwrap(), kept)
        });
        let beside = most - before - total;
        assert!(beside <= 3 * largest, "{name}: {beside} bytes beside the {total} of the model");
        assert_eq!(clip.to_state().hash(), expected, "{name}");
        // The file is mapped as long as a tensor of it lives.
        #[cfg(target_os = "linux")]
        assert!(mapped(&path.join(file)) < total / 4, "{name}: {} bytes of the file", mapped(&path.join(file)));
        drop(kept);
    }
}
