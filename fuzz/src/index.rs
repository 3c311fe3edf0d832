//! Indexes, embeddings.

use radapter_retrieval::embedded::Embedded;
use radapter_retrieval::index::Index;

use crate::scratch;

/// The manifest of an index whose segments are absent: only one without segments opens.
pub fn index_manifest(data: &[u8]) {
    scratch::file("manifest/index.json", data);
    let Ok(index) = Index::open(scratch::path("manifest")) else { return };
    assert_eq!(index.len(), 0);
}

/// A segment of an index of two images with three numbers each.
pub fn index_segment(data: &[u8]) {
    const MANIFEST: &str = r#"{"format": "radapter-index-v1", "model": {"reference": "m", "hash": "h"}, "embed_dim": 3,
        "images": "/images", "segments": [{"file": "segments/00000001.safetensors", "images": 2}]}"#;
    if !scratch::path("segment/index.json").exists() {
        scratch::file("segment/index.json", MANIFEST.as_bytes());
    }
    scratch::file("segment/segments/00000001.safetensors", data);
    let Ok(index) = Index::open(scratch::path("segment")) else { return };
    assert_eq!(index.len(), 2);
    if let Ok(hits) = index.search(&[1.0, 0.0, 0.0], 5) {
        assert_eq!(hits.len(), 2);
    }
}

/// Embeddings of images and texts, and their recall.
pub fn embedded(data: &[u8]) {
    let Ok(embedded) = Embedded::read(&scratch::file("embeddings.safetensors", data)) else { return };
    if let Ok(evaluation) = embedded.evaluate(&mut |_| ()) {
        assert!(embedded.texts() > 0, "{evaluation:?}");
    }
}
