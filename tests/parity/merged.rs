//! The golden adapters, merged at each α at which PyTorch merged them.

use safetensors::SafeTensors;

use super::embeddings::texts;
use super::{EMBEDDING, assert_close};
use crate::support::{Folder, golden, radapter};

#[test]
fn merged_models_match_pytorch() {
    let Some(golden) = golden() else { return };
    let folder = Folder::new();
    let texts = texts(&golden, &folder);
    let expected = golden.join("expected.safetensors");
    let bytes = std::fs::read(&expected).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    // `merged_{rank}_alpha{a}_image`, for all ranks and values of α in the folder.
    let cases: Vec<(String, String)> = file
        .names()
        .into_iter()
        .filter_map(|name| name.strip_prefix("merged_")?.strip_suffix("_image"))
        .filter_map(|case| case.split_once("_alpha"))
        .map(|(rank, alpha)| (rank.to_owned(), alpha.to_owned()))
        .collect();
    assert!(!cases.is_empty());
    for (rank, alpha) in cases {
        let adapters = match rank.as_str() {
            "full" => "adapters_full_rank.safetensors".to_owned(),
            other => format!("adapters_{other}.safetensors"),
        };
        let (merged, out) = (folder.join(&format!("{rank}-{alpha}")), folder.join("merged.safetensors"));
        let done = radapter("merge")
            .with("--model", golden.join("open_clip"))
            .with("--adapters", golden.join(adapters))
            .with("--alpha", &alpha)
            .with("--out", &merged)
            .succeed();
        assert!(done.stderr.contains("warning: the adapter file does not record which model"), "{}", done.stderr);
        radapter("embed")
            .with("--model", &merged)
            .with("--images", golden.join("images"))
            .with("--texts", &texts)
            .with("--out", &out)
            .succeed();
        for (side, embeddings) in [("image", "image_embeddings"), ("text", "text_embeddings")] {
            let name = format!("merged_{rank}_alpha{alpha}_{side}");
            assert_close((&out, embeddings), (&expected, &name), EMBEDDING);
        }
    }
}

#[test]
fn alpha_0_is_the_base_bit_for_bit() {
    let Some(golden) = golden() else { return };
    let folder = Folder::new();
    let base = golden.join("open_clip");
    let merged = folder.join("merged");
    radapter("merge --alpha 0")
        .with("--model", &base)
        .with("--adapters", golden.join("adapters_rank4.safetensors"))
        .with("--out", &merged)
        .succeed();
    let hash = |model: &std::path::Path| {
        let json = radapter("inspect --json").args([model]).succeed().json();
        json["hash"].as_str().unwrap().to_owned()
    };
    assert_eq!(hash(&merged), hash(&base));
}

#[test]
fn both_directory_formats_are_the_same_model() {
    let Some(golden) = golden() else { return };
    let json = |form: &str| radapter("inspect --json").args([golden.join(form)]).succeed().json();
    let (open_clip, hugging_face) = (json("open_clip"), json("hf"));
    for key in ["hash", "parameters", "config", "dtype"] {
        assert_eq!(open_clip[key], hugging_face[key], "{key}");
    }
    assert_eq!((open_clip["format"].as_str(), hugging_face["format"].as_str()), (Some("open-clip"), Some("hf")));
}
