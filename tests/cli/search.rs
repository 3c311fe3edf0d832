//! `index` and `search`.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Folder, drawn, embeddings, radapter, safetensors_metadata, tiny_checkpoint, tiny_model};

fn images(folder: &Folder, count: u32) {
    std::fs::create_dir_all(folder.join("images/deep")).unwrap();
    for index in 0..count {
        let place = if index % 2 == 0 { "deep/" } else { "" };
        drawn(index % 3, index, index % 5 == 0).save(folder.join(&format!("images/{place}{index:03}.png"))).unwrap();
    }
}

fn index(folder: &Folder) -> crate::support::Invocation {
    radapter("index --json")
        .with("--model", folder.join("model"))
        .with("--images", folder.join("images"))
        .with("--out", folder.join("index"))
}

/// The best hits by brute force over the embeddings of `embed`.
fn plainly(folder: &Folder, text: &str, k: usize) -> Vec<(String, f32)> {
    let out = folder.join("all.safetensors");
    radapter("embed")
        .with("--model", folder.join("model"))
        .with("--images", folder.join("images"))
        .with("--texts", folder.file("query.json", serde_json::to_string(&[text]).unwrap()))
        .with("--out", &out)
        .succeed();
    let names: Vec<String> = serde_json::from_str(&safetensors_metadata(&out)["image_names"]).unwrap();
    let query = &embeddings(&out, "text_embeddings")[0];
    let rows = embeddings(&out, "image_embeddings");
    let dot = |row: &Vec<f32>| row.iter().zip(query).map(|(a, b)| a * b).sum::<f32>();
    let mut scored: Vec<(String, f32)> = names.into_iter().zip(rows.iter().map(dot)).collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scored.truncate(k);
    scored
}

#[test]
fn images_are_found_as_brute_force_finds_them() {
    let folder = Folder::new();
    tiny_model(&folder.join("model"));
    images(&folder, 30);
    let made = index(&folder).succeed().json();
    assert_eq!((&made["images"], &made["embedded"]), (&30.into(), &30.into()));
    let text = "a red grating";
    let search = || radapter("search --json -k 7").with("--index", folder.join("index"));
    let found = search().with("--text", text).with("--html", folder.join("found.html")).succeed().json();
    let expected = plainly(&folder, text, 7);
    assert_eq!(found.as_array().unwrap().len(), 7);
    for (place, (hit, (name, score))) in found.as_array().unwrap().iter().zip(&expected).enumerate() {
        assert_eq!((hit["rank"].as_u64(), hit["path"].as_str()), (Some(place as u64 + 1), Some(name.as_str())));
        assert!((hit["score"].as_f64().unwrap() - f64::from(*score)).abs() < 1e-5);
    }
    let page = std::fs::read_to_string(folder.join("found.html")).unwrap();
    assert_eq!(page.matches("<img").count(), 7);
    assert!(page.contains("a red grating"));
    // An image finds itself.
    let query = folder.join("images/001.png");
    let found = search().with("--image", query).succeed().json();
    assert!((found[0]["score"].as_f64().unwrap() - 1.0).abs() < 1e-5, "{found}");

    // The folder changes, and the index with it.
    std::fs::remove_file(folder.join("images/001.png")).unwrap();
    drawn(2, 77, true).save(folder.join("images/new.png")).unwrap();
    let again = index(&folder).succeed().json();
    let count = |key: &str| again[key].as_u64().unwrap();
    assert_eq!((count("embedded"), count("kept"), count("dropped")), (1, 29, 1));
}

#[test]
fn an_index_keeps_its_decoding() {
    let folder = Folder::new();
    tiny_model(&folder.join("model"));
    images(&folder, 3);
    let recorded = || {
        let manifest = std::fs::read_to_string(folder.join("index/index.json")).unwrap();
        serde_json::from_str::<Value>(&manifest).unwrap().get("decoding").cloned()
    };
    index(&folder).with("--decode", "fast").succeed();
    assert_eq!(index(&folder).succeed().json()["kept"], 3);
    assert_eq!(recorded(), Some("fast".into()));
    index(&folder).with("--decode", "exact").fail(1, &["decode = fast, not exact"]);
    std::fs::remove_dir_all(folder.join("index")).unwrap();
    index(&folder).succeed();
    assert_eq!(recorded(), None, "exact is not written");
}

