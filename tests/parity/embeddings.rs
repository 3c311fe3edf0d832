//! Tokens, pixels and embeddings of the golden model in both formats.

use std::path::Path;

use serde_json::Value;

use super::{EMBEDDING, assert_close};
use crate::support::{Folder, golden, radapter, safetensors_metadata, tensor};

/// The golden texts as a file.
pub(super) fn texts(golden: &Path, folder: &Folder) -> std::path::PathBuf {
    let manifest = std::fs::read_to_string(golden.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    folder.file("texts.json", manifest["texts"].to_string())
}

#[test]
fn embeddings_match_open_clip() {
    let Some(golden) = golden() else { return };
    let folder = Folder::new();
    let texts = texts(&golden, &folder);
    let expected = golden.join("expected.safetensors");
    for form in ["open_clip", "hf"] {
        let out = folder.join(&format!("{form}.safetensors"));
        radapter("embed --pixels")
            .with("--model", golden.join(form))
            .with("--images", golden.join("images"))
            .with("--texts", &texts)
            .with("--out", &out)
            .succeed();
        assert_close((&out, "pixels"), (&expected, "pixels"), 1e-6);
        assert_close((&out, "image_embeddings"), (&expected, "image_embeddings"), EMBEDDING);
        assert_close((&out, "text_embeddings"), (&expected, "text_embeddings"), EMBEDDING);

        let manifest = std::fs::read_to_string(golden.join("manifest.json")).unwrap();
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        let metadata = safetensors_metadata(&out);
        let names = |key: &str| serde_json::from_str::<Value>(&metadata[key]).unwrap();
        assert_eq!(names("image_names"), manifest["images"]);
        assert_eq!(names("text_names"), manifest["texts"]);
    }
}

#[test]
fn tokens_match_open_clip() {
    let Some(golden) = golden() else { return };
    let folder = Folder::new();
    let out = folder.join("tokens.json");
    radapter("tokenize").with("--texts", texts(&golden, &folder)).with("--out", &out).succeed();
    let tokens: Vec<Vec<f32>> = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    let (shape, expected) = tensor(&golden.join("expected.safetensors"), "tokens");
    assert_eq!([tokens.len(), tokens[0].len()], shape[..]);
    assert_eq!(tokens.concat(), expected);
}
