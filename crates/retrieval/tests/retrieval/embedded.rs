//! Recall compared with another implementation (`xtask/peers/recall_fixture.py`), and invalid files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use radapter_clip::checkpoint::{read_safetensors, write_safetensors_file};
use radapter_clip::state_dict::{RawTensor, StateDict, StoredDtype};
use radapter_retrieval::embedded::Embedded;
use radapter_retrieval::recall::{Evaluation, Recalls};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn expected() -> Evaluation {
    serde_json::from_slice(&std::fs::read(fixture("recall.json")).unwrap()).unwrap()
}

fn assert_same(found: &Evaluation, expected: &Evaluation) {
    let all = |evaluation: &Evaluation| {
        let four = |recalls: Recalls| [recalls.r1, recalls.r5, recalls.r10, recalls.median_rank];
        let both = [four(evaluation.image_to_text), four(evaluation.text_to_image)].concat();
        both.into_iter().chain([evaluation.mean_recall]).collect::<Vec<f64>>()
    };
    assert_eq!((found.n_images, found.n_texts), (expected.n_images, expected.n_texts));
    for (found, expected) in all(found).into_iter().zip(all(expected)) {
        assert!((found - expected).abs() < 1e-12, "expected {expected}, found {found}");
    }
}

#[test]
fn recalls_agree_with_numpy() {
    let found = Embedded::read(&fixture("recall.safetensors")).unwrap().evaluate(&mut |_| {}).unwrap();
    assert_same(&found, &expected());
}

/// Writes the fixture's tensors after a change.
fn changed(folder: &Path, change: impl Fn(&mut StateDict, &mut BTreeMap<String, String>)) -> PathBuf {
    let mut file = read_safetensors(fixture("recall.safetensors")).unwrap();
    change(&mut file.tensors, &mut file.metadata);
    let path = folder.join("changed.safetensors");
    write_safetensors_file(&path, &file.tensors, &file.metadata).unwrap();
    path
}

#[test]
fn rows_of_any_norm_become_cosines() {
    let folder = tempfile::tempdir().unwrap();
    let path = changed(folder.path(), |tensors, _| {
        let images = tensors.get("image_embeddings").unwrap().to_f32();
        let scaled = images
            .chunks(8)
            .enumerate()
            .flat_map(|(row, values)| values.iter().map(move |value| value * (0.5 + row as f32)).collect::<Vec<f32>>());
        let scaled = RawTensor::from_f32([40, 8], scaled.collect());
        tensors.insert("image_embeddings", scaled);
    });
    assert_same(&Embedded::read(&path).unwrap().evaluate(&mut |_| {}).unwrap(), &expected());
}

/// Change of a file's tensors and metadata.
type Change = dyn Fn(&mut StateDict, &mut BTreeMap<String, String>);

#[test]
fn missing_and_misshapen_parts_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: &Path| match Embedded::read(path) {
        Ok(embedded) => embedded.evaluate(&mut |_| {}).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    };
    let changes: [(&str, &Change); 7] = [
        ("`image_embeddings`: expected a tensor", &|tensors, _| drop(tensors.remove("image_embeddings"))),
        ("`text_image`: expected in the metadata", &|_, metadata| drop(metadata.remove("text_image"))),
        ("`text_image`", &|_, metadata| drop(metadata.insert("text_image".into(), "[1, -2]".into()))),
        ("3 entries say which image", &|_, metadata| drop(metadata.insert("text_image".into(), "[0, 1, 2]".into()))),
        ("found [320]", &|tensors, _| {
            let flat = tensors.get("image_embeddings").unwrap().reshape(vec![320]).unwrap();
            tensors.insert("image_embeddings", flat);
        }),
        ("belong to different models", &|tensors, _| {
            let narrow = tensors.get("image_embeddings").unwrap().reshape(vec![80, 4]).unwrap();
            tensors.insert("image_embeddings", narrow);
        }),
        ("image 1 (counted from 0) is not finite", &|tensors, _| {
            let mut values = tensors.get("image_embeddings").unwrap().to_f32();
            values[9] = f32::NAN;
            tensors.insert("image_embeddings", RawTensor::from_f32([40, 8], values));
        }),
    ];
    for (words, change) in changes {
        let error = refused(&changed(folder.path(), change));
        assert!(error.contains(words) && error.contains("changed.safetensors"), "{words}: {error}");
    }
    let half = changed(folder.path(), |tensors, _| {
        *tensors = tensors.cast(StoredDtype::F16).unwrap();
    });
    assert!(Embedded::read(&half).is_ok());
    let bytes = std::fs::read(fixture("recall.safetensors")).unwrap();
    for cut in [0, 5, 100, bytes.len() - 1] {
        let path = folder.path().join("cut.safetensors");
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let error = refused(&path);
        assert!(error.contains("cut.safetensors"), "{cut}: {error}");
    }
    let pointer = folder.path().join("pointer.safetensors");
    std::fs::write(&pointer, "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n").unwrap();
    assert!(refused(&pointer).contains("a Git LFS pointer"));
}