#[test]
fn other_models_and_empty_indexes_are_reported() {
    let folder = Folder::new();
    tiny_model(&folder.join("model"));
    images(&folder, 3);
    index(&folder).succeed();
    let other = folder.join("other");
    let checkpoint = tiny_checkpoint(1);
    checkpoint.save(&other, &radapter::clip::checkpoint::SaveOptions::new(checkpoint.format)).unwrap();
    radapter("index")
        .with("--model", &other)
        .with("--images", folder.join("images"))
        .with("--out", folder.join("index"))
        .fail(1, &["another model", &checkpoint.state.hash()]);
    let search = || radapter("search --text red").with("--index", folder.join("index"));
    search().with("--model", &other).fail(1, &["another model"]);
    // A moved model is still the same.
    std::fs::rename(folder.join("model"), folder.join("moved")).unwrap();
    search().fail(1, &["--model"]);
    search().with("--model", folder.join("moved")).succeed();
    radapter("search --text red").with("--index", folder.join("images")).fail(1, &["no index", "radapter index"]);
    radapter("search").with("--index", folder.join("index")).fail(2, &["--text"]);

    let empty = folder.join("empty");
    folder.file("damaged/a.png", "no image");
    let damaged = |mode: &str| {
        radapter(&format!("index --on-error {mode}"))
            .with("--model", folder.join("moved"))
            .with("--images", folder.join("damaged"))
            .with("--out", &empty)
    };
    damaged("fail").fail(1, &["a.png"]);
    damaged("skip").succeed();
    radapter("search --text red").with("--index", &empty).fail(1, &["has no images"]);
}

/// An index killed at any time is valid, and the next call completes it.
#[test]
fn a_killed_index_is_continued() {
    let folder = Folder::new();
    tiny_model(&folder.join("model"));
    images(&folder, 300);
    let names = |path: &Path| -> Vec<String> {
        let bytes = std::fs::read(path.join("index.json")).unwrap_or_default();
        let manifest: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let segments = manifest["segments"].as_array().cloned().unwrap_or_default();
        segments
            .iter()
            .flat_map(|segment| {
                let file = path.join(segment["file"].as_str().unwrap());
                serde_json::from_str::<Vec<String>>(&safetensors_metadata(&file)["image_names"]).unwrap()
            })
            .collect()
    };
    for delay in [30, 120, 300] {
        let mut child = index(&folder).spawn();
        std::thread::sleep(Duration::from_millis(delay));
        let _ = child.kill();
        let _ = child.wait();
        // All segments are complete.
        let there = names(&folder.join("index"));
        assert!(there.len() <= 300);
    }
    index(&folder).succeed();
    let mut there = names(&folder.join("index"));
    there.sort_unstable();
    there.dedup();
    assert_eq!(there.len(), 300);
}

#[test]
fn an_empty_text_is_refused() {
    radapter("search --index photos.index").with("--text", " ").fail(2, &["--text is empty"]);
}

#[cfg(unix)]
#[test]
fn a_broken_link_is_skipped_if_asked() {
    let folder = Folder::new();
    tiny_model(&folder.join("model"));
    images(&folder, 4);
    std::os::unix::fs::symlink("nowhere.png", folder.join("images/broken.png")).unwrap();
    index(&folder).fail(1, &["broken.png"]);
    let made = index(&folder).args(["--on-error", "skip"]).succeed();
    assert_eq!((&made.json()["images"], &made.json()["skipped"]), (&4.into(), &1.into()));
    assert!(made.stderr.contains("broken.png"), "{}", made.stderr);
}
